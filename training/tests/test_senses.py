"""What the microphone adds to a dialogue, on a bank of tones."""
import numpy as np
import pytest
import scipy.signal

from microturn_training import senses
from microturn_training.dialogue import Dialogue, Generator, Mix
from microturn_training.recipe import MINI, load


def test_bands_of_frequencies_are_silenced_for_a_while_in_one_dialogue_of_three(bank):
    generator = Generator(bank, 3)
    masked, highest = 0, 0
    for _ in range(300):
        levels = np.full((320, 80), 7, np.uint8)
        generator.microphone.mask_bands(levels)
        assert set(np.unique(levels)) <= {0, 7}
        frames, bins = np.nonzero(levels == 0)
        if len(bins) == 0:
            continue
        masked += 1
        highest = max(highest, bins.max())
        for frame in np.unique(frames):   # one or two bands of 3 to 11 bins
            edges = np.flatnonzero(np.diff(np.concatenate([[7], levels[frame], [7]]).astype(int)))
            assert len(edges) in (2, 4) and all(3 <= b - a <= 22 for a, b in edges.reshape(-1, 2))
        for bin in np.unique(bins):       # each for one stretch of time
            assert len(np.flatnonzero(np.diff((levels[:, bin] == 0).astype(int)))) <= 4
    assert 70 < masked < 130 and highest == 79


def test_without_augmentation_no_band_is_silenced(bank):
    generator = Generator(bank, 0, mix=Mix(augment=False, snr_db=None, echo=0, late=False))
    d = generator.dialogue([("bye", "none")], camera=False)
    generator.microphone.mask_bands = lambda levels: pytest.fail("a band was silenced")
    generator.example(d)


def noise_between(generator: Generator, d: Dialogue, low: float, high: float) -> float:
    """Noise of a band in the microphone against the user's level, dB."""
    d.user[:] = 0
    band = scipy.signal.butter(8, (low, high), "bandpass", fs=16000, output="sos")
    return 20 * np.log10(np.sqrt((scipy.signal.sosfilt(band, generator.microphone.sound(d)) ** 2).mean()) / (0.08 * d.level))


def test_noise_is_measured_against_the_user_of_its_own_dialogue(bank):
    generator = Generator(bank, 3, "bank-train", mix=Mix(augment=True, snr_db=10, echo=0))
    dialogues = [generator.dialogue() for _ in range(6)]   # all before the first microphone, as in a batch
    assert len({d.level for d in dialogues}) == 6
    for d in dialogues:
        assert abs(noise_between(generator, d, 300, 3400) + 10) < 0.5


def test_a_near_mouth_leaves_the_lowest_frequencies_and_weakens_the_others_by_so_many_db():
    gain = 20 * np.log10(senses.near(np.array([0.0, 100.0, 300.0, 8000.0]), 300, 12))
    assert gain[0] == 0 and -2.5 < gain[1] < -1 and gain[2] == pytest.approx(-7.9, abs=0.1) and gain[3] == pytest.approx(-12, abs=0.1)


def test_the_microphone_is_near_in_so_many_dialogues(bank, monkeypatch):
    asked = []
    real = senses.near
    monkeypatch.setattr(senses, "near", lambda hz, knee, depth: asked.append((knee, depth)) or real(hz, knee, depth))
    generator = Generator(bank, 4, "bank-train", mix=Mix(echo=0))
    for _ in range(200):
        generator.microphone.sound(Dialogue(2, False))
    assert 15 < len(asked) < 45 and all(180 <= knee <= 400 and 3 <= depth <= 12 for knee, depth in asked)
    asked.clear()
    Generator(bank, 4, "bank-train", mix=Mix(augment=False, snr_db=20)).microphone.sound(Dialogue(2, False))
    assert not asked


def test_frequencies_are_moved_in_some_dialogues_and_never_where_the_assistant_leaks_in(bank, monkeypatch):
    monkeypatch.setattr(senses, "RECIPE", load(MINI.parent / "ablations" / "harder.toml"))

    def warps(**mix) -> list[float]:
        generator = Generator(bank, 4, "bank-train", mix=Mix(**mix))
        out = []
        for _ in range(60):
            generator.microphone.sound(Dialogue(4, False))
            out.append(generator.microphone.warp())
        return out
    moved = [w for w in warps(echo=0) if w != 1]
    assert 20 < len(moved) < 50 and min(moved) >= 0.86 and max(moved) <= 1.16
    assert set(warps(echo=1)) == {1.0} and set(warps(augment=False)) == {1.0}


def test_an_example_is_heard_with_its_frequencies_moved(bank, monkeypatch):
    def audio(warp: float) -> np.ndarray:
        generator = Generator(bank, 4, "bank-train", mix=Mix(echo=0))
        monkeypatch.setattr(generator.microphone, "warp", lambda: warp)
        monkeypatch.setattr(generator.microphone, "mask_bands", lambda levels: None)
        return generator.example(generator.dialogue())["audio"]
    assert (audio(1.0) == audio(1.0)).all() and (audio(1.0) != audio(1.16)).any()
