"""Which clips a bank has, and how often."""
import json
from collections import Counter

import numpy as np
import pytest

from microturn_training.bank import Bank, even_digits


@pytest.fixture()
def voices(tmp_path):
    clips = [{"key": "greet", "text": "hi", "voice": voice, "held": False, "length": 4, "gap": None, "words": [4]} for voice in ("espeak:m1", "kokoro:af_sky", "morph:flite:awb~0")]
    np.save(tmp_path / "bank-train.npy", np.arange(12, dtype=np.int16))
    (tmp_path / "bank-train.json").write_text(json.dumps(clips))
    return tmp_path


def test_clips_are_listed_as_often_as_their_kind_of_voice_is_wanted(voices):
    def listed(**copies) -> dict[str, int]:
        return dict(Counter(meta["voice"] for meta in Bank(voices, "bank-train", copies=copies).by_key.get("greet", [])))
    assert listed() == {"espeak:m1": 1, "kokoro:af_sky": 1, "morph:flite:awb~0": 1}
    assert listed(kokoro=6, morph=2, flite=5) == {"espeak:m1": 1, "kokoro:af_sky": 6, "morph:flite:awb~0": 2}
    assert listed(espeak=0) == {"kokoro:af_sky": 1, "morph:flite:awb~0": 1}
    assert "greet" not in Bank(voices, "bank-train", copies={"espeak": 0, "kokoro": 0, "morph": 0}).by_key   # a key that nobody says is none


def test_a_clip_that_is_listed_often_or_after_one_that_is_not_has_its_own_sound(voices):
    bank = Bank(voices, "bank-train", copies={"espeak": 0, "kokoro": 3})
    for meta in bank.by_key["greet"]:
        first = 4 if meta["voice"] == "kokoro:af_sky" else 8
        np.testing.assert_allclose(bank.wave(meta) * 32767, np.arange(first, first + 4), rtol=1e-5)


def test_digits_that_few_people_say_are_listed_as_often_as_the_others():
    def clips(**counts) -> list[dict]:
        return [{"voice": f"{voice}:{i}"} for voice, count in counts.items() for i in range(count)]
    by_key = {"digit:1": clips(speech_commands=5, an4=2, espeak=9), "digit:7": clips(an4=3, espeak=20), "digit:9": clips(espeak=4), "stop": clips(an4=1)}
    even_digits(by_key)
    said = {key: Counter(meta["voice"] for meta in listed) for key, listed in by_key.items()}
    assert {key: sum(n for voice, n in some.items() if not voice.startswith("espeak")) for key, some in said.items()} == {"digit:1": 7, "digit:7": 7, "digit:9": 0, "stop": 1}
    assert {n for voice, n in said["digit:7"].items() if voice.startswith("an4")} == {2, 3}
    assert all(n == 1 for some in said.values() for voice, n in some.items() if voice.startswith("espeak"))
