"""Clips from people's recordings, with an aligner that is told where the words are."""
import wave

import numpy as np

from microturn_training import human
from microturn_training.synthesis import RATE, TAIL


class Told:
    def __init__(self, found):
        self.found = found

    def words(self, x, text):
        return self.found.get(text)


def spoken(*stretches: tuple[float, float], seconds: float = 2.0, noise: float = 0.001) -> np.ndarray:
    """Noise with tones in it."""
    x = np.random.default_rng(0).normal(0, noise, int(seconds * RATE)).astype(np.float32)
    for start, end in stretches:
        n = np.arange(int((end - start) * RATE))
        x[int(start * RATE):int(start * RATE) + len(n)] += 0.2 * np.sin(n * 0.3).astype(np.float32)
    return x


def test_the_audible_part_near_an_aligned_stretch_is_found_and_what_drowns_in_noise_is_not_used():
    first, last = human.edges(spoken((0.5, 0.9)), 0.45, 0.97)
    assert abs(first - 0.5 * RATE) < 160 and abs(last - 0.9 * RATE) < 160
    assert human.edges(spoken((0.5, 0.9), noise=0.1), 0.45, 0.97) is None
    assert human.edges(spoken((0.5, 0.9)), 1.5, 1.9) is None


def test_an_utterance_of_an4_is_foreign_speech_and_its_digits_are_clips_of_their_own(tmp_path):
    folder = tmp_path / "an4"
    (folder / "etc").mkdir(parents=True)
    (folder / "wav" / "an4_clstk" / "fash").mkdir(parents=True)
    (folder / "etc" / "an4_train.transcription").write_text("<s> ERASE FIVE </s> (an1-fash-b)\n<s> NO RECORDING </s> (an2-fash-b)\n")
    (folder / "etc" / "an4_test.transcription").write_text("STOP (an3-fash-b)\n")
    for name, x in (("an1", spoken((0.3, 0.7), (0.8, 1.2))), ("an3", spoken((0.3, 0.7)))):
        (folder / "wav" / "an4_clstk" / "fash" / f"{name}-fash-b.raw").write_bytes((x * 32767).astype(">i2").tobytes())
    aligner = Told({"erase five": [("erase", 0.3, 0.75), ("five", 0.75, 1.2)], "stop": [("stop", 0.3, 0.7)]})
    train, kept = human.an4(folder, aligner)
    assert [[(meta["key"], meta["text"], meta["voice"]) for _, meta in some] for some in (train, kept)] == [
        [("ood", "erase five", "an4:fash"), ("digit:5", "five", "an4:fash")], [("stop", "stop", "an4:fash")]]
    for x, meta in train + kept:
        assert len(x) == meta["length"] and meta["words"][-1] == len(x) - TAIL and x.dtype == np.int16
    (whole, meta), (digit, _) = train
    assert abs(len(whole) - 2 * TAIL - 0.9 * RATE) < 400 and abs(meta["words"][0] - TAIL - 0.45 * RATE) < 200
    assert abs(len(digit) - 2 * TAIL - 0.45 * RATE) < 400


def test_a_word_of_speech_commands_is_the_request_that_it_is_or_foreign_speech(tmp_path):
    for word in ("stop", "yes", "three", "happy", "quiet"):
        (tmp_path / word).mkdir()
        with wave.open(str(tmp_path / word / f"{'0' if word == 'yes' else 'a'}123abcd_nohash_0.wav"), "wb") as f:
            f.setnchannels(1), f.setsampwidth(2), f.setframerate(RATE)
            f.writeframes((spoken((0.3, 0.7), seconds=1, noise=0.1 if word == "quiet" else 0.001) * 32767).astype("<i2").tobytes())
    train, kept = human.speech_commands(tmp_path, Told({w: [(w, 0.3, 0.7)] for w in ("stop", "yes", "three", "happy", "quiet")}))
    assert {meta["text"]: meta["key"] for _, meta in train} == {"stop": "stop", "three": "digit:3", "happy": "ood"}
    assert {meta["text"]: meta["key"] for _, meta in kept} == {"yes": "back"}
    assert {meta["voice"] for _, meta in train + kept} == {"speech_commands:a123abcd", "speech_commands:0123abcd"}


def test_more_of_speech_commands_is_for_training_without_the_people_of_the_evaluation(tmp_path, monkeypatch):
    def record(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as f:
            f.setnchannels(1), f.setsampwidth(2), f.setframerate(RATE)
            f.writeframes((spoken((0.3, 0.7), seconds=1) * 32767).astype("<i2").tobytes())
    record(tmp_path / "speech_commands" / "yes" / "0123abcd_nohash_0.wav")
    for code in ("0123abcd", "1123abcd", "a123abcd", "b123abcd"):
        record(tmp_path / "speech_commands_more" / "six" / f"{code}_nohash_1.wav")
    for folder in ("speech_commands", "speech_commands_more"):   # in both: one clip is enough
        record(tmp_path / folder / "six" / "c123abcd_nohash_0.wav")
    aligner = Told({"six": [("six", 0.3, 0.7)]})
    train, kept = human.more_speech_commands(tmp_path / "speech_commands_more", aligner)
    assert kept == []
    assert [(meta["key"], meta["voice"]) for _, meta in sorted(train, key=lambda clip: clip[1]["voice"])] == [
        ("digit:6", f"speech_commands:{code}") for code in ("1123abcd", "a123abcd", "b123abcd")]
    monkeypatch.setattr(human, "MOST", {"digit": 2})
    assert len(human.more_speech_commands(tmp_path / "speech_commands_more", aligner)[0]) == 2


def test_what_people_order_and_what_wakes_a_device_is_foreign_speech_as_a_recogniser_writes_it_down(tmp_path, monkeypatch):
    for name in ("speech/clean/order", "speech/clean/request", "speech/clean/unheard", "audio/snowboy/a", "audio/view glass/b", "audio/view glass/quiet"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(tmp_path / f"{name}.wav"), "wb") as f:
            f.setnchannels(1), f.setsampwidth(2), f.setframerate(RATE)
            x = spoken((0.3, 0.5 if "order" in name else 0.7), seconds=1, noise=0.1 if "quiet" in name else 0.001)
            f.writeframes((x * 32767).astype("<i2").tobytes())
    heard = iter(["A Large MOCHA, please.", "Stop!", ""])   # in the order of the files' names
    monkeypatch.setattr(human, "Recogniser", lambda: type("Recogniser", (), {"hear": lambda self, x: next(heard)})())
    texts = ("a large mocha please", "stop", "snow boy", "view glass")
    train, kept = human.picovoice(tmp_path, Told({t: [(w, 0.3, 0.7) for w in t.split()] for t in texts}))
    assert [(meta["key"], meta["text"], meta["voice"]) for _, meta in train] == [
        ("ood", "a large mocha please", "picovoice:order"), ("ood", "snow boy", "picovoice:a"), ("ood", "view glass", "picovoice:b")]
    assert kept == []


def test_a_silence_between_two_words_is_a_pause_and_a_short_one_or_one_inside_a_word_is_none():
    x = spoken((0.1, 0.4), (0.6, 0.8), (0.95, 1.2), (1.25, 1.5), seconds=1.6)
    (a, b, after), = human.silences(x, [int(end * RATE) for end in (0.42, 1.2, 1.5)])
    assert abs(a - 0.4 * RATE) < 160 and abs(b - 0.6 * RATE) < 160 and after == 1


def test_a_longer_pause_has_the_quiet_of_the_recording_and_changes_nothing_else():
    x = spoken((0.1, 0.4), (0.6, 0.8), seconds=1, noise=0.003)
    a, b = int(0.4 * RATE), int(0.6 * RATE)
    longer = human.lengthened(x, a, b, 0.7)
    more = int(0.7 * RATE)
    assert len(longer) == len(x) + more
    assert (longer[:a] == x[:a]).all() and (longer[b + more:] == x[b:]).all()
    assert abs(np.std(longer[a:b + more]) - 0.003) < 0.0003


def test_who_tells_a_story_has_said_enough_different_sentences():
    clips = [{"voice": voice, "text": text} for voice, texts in {"an4:b": ["a b", "c d", "a b"], "an4:a": ["a b", "c d", "e f", "go"]}.items() for text in texts]
    assert [[meta["text"] for meta in said] for said in human.tellers(clips, 3)] == [["a b", "c d", "e f"]]
    assert len(human.tellers(clips, 2)) == 2
