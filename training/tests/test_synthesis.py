"""Which clips are made, and that a call that was stopped goes on."""
import json
import random
import shutil

import numpy as np
import pytest

from microturn_training import domain, foreign, kokoro, synthesis, voices


class Pool:
    """Does the work itself."""
    imap = staticmethod(map)


def test_every_few_natural_sentences_have_a_voice_of_their_own_made_of_training_voices_only():
    jobs = synthesis.plan_natural(random.Random(3), synthesis.domain.keys())
    runs = [jobs[i:i + kokoro.SENTENCES] for i in range(0, len(jobs), kokoro.SENTENCES)]
    assert all(len({job[2] for job in run}) == 1 for run in runs)
    assert len({run[0][2].name for run in runs}) > 0.9 * len(runs)
    assert {part for job in jobs for part in job[2].name.split("+")} <= set(voices.KOKORO_TRAIN)
    assert {job[0] for job in jobs} == set(synthesis.domain.keys()) and not any(job[3] for job in jobs)


def test_batches_hold_every_job_once_and_one_voice_where_a_call_has_one():
    jobs = synthesis.plan_training(random.Random(1), synthesis.domain.keys())
    found = synthesis.batches(jobs)
    assert sorted(map(str, jobs)) == sorted(str(job) for batch in found for job in batch)
    for batch in found:
        assert {job[2].engine for job in batch} <= {"espeak", "flite"} or len({job[2].name for job in batch}) == 1


def test_what_was_made_before_a_stop_is_not_made_again(tmp_path, monkeypatch):
    jobs = [(f"digit:{i % 10}", str(i), voices.Voice("espeak", "en+f1"), False, 0) for i in range(500)]
    spoken: list[str] = []

    def speak(work, batch):
        if len(spoken) == 300:
            raise KeyboardInterrupt
        spoken.extend(job[1] for job in batch)
        return [(np.full(3, int(job[1]), np.int16), {"text": job[1]}) if job[1] != "7" else None for job in batch]

    monkeypatch.setattr(synthesis, "speak_batch", speak)
    with pytest.raises(KeyboardInterrupt):
        synthesis.make(tmp_path, "bank", jobs, Pool)
    assert not (tmp_path / "bank.json").exists()
    monkeypatch.setattr(synthesis, "speak_batch", lambda work, batch: [(np.full(3, int(job[1]), np.int16), {"text": job[1]}) for job in batch])
    synthesis.make(tmp_path, "bank", jobs, Pool)
    texts = [meta["text"] for meta in json.loads((tmp_path / "bank.json").read_text())]
    assert sorted(texts, key=int) == [str(i) for i in range(500) if i != 7]
    assert (np.load(tmp_path / "bank.npy") == np.repeat([int(t) for t in texts], 3)).all() and not (tmp_path / "bank.parts").exists()


def test_parts_of_other_jobs_are_not_taken_for_these(tmp_path, monkeypatch):
    voice = synthesis.Voice("flite", "awb")
    job = lambda text: ("greet", text, voice, False, 0)   # noqa: E731
    monkeypatch.setattr(synthesis, "speak_batch", lambda work, batch: [(np.full(3, int(job[1]), np.int16), {"text": job[1]}) for job in batch])
    with monkeypatch.context() as stopped:
        stopped.setattr(synthesis, "save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            synthesis.make(tmp_path, "bank", [job("1")], Pool)
    assert (tmp_path / "bank.parts" / "0000.pickle").exists()
    synthesis.make(tmp_path, "bank", [job("2")], Pool)
    assert [m["text"] for m in synthesis.index(tmp_path, "bank")] == ["2"]


def test_a_bank_gets_the_clips_of_requests_that_are_new(tmp_path):
    clip = lambda n, key: (np.full(n, n, np.int16), {"key": key, "length": n})   # noqa: E731
    synthesis.save(tmp_path, "bank", [clip(3, "greet")])
    synthesis.save(tmp_path, "bank", [clip(5, "tale"), clip(7, "fin")])
    assert [m["key"] for m in synthesis.index(tmp_path, "bank")] == ["greet", "tale", "fin"]
    assert np.load(tmp_path / "bank.npy").tolist() == [3] * 3 + [5] * 5 + [7] * 7
    assert synthesis.index(tmp_path, "none") == []


def test_only_requests_that_a_bank_lacks_are_made(tmp_path, monkeypatch):
    known = {key.partition(":")[0] for key in synthesis.domain.keys()} - {"fix"}
    answers = [(np.zeros(1, np.int16), {"key": k, "text": t, "length": 1}) for k, t in synthesis.domain.answers().items()]
    synthesis.save(tmp_path, "bank-assistant", answers)
    for name in synthesis.PLANS:
        synthesis.save(tmp_path, name, [(np.zeros(1, np.int16), {"key": key, "length": 1}) for key in sorted(known)])
    made = {}
    monkeypatch.setattr(synthesis, "make", lambda folder, name, jobs, pool: made.setdefault(name, {job[0] for job in jobs}))
    monkeypatch.setattr(synthesis.kokoro, "fetch", lambda folder: None)
    monkeypatch.setattr(synthesis, "programs", lambda: {"pico": 2})
    monkeypatch.setattr(synthesis.phones, "write", lambda folder: None)
    monkeypatch.setattr("sys.argv", ["synthesis", str(tmp_path)])
    synthesis.main()
    fixes = {f"fix:{i}" for i in range(10)}
    assert made == {name: fixes for name in synthesis.PLANS if name not in ("bank-foreign", "bank-train-filler")}   # sentences about anything; requests alone


def test_sentences_about_anything_are_no_requests_and_none_kept_for_evaluation():
    rng = random.Random(4)
    texts = {foreign.sentence(rng) for _ in range(2000)}
    assert len(texts) > 1800
    assert not texts & set(domain.OUT_OF_DOMAIN_HELD) and not any(domain.is_request(text) for text in texts)
    known = set(domain.vocabulary())
    words = [w for text in texts for w in text.split()]
    assert 0.2 < sum(w not in known for w in words) / len(words) < 0.8   # most of what is said somewhere has words that mini does not know


def test_less_of_a_bank_has_all_requests_and_all_kinds_of_voices():
    jobs = synthesis.plan_training(random.Random(1), synthesis.domain.keys())
    less = synthesis.thinned(jobs, 0.25)
    assert len(less) == len(jobs) // 4 and {job[0] for job in less} == {job[0] for job in jobs}
    assert {job[2].engine for job in less} == set(synthesis.ENGINES) and synthesis.thinned(jobs, 1.0) == jobs and synthesis.thinned(jobs, 0) == []
    natural = synthesis.plan_natural(random.Random(3), synthesis.domain.keys())
    assert synthesis.thinned(natural, 0.1) == natural[:round(len(natural) / 10)]   # whole runs of one voice
    mixed = [natural[0], *jobs]
    assert {job[0] for job in synthesis.thinned(mixed, 0.25)} == {job[0] for job in jobs}


@pytest.mark.parametrize("argument", ["bank-natural", "bank-natural=", "bank-natural=2", "bank-natural=-1", "bank-none=0.5", "bank-natural=nan"])
def test_a_share_that_is_none_is_an_error_that_names_the_banks(argument):
    with pytest.raises(synthesis.argparse.ArgumentTypeError, match="bank-train, bank-held"):
        synthesis.share(argument)
    assert synthesis.share("bank-natural=0.2") == ("bank-natural", 0.2)


def test_where_the_programs_of_other_voices_are_not_there_their_clips_are_left_out_and_it_is_said(monkeypatch, capsys):
    monkeypatch.setattr(synthesis.shutil, "which", lambda program: None)
    synthesis.programs.cache_clear()
    assert synthesis.plan_more(random.Random(1), ["greet", "ood"]) == []
    assert {job[2].engine for job in synthesis.plan_foreign(random.Random(1), ["ood"])} == {"espeak", "flite", "festival"}
    said = capsys.readouterr().out
    assert said.count("is not there") == 2 and "rhvoice" in said and "pico" in said   # said once
    synthesis.programs.cache_clear()
    monkeypatch.undo()


def test_rhvoice_is_not_used_without_its_voices_for_it_would_speak_with_another(monkeypatch, tmp_path):
    monkeypatch.setattr(synthesis.shutil, "which", lambda program: "/usr/bin/" + program)
    monkeypatch.setattr(synthesis, "RHVOICE_VOICES", tmp_path)
    for name in voices.RHVOICE_TRAIN:
        synthesis.programs.cache_clear()
        assert "rhvoice" not in synthesis.programs()
        (tmp_path / name).mkdir()
    synthesis.programs.cache_clear()
    assert synthesis.programs() == {"rhvoice": 3, "pico": 2}
    synthesis.programs.cache_clear()


def test_a_bank_whose_clips_all_fail_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(synthesis, "speak_batch", lambda work, batch: [None] * len(batch))
    synthesis.make(tmp_path, "bank", [("greet", "hello", voices.Voice("pico", "en-US"), False, 0)], Pool)
    assert synthesis.index(tmp_path, "bank") == []


def test_an_empty_recording_has_no_words_and_spoils_nothing():
    pytest.importorskip("pocketsphinx")
    aligner = synthesis.Aligner()
    assert aligner.words(np.zeros(0, np.float32), "hello") is None
    assert aligner.words(np.zeros(800, np.float32), "hello") is None


@pytest.mark.parametrize("program, voice", [("RHVoice-test", voices.Voice("rhvoice", "bdl", 1.1, 90)), ("pico2wave", voices.Voice("pico", "en-GB", 0.9, 110))])
def test_words_of_programs_that_do_not_tell_where_they_end_are_found(program, voice, tmp_path):
    if not shutil.which(program):
        pytest.skip(f"{program} is not there")
    pytest.importorskip("pocketsphinx")
    x, meta = synthesis.single(("sum:2,3", "what is two plus three", voice, False, 0))
    ends = meta["words"]
    assert len(ends) == 5 and ends == sorted(set(ends)) and ends[-1] == len(x) - synthesis.TAIL
    assert all(700 < b - a < 16000 for a, b in zip(ends, ends[1:]))
