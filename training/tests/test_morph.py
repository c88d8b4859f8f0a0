"""Voices that become others."""
import json

import numpy as np
import pytest

from microturn_training import morph
from microturn_training.sound import RATE
from microturn_training.synthesis import save

pytest.importorskip("pyworld")


def vowel(pitch: float, formant: float, seconds: float = 0.8) -> np.ndarray:
    """A buzz through one resonance."""
    at = np.arange(int(seconds * RATE)) / RATE
    harmonics = np.arange(1, int(7000 / pitch))
    level = 1 / (1 + ((harmonics * pitch - formant) / 120) ** 2)
    return 0.3 * (np.sin(2 * np.pi * pitch * harmonics * at[:, None]) * level).sum(1).astype(np.float32) / level.sum()


def strongest(x: np.ndarray, low: float, high: float) -> float:
    """The frequency between two at which a sound is strongest, Hz."""
    spectrum = np.abs(np.fft.rfft(x * np.hanning(len(x)), 1 << 16))
    hz = np.fft.rfftfreq(1 << 16, 1 / RATE)
    inside = (hz > low) & (hz < high)
    return float(hz[inside][spectrum[inside].argmax()])


def test_formants_and_pitch_move_and_the_time_does_not():
    x = vowel(110, 1100)
    y = morph.changed(x, morph.Throat(formants=1.18, pitch=100, melody=1, breath=1))
    assert y.shape == x.shape and y.dtype == np.float32
    assert strongest(x, 500, 3000) == pytest.approx(1100, abs=20)
    assert strongest(y, 500, 3000) == pytest.approx(1300, abs=60)   # a harmonic of 100 Hz near 1.18 times 1100
    assert strongest(y, 60, 140) == pytest.approx(100, abs=5)


def test_a_throat_is_the_same_whenever_it_is_asked_and_another_for_another_voice():
    throats = {morph.throat(f"morph:espeak:m{i}~0") for i in range(200)}
    assert morph.throat("morph:a~0") == morph.throat("morph:a~0") and len(throats) == 200
    assert min(t.formants for t in throats) < 0.9 and max(t.formants for t in throats) > 1.12


def test_silence_becomes_no_clip(tmp_path):
    meta = {"key": "greet", "text": "hello", "voice": "tone", "held": False, "length": 8000, "words": [7840], "gap": None}
    save(tmp_path, "bank-train", [(np.zeros(8000, np.int16), meta), ((vowel(120, 900, 0.5) * 32767).astype(np.int16), meta)])
    nothing, clip = morph.said_again(tmp_path, morph.plan(tmp_path))
    assert nothing is None and clip[1] == meta | {"voice": "morph:tone~0"} and len(clip[0]) == 8000


def test_a_bank_of_other_throats_is_made_of_the_banks_that_are_there(tmp_path, monkeypatch):
    meta = {"key": "greet", "text": "hello", "voice": "tone", "held": False, "length": 8000, "words": [7840], "gap": None}
    save(tmp_path, "bank-train", [((vowel(100 + 5 * i, 900, 0.5) * 32767).astype(np.int16), meta) for i in range(5)])
    monkeypatch.setattr("sys.argv", ["morph", str(tmp_path)])
    for _ in range(2):   # anew each time
        morph.main()
        assert [m["voice"] for m in json.loads((tmp_path / "bank-morph.json").read_text())] == ["morph:tone~0"] * 5


def test_the_assistant_becomes_only_users_far_from_it():
    throats = [morph.throat(f"morph:flite:slt~{i}") for i in range(200)]
    assert max(t.formants for t in throats) < 0.9 and max(t.pitch for t in throats) < 160


def test_of_the_synthetic_bank_only_recorded_voices_are_said_again(tmp_path):
    meta = {"key": "greet", "text": "hello", "voice": "espeak:m3", "held": False, "length": 800, "words": [640], "gap": None}
    save(tmp_path, "bank-train", [(np.zeros(800, np.int16), meta | {"voice": voice}) for voice in ("espeak:m3", "flite:awb", "espeak:f2", "festival:kal_diphone")])
    save(tmp_path, "bank-slt", [(np.zeros(800, np.int16), meta | {"voice": "flite:slt"})])
    jobs = morph.plan(tmp_path)
    assert len(morph.plan(tmp_path, 1 / 3000)) == 2   # one of each bank
    assert [(bank, start, label) for bank, start, _, label in jobs] == [
        ("bank-train", 800, "morph:flite:awb~0"), ("bank-train", 2400, "morph:festival:kal_diphone~0"), ("bank-slt", 0, "morph:flite:slt~0")]
