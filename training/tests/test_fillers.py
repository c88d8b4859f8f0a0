"""Fillers inside requests, in training: which clips are made, how one is said, and that nothing is due until its request is over."""
import json
import random
import shutil
from dataclasses import replace

import numpy as np
import pytest

from microturn_training import domain, synthesis, user, voices
from microturn_training.dialogue import DECISION, LISTEN, Generator, Mix
from microturn_training.fillers import FILLERS, TRAINED_FILLERS, with_silences, words_to_filler
from microturn_training.synthesis import RATE
from microturn_training.timeline import OUTPUTS, REPLY_AFTER, TURN, reply_turn

TEXT = "what is, um your name"


def clip(*words: tuple[float, float]) -> np.ndarray:
    """Tones where words are, as a bank keeps them."""
    x = np.zeros(int((words[-1][1] + 0.01) * RATE), np.int16)
    for start, end in words:
        x[int(start * RATE):int(end * RATE)] = 3000 * np.sin(np.arange(int(end * RATE) - int(start * RATE)) * 0.3)
    return x


def entry(voice: str, x: np.ndarray, gap: tuple[float, float] | None, *ends: float) -> dict:
    return {"key": "name", "text": TEXT, "voice": voice, "held": False, "length": len(x), "gap": gap and [int(gap[0] * RATE), int(gap[1] * RATE), 3],
            "words": [int(end * RATE) for end in ends]}


@pytest.fixture()
def filled(bank, tmp_path):
    """The bank of tones with one clip that has a filler, and silences around it."""
    folder = shutil.copytree(bank, tmp_path / "filled")
    x = clip((0.01, 0.3), (0.3, 0.6), (0.7, 0.9), (1.0, 1.2), (1.2, 1.6))
    x, meta = with_silences(x, entry("tone", x, (0.9, 1.0), 0.3, 0.6, 0.9, 1.2, 1.6))
    np.save(folder / "bank-train-filler.npy", x)
    (folder / "bank-train-filler.json").write_text(json.dumps([meta]))
    return folder


def share(monkeypatch, value: float) -> None:
    monkeypatch.setattr(user, "RECIPE", replace(user.RECIPE, dialogue=replace(user.RECIPE.dialogue, fillers=value, hesitates=0)))


def test_training_hears_its_own_voices_and_phrasings_with_fillers_that_have_a_token(monkeypatch):
    monkeypatch.setattr(synthesis, "programs", lambda: {"rhvoice": 3, "pico": 2})
    jobs = synthesis.plan_filled(random.Random(1), domain.keys())
    assert {key.partition(":")[0] for key, *_ in jobs} == set(synthesis.FILLED)
    known = {"espeak": voices.ESPEAK_TRAIN, "flite": voices.FLITE_TRAIN, "festival": voices.FESTIVAL_TRAIN,
             "kokoro": voices.KOKORO_TRAIN + voices.KOKORO_BETWEEN, "rhvoice": voices.RHVOICE_TRAIN, "pico": voices.PICO_TRAIN}
    for key, text, voice, held, split in jobs:
        words = domain.words(text)
        assert not held and (voice.name.split("+")[-1] if voice.engine == "espeak" else voice.name) in known[voice.engine]
        assert words[split - 1] in TRAINED_FILLERS and split == words_to_filler(text) and not domain.is_request(" ".join(words[:split - 1]))
        without = " ".join(words[:split - 1] + words[split:])
        assert domain.is_request(without) and not domain.contains(without, domain.held_requests())
    assert {voice.engine for _, _, voice, _, _ in jobs} == set(known)
    assert set(FILLERS) - set(TRAINED_FILLERS) == {"er"} and all(filler in domain.TOKEN for filler in TRAINED_FILLERS)
    assert synthesis.plan_filled(random.Random(1), ["fix:1", "ood", "back"]) == []


def test_only_clips_whose_silences_are_known_are_kept(monkeypatch, tmp_path):
    x = clip((0.01, 0.4), (0.4, 0.7), (0.7, 0.9), (0.9, 1.2), (1.2, 1.6))
    spoken = [(x, entry(voice, x, None, 0.4, 0.7, 0.9, 1.2, 1.6)) for voice in ("flite:awb", "kokoro:af_sky")] + [None]
    monkeypatch.setattr(synthesis, "speak_batch", lambda work, jobs: spoken)
    runs_on, natural, failed = synthesis.speak_filled(tmp_path, [])
    assert runs_on is None and failed is None
    paused = clip((0.01, 0.7), (0.9, 1.3), (1.4, 1.6))   # before the filler, and in a later word
    assert with_silences(paused, entry("festival:kal_diphone", paused, (0.7, 0.9), 0.4, 0.7, 0.7, 1.2, 1.6)) is None
    _, meta = natural   # broken off where its words are known to end
    (before, _), (after, _, split) = meta["before_filler"], meta["gap"]
    assert split == 3 and meta["words"][1] == before and meta["words"][2] == after
    assert abs(before - 0.7 * RATE) < 0.06 * RATE and abs(after - 0.9 * RATE) < 0.06 * RATE


def test_nothing_is_due_until_a_request_with_a_filler_is_over(filled, monkeypatch):
    share(monkeypatch, 1)
    generator = Generator(filled, 0, turns=60, mix=Mix(augment=True, echo=0, late=False))
    assert len(generator.bank.with_filler["name"]) == 1 and all(m["text"] != TEXT for m in generator.bank.by_key["name"])
    monkeypatch.setattr(generator.user, "television", lambda *_: None)
    long = set()
    for _ in range(30):
        d = generator.dialogue([("name", "none")], camera=False)
        event = next(e for e in d.events if e["type"] == "user")
        due = OUTPUTS * reply_turn(event["end"])
        assert event["text"] == TEXT and (d.control[:due] == LISTEN).all() and not d.text[:due].any() and d.text[due]
        assert [domain.VOCABULARY[t] for t in d.heard if t] == domain.words(TEXT)
        assert len(event["pauses"]) == 2 and event["pauses"][0][1] < event["pauses"][1][0]
        for i, (a, b) in enumerate(event["pauses"]):
            assert not d.user[a + 400:b - 400].any() and d.user[a - 800:a].any() and d.user[b:b + 800].any()
            if b - a > REPLY_AFTER + TURN:
                long.add(i)
                assert (d.weight[OUTPUTS * reply_turn(a):OUTPUTS * (b // TURN):OUTPUTS] == DECISION).all()
        said = d.spoken[d.spoken > 0]
        assert [domain.VOCABULARY[t] for i, t in enumerate(said) if i == 0 or t != said[i - 1]] == domain.words(TEXT)
    assert long == {0, 1}


def test_the_recipe_says_how_many_requests_have_one_and_it_is_said_in_the_voice_that_is_asked_for(filled, monkeypatch):
    said = Generator(filled, 1).user

    def heard(fillers: float) -> int:
        share(monkeypatch, fillers)
        return sum(said.clip("name")[1]["text"] == TEXT for _ in range(300))
    assert heard(0) == 0 and 30 < heard(0.2) < 90 and heard(1) == 300
    assert said.filled("name", "tone")["text"] == TEXT and said.filled("name", "espeak:m1") is None and said.filled("how", None) is None
    said.augment = False   # as in evaluation
    assert heard(1) == 0
