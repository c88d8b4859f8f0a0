"""Arithmetic on a clip: 16 kHz, one channel, float32 in -1..1."""
from __future__ import annotations

import wave

import numpy as np
from scipy.signal import resample_poly

RATE = 16000
TAIL = 160            # samples kept after the last audible one


def read_wav(path: str) -> np.ndarray:
    with wave.open(path) as f:
        rate, x = f.getframerate(), np.frombuffer(f.readframes(f.getnframes()), "<i2").astype(np.float32) / 32768
    return resample_poly(x, RATE, rate).astype(np.float32) if rate != RATE else x


def loudness(x: np.ndarray) -> np.ndarray:
    """Mean magnitude over 10 ms, one value per sample."""
    return np.convolve(np.abs(x), np.ones(160, np.float32) / 160, "same")


def stretches(holds: np.ndarray, least: float) -> list[tuple[int, int]]:
    """Where something holds for at least so many seconds: from sample to sample."""
    steps = np.diff(np.concatenate([[0], holds.astype(np.int8), [0]]))
    found = zip(np.flatnonzero(steps == 1), np.flatnonzero(steps == -1))
    return [(int(a), int(b)) for a, b in found if b - a >= least * RATE]


def audible(x: np.ndarray) -> tuple[int, int]:
    """From 10 ms before the first to 10 ms after the last audible sample (34 dB below the loudest 10 ms)."""
    e = loudness(x)
    k = np.flatnonzero(e > 0.02 * e.max())
    if len(k) == 0:
        raise ValueError("clip is silent")
    return max(0, int(k[0]) - TAIL), int(k[-1]) + TAIL


def trim(x: np.ndarray) -> np.ndarray:
    a, b = audible(x)
    return x[a:b]


def scale(x: np.ndarray, rms: float) -> np.ndarray:
    """Scales so that the samples above 2 % of the peak have the given RMS."""
    active = x[np.abs(x) > 0.02 * np.abs(x).max()]
    return x * (rms / np.sqrt((active ** 2).mean()))


def to_int16(x: np.ndarray) -> np.ndarray:
    return np.clip(np.round(x * 32767), -32768, 32767).astype(np.int16)
