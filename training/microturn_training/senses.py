"""What reaches the model of a dialogue: the sound of a microphone in a room, and the pictures of a camera."""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.fft

from . import domain
from .dmel import DMEL_20
from .recipe import RECIPE
from .sound import RATE

if TYPE_CHECKING:
    from .dialogue import Dialogue, Mix

IMAGE = (40, 39, 3)


class Microphone:
    """Makes sound worse: room, telephone, a mouth too near, the assistant's own voice, noise, other throats, silenced bands."""

    def __init__(self, random: np.random.Generator, mix: Mix):
        self.random, self.mix = random, mix
        self._leaks = False   # the assistant's voice, in the last sound
        self._noise = (random.standard_normal(1 << 21) + 1j * random.standard_normal(1 << 21)).astype(np.complex64)

    def levels(self, d: Dialogue) -> np.ndarray:
        """The dMel levels of a dialogue as the model hears it, uint8 `[frames, 80]`."""
        levels = DMEL_20.levels(self.sound(d), warp=self.warp())
        if self.mix.augment:
            self.mask_bands(levels)
        return levels

    def sound(self, d: Dialogue) -> np.ndarray:
        """The sound that reaches the model, float32 `[samples]`."""
        r, n = self.random, len(d.user)
        self._leaks = False
        if not self.mix.augment and self.mix.snr_db is None:
            return d.user
        size = scipy.fft.next_fast_len(n + RATE // 2, real=True)
        hz = np.linspace(0, 8000, size // 2 + 1, dtype=np.float32)
        knots = np.linspace(0, 8000, 9)
        response = np.ones_like(hz)
        spectrum = scipy.fft.rfft(d.user, size)
        if self.mix.augment:
            db = np.linspace(-1, 1, 9) * r.uniform(-5, 5) + r.normal(0, 1.5, 9)
            response = 10 ** (np.interp(hz, knots, db).astype(np.float32) / 20)
            if r.random() < RECIPE.microphone.telephone:
                response = response * np.where((hz > r.uniform(150, 350)) & (hz < r.uniform(3200, 3900)), 1, 1e-3).astype(np.float32)
            if r.random() < RECIPE.microphone.room:
                decay = r.uniform(0.03, 0.12) * RATE
                tail = int(5 * decay)
                room = r.standard_normal(tail).astype(np.float32) * np.exp(-np.arange(tail, dtype=np.float32) / decay)
                room *= r.uniform(0.1, 0.5) / np.sqrt((room ** 2).sum())
                room[0] = 1
                spectrum *= scipy.fft.rfft(room, size)
            if r.random() < RECIPE.microphone.near:
                response = response * near(hz, r.uniform(180, 400), r.uniform(3, 12)).astype(np.float32)
            spectrum *= response
            self._leaks = r.random() < self.mix.echo
            if self._leaks:
                played = np.roll(d.played[:n], int(r.uniform(0, 0.1) * RATE))
                spectrum += scipy.fft.rfft(played, size) * (response * np.float32(10 ** (r.uniform(-35, -15) / 20)))
        out = scipy.fft.irfft(spectrum, size)[:n]
        snr = self.mix.snr_db
        if snr is None:
            kind, m = r.random(), RECIPE.microphone
            snr = np.inf if kind < m.quiet else r.uniform(*(m.faint_snr if kind < m.quiet + m.faint else m.snr))
        if np.isfinite(snr):
            db = -10 * r.uniform(0, 2) * np.log10(np.maximum(hz, 60) / 60) + np.interp(hz, knots, r.normal(0, 3, 9))
            offset = int(r.integers(len(self._noise) - len(hz)))
            colored = self._noise[offset: offset + len(hz)] * 10 ** (db.astype(np.float32) / 20)
            noise, loudness = scipy.fft.irfft(colored, size)[:n], rms_between(colored, size, 300, 3400)
            if self.mix.augment and r.random() < 0.5:
                swing = np.interp(np.arange(n), np.linspace(0, n, 40), 10 ** (r.normal(0, 4, 40) / 20))
                noise = noise * (swing / np.sqrt((swing ** 2).mean())).astype(np.float32)
            level = d.level * 0.08 * 10 ** (-snr / 20)
            out = out + noise * np.float32(level / loudness)
        return np.clip(np.round(out * 32768), -32768, 32767).astype(np.float32) / 32768

    def warp(self) -> float:
        """By what the frequencies of a dialogue are moved: throats of other lengths than the voices of the bank have, at their own speed.
        Not where the assistant's voice leaks in: that is always its own.

        After Jaitly and Hinton 2013, "Vocal Tract Length Perturbation (VTLP) improves speech recognition".
        """
        r = self.random
        warped = self.mix.augment and not self._leaks and r.random() < RECIPE.microphone.warped
        return round(r.uniform(*RECIPE.microphone.warp), 2) if warped else 1.0

    def mask_bands(self, levels: np.ndarray) -> None:
        """Silences up to two bands of frequencies for a while in one dialogue of three, so that no word hangs on one of them.

        After Park et al. 2019, "SpecAugment: A Simple Data Augmentation Method for Automatic Speech Recognition",
        arXiv:1904.08779, where a band is silent from beginning to end.
        """
        r = self.random
        if r.random() >= RECIPE.microphone.masked:
            return
        for _ in range(r.integers(1, 3)):
            width = int(r.integers(3, 12))
            low = int(r.integers(0, levels.shape[1] - width + 1))
            first, last = sorted(int(at) for at in r.integers(0, len(levels) + 1, 2))
            levels[first:last, low:low + width] = 0


def rms_between(spectrum: np.ndarray, size: int, low: float, high: float) -> float:
    """The RMS of what a real signal of `size` samples has between two frequencies, Hz, from its spectrum (`rfft`)."""
    first, last = (round(hz * size / RATE) for hz in (low, high))
    return float(np.sqrt(2 * (np.abs(spectrum[first:last]) ** 2).sum()) / size)


def near(hz: np.ndarray, knee: float, depth: float) -> np.ndarray:
    """The gain of a microphone at the mouth (proximity effect) at each frequency: 1 for the lowest, down by `depth` dB well above `knee` Hz."""
    return 1 / (1 + (10 ** (depth / 20) - 1) * hz ** 2 / (hz ** 2 + knee ** 2))


def cough(random: np.random.Generator) -> np.ndarray:
    """One to three bursts of shaped noise, float32 `[samples]`, as loud as speech of the bank."""
    bursts = []
    for _ in range(random.integers(1, 4)):
        n = int(random.uniform(0.12, 0.35) * RATE)
        hz = np.fft.rfftfreq(n, 1 / RATE)
        shape = sum(random.uniform(0.3, 1) / (1 + ((hz - f) / random.uniform(120, 500)) ** 2) for f in (random.uniform(300, 900), random.uniform(1000, 2600)))
        x = np.fft.irfft(np.fft.rfft(random.standard_normal(n)) * shape, n)
        x *= np.minimum(np.arange(n) / (0.01 * RATE), 1) * np.exp(-np.arange(n) / (random.uniform(0.04, 0.12) * RATE))
        bursts += [x / np.sqrt((x ** 2).mean()), np.zeros(int(random.uniform(0.05, 0.25) * RATE))]
    return (np.concatenate(bursts[:-1]) * 0.08 * 10 ** (random.uniform(-6, 6) / 20)).astype(np.float32)


SIDE = 0.5 * np.sqrt(np.pi)   # half the side of a square as large as a circle of radius 1
HEIGHT = 1.555                # of a triangle as large as that, from its middle to its point


def inside(shape: int, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Whether points are inside a shape (1 circle, 2 square, 3 triangle) around (0, 0), all about as large as a circle of radius 1."""
    if shape == 1:
        return rows ** 2 + columns ** 2 <= 1
    if shape == 2:
        return np.maximum(np.abs(rows), np.abs(columns)) <= SIDE
    return (rows <= HEIGHT / 2) & (np.abs(columns) <= (rows + HEIGHT) / np.sqrt(3))


class Camera:
    """Plain colours under uneven light, with grain; at times a shape in another colour, which may jump."""

    def __init__(self, random: np.random.Generator):
        self.random = random
        self._grain = np.round(random.normal(0, 6, 1 << 21)).astype(np.int16)

    def images(self, d: Dialogue) -> np.ndarray:
        """One pair of 39 x 40 images per micro-turn, uint8 `[turns, 2, 40, 39, 3]`."""
        r = self.random
        rgb = np.array([domain.RGB[c] for c in domain.COLORS], np.float32)[d.color] * r.uniform(0.82, 1.08)
        rgb = rgb + r.uniform(-10, 10, 3)
        slope = np.linspace(-1, 1, 40)[:, None] * r.uniform(-12, 12) + np.linspace(-1, 1, 39)[None] * r.uniform(-12, 12)
        base = np.repeat(rgb[:, None, None, None, :] + slope[None, None, :, :, None], 2, 1)
        if d.shape.any():
            self.draw(base, d)
        base = base.astype(np.int16)
        count = d.turns * 2 * 40 * 39 * 3
        offset = int(r.integers(len(self._grain) - count))
        return np.clip(base + self._grain[offset: offset + count].reshape(d.turns, 2, *IMAGE), 0, 255).astype(np.uint8)

    def draw(self, base: np.ndarray, d: Dialogue) -> None:
        """Draws the shapes of a dialogue into its images, `[turns, 2, 40, 39, 3]`: of one size, light on dark and dark on light."""
        r = self.random
        radius, tint = r.uniform(8, 13), r.uniform(-25, 25, 3)
        rows, columns = np.arange(IMAGE[0])[:, None] - 19.5, np.arange(IMAGE[1])[None] - 19.0
        known: dict[tuple, np.ndarray] = {}
        for turn in np.flatnonzero(d.shape):
            dark = base[turn, 0].mean() > 128
            color = np.clip((40 if dark else 215) + tint, 0, 255)
            for image in range(2):
                place = (int(d.shape[turn]), *map(int, d.place[turn, image]))
                if place not in known:
                    known[place] = inside(place[0], (rows - place[1]) / radius, (columns - place[2]) / radius)
                base[turn, image][known[place]] = color
