"""dMel: log-mel energies quantised to 16 levels. The two presets of `docs/models.md`, in numpy, for whole signals.

Both are causal: the signal is padded on the left by `window - hop`, so frame k is complete with sample `hop * (k + 1)`.
Source of `dmel-20`: the published Inkling front end; of the mel scale: Slaney's Auditory Toolbox.
"""
from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import scipy.fft

BINS, LEVELS, RATE = 80, 16, 16000


def mel_filters(fft_size: int, rate: int = RATE, bins: int = BINS, warp: float = 1.0) -> np.ndarray:
    """Slaney mel triangles with Slaney area norm from 0 Hz to rate / 2, shape `[fft_size // 2 + 1, bins]`.

    `warp` moves every frequency to `warp` times itself, up to 0.6 of the highest, and what is above into the rest."""
    def to_mel(hz):
        return np.where(hz < 1000, 3 * hz / 200, 15 + 27 * np.log(np.maximum(hz, 1e-9) / 1000) / np.log(6.4))
    mel = np.linspace(0, to_mel(np.float64(rate / 2)), bins + 2)
    edge = np.where(mel < 15, 200 * mel / 3, 1000 * np.exp(np.log(6.4) * (mel - 15) / 27))
    hz = np.arange(fft_size // 2 + 1)[:, None] * rate / fft_size
    if warp != 1:
        top = rate / 2
        hz = np.interp(hz, [0, 0.6 * top / max(warp, 1), top], [0, 0.6 * top * min(warp, 1), top])
    low, mid, high = edge[:-2], edge[1:-1], edge[2:]
    return np.maximum(0, np.minimum((hz - low) / (mid - low), (high - hz) / (high - mid))) * 2 / (high - low)


@cache
def _filters(fft_size: int, dtype: type, warp: float) -> np.ndarray:
    return mel_filters(fft_size, warp=warp).astype(dtype)


@dataclass(frozen=True)
class Preset:
    window: int
    hop: int
    fft_size: int
    low: float    # log10 magnitude of level 0
    step: float   # log10 magnitude between levels

    @cached_property
    def _window(self) -> np.ndarray:
        return np.hanning(self.window + 1)[:-1]

    @cached_property
    def thresholds(self) -> np.ndarray:
        """The mel magnitudes between levels; a value equal to one belongs to the lower level."""
        return 10.0 ** (self.low + self.step * (np.arange(LEVELS - 1) + 0.5))

    def mel(self, x: np.ndarray, dtype=np.float32, warp: float = 1.0) -> np.ndarray:
        """Mel magnitudes `[frames, 80]` of a whole signal, frames = ceil(samples / hop), its frequencies moved by `warp`."""
        frames = -(-len(x) // self.hop)
        padded = np.zeros((frames - 1) * self.hop + self.window, dtype)
        padded[self.window - self.hop: self.window - self.hop + len(x)] = x
        cut = np.lib.stride_tricks.sliding_window_view(padded, self.window)[::self.hop]
        spectrum = scipy.fft.rfft(cut * self._window.astype(dtype), self.fft_size, axis=1)
        magnitude = np.sqrt(np.maximum(spectrum.real ** 2 + spectrum.imag ** 2, dtype(1e-10)))
        return np.maximum(magnitude @ _filters(self.fft_size, dtype, warp), dtype(1e-10))

    def levels(self, x: np.ndarray, dtype=np.float32, warp: float = 1.0) -> np.ndarray:
        """Levels 0 .. 15, uint8 `[frames, 80]`."""
        return np.searchsorted(self.thresholds, self.mel(x, dtype, warp).astype(np.float64), side="left").astype(np.uint8)


DMEL_20 = Preset(window=1600, hop=800, fft_size=1600, low=-7.0, step=0.6)
DMEL_SPEECH = Preset(window=800, hop=400, fft_size=1024, low=-4.0, step=0.3)
