"""dMel against the published golden vector (an integer-only signal and its SHA-256)."""
import hashlib

import numpy as np

from microturn_training.dmel import DMEL_20, DMEL_SPEECH


def golden_signal() -> np.ndarray:
    x, s = np.zeros(160000, np.int64), 12345
    noise = np.empty(160000, np.int64)
    for i in range(160000):
        s = (1103515245 * s + 12345) % 2 ** 31
        noise[i] = (s >> 15) - 32768
    x[:32000] = noise[:32000]
    x[32000:64000] = noise[32000:64000] >> 6
    x[64000:80000] = noise[64000:80000] >> 14
    phase = 0
    for i in range(48000):
        phase = (phase + 65536 * (40 + 7900 * i // 48000) // 16000) % 65536
        t = phase if phase < 32768 else 65536 - phase
        x[96000 + i] = max(-32768, min(32767, 2 * (t - 16384) - 1))
    for i in range(8000):
        x[144000 + i] = 32767 if (440 * i // 16000) % 2 == 0 else -32768
    x[152000:] = 8192
    return x.astype(np.int16)


def test_dmel_20_equals_the_golden_codes():
    pcm = golden_signal()
    assert hashlib.sha256(pcm.astype("<i2").tobytes()).hexdigest() == \
        "22bf09aa2ffcdfbb23f00c8de5ab61e36ddf2ec2a15f06435a0b3228aa75936e"
    codes = DMEL_20.levels(pcm / np.float64(32768), np.float64)
    assert codes.shape == (200, 80)
    assert hashlib.sha256(codes.tobytes()).hexdigest() == \
        "428f9c17b39829fd74e44da4145b2f9aaddbb532a9ef3d6902f5c4eb86fbdca6"


def test_single_precision_differs_in_less_than_one_code_of_ten_thousand():
    x = golden_signal() / np.float64(32768)
    assert (DMEL_20.levels(x.astype(np.float32)) != DMEL_20.levels(x, np.float64)).mean() < 1e-4


def test_dmel_speech_is_level_zero_in_silence_and_causal():
    x = np.zeros(8000, np.float32)
    x[4000:] = np.random.default_rng(0).normal(0, 0.1, 4000)
    levels = DMEL_SPEECH.levels(x)
    assert levels.shape == (20, 80)
    assert levels[:10].max() == 0 and levels[10].max() > 0


def test_warping_moves_a_tone_to_another_frequency():
    def peak(hz: float, warp: float = 1.0) -> int:
        x = 0.3 * np.sin(2 * np.pi * hz * np.arange(16000) / 16000)
        return int(DMEL_20.mel(x.astype(np.float32), warp=warp)[10:].sum(0).argmax())
    for warp in (0.86, 1.0, 1.16):
        for hz in (500, 1500, 3000):
            assert abs(peak(hz, warp) - peak(hz * warp)) <= 1
    assert peak(7900, 1.16) >= 78 and peak(7900, 0.86) >= 78   # nothing leaves the band
