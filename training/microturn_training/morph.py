"""Throats that nobody has: clips of the banks said again with another pitch, other formants and another breath.

A voice that sounds like nothing in the bank makes most mistakes, and programs speak with few voices. WORLD (Morise, Yokomori and Ozawa 2016,
"WORLD: a vocoder-based high-quality speech synthesis system") takes speech apart into pitch, envelope and breath; each is changed, and words
keep their times. Every voice becomes some others; all clips of one of those are changed alike, so it can tell a whole story.
"""
from __future__ import annotations

import argparse
import functools
import hashlib
import multiprocessing
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .sound import RATE, scale, to_int16
from .synthesis import USER_RMS, in_parts, index
from .voices import ASSISTANT

FRAME_MS = 5.0
# How many clips of each bank are said again. Of `bank-train` none of espeak's, which has throats enough.
CLIPS = {"bank-natural": 3000, "bank-more": 2500, "bank-human": 1500, "bank-train": 3000, "bank-slt": 3000}
ALIKE = 80    # clips of one voice that share a throat
BATCH = 20


@dataclass(frozen=True)
class Throat:
    """How a voice is changed."""
    formants: float   # every frequency of the envelope is multiplied by this
    pitch: float      # mean, Hz
    melody: float     # the pitch's distance from its mean, on a logarithmic scale, is multiplied by this
    breath: float     # exponent of the share of noise: below 1 is breathy, above 1 buzzes


def throat(label: str) -> Throat:
    """The throat of a voice named so: the same whenever it is asked."""
    r = np.random.default_rng(int.from_bytes(hashlib.sha256(label.encode()).digest()[:8], "little"))
    formants, highest = ((0.76, 0.9), 160) if label.startswith(f"morph:flite:{ASSISTANT}~") else ((0.85, 1.18), 250)   # the assistant's own is not a user's
    return Throat(float(r.uniform(*formants)), float(np.exp(r.uniform(np.log(80), np.log(highest)))), float(r.uniform(0.3, 1.3)), float(r.choice([0.6, 1, 2, 6])))


def changed(x: np.ndarray, t: Throat) -> np.ndarray:
    """A clip in another throat, float32 of the same length."""
    import pyworld
    x = x.astype(np.float64)
    pitch, at = pyworld.dio(x, RATE, frame_period=FRAME_MS)
    pitch = pyworld.stonemask(x, pitch, at, RATE)
    envelope, breath = pyworld.cheaptrick(x, pitch, at, RATE), pyworld.d4c(x, pitch, at, RATE)
    place = np.minimum(np.arange(envelope.shape[1]) / t.formants, envelope.shape[1] - 1)
    low = place.astype(int)
    share, high = place - low, np.minimum(low + 1, envelope.shape[1] - 1)
    envelope = np.exp((1 - share) * np.log(envelope[:, low]) + share * np.log(envelope[:, high]))
    voiced = pitch > 0
    if voiced.any():
        mean = np.exp(np.log(pitch[voiced]).mean())
        pitch = np.where(voiced, t.pitch * (np.where(voiced, pitch, mean) / mean) ** t.melody, 0)
    y = pyworld.synthesize(*(np.ascontiguousarray(z) for z in (pitch, envelope, breath ** t.breath)), RATE, FRAME_MS)
    return np.pad(y, (0, max(0, len(x) - len(y))))[: len(x)].astype(np.float32)


def plan(folder: Path, share: float = 1.0) -> list[tuple]:
    """The clips to be said again, or a share of them: (bank, first sample, index entry, label of the new voice)."""
    r, jobs = np.random.default_rng(6), []
    for bank, count in CLIPS.items():
        clips = index(folder, bank)
        starts, voices = np.cumsum([0, *(m["length"] for m in clips)]), Counter(m["voice"] for m in clips)
        usable = [i for i, m in enumerate(clips) if bank != "bank-train" or not m["voice"].startswith("espeak")]
        for i in sorted(r.choice(usable, min(round(share * count), len(usable)), replace=False)) if usable else []:
            voice = clips[i]["voice"]
            jobs.append((bank, int(starts[i]), clips[i], f"morph:{voice}~{r.integers(max(1, voices[voice] // ALIKE))}"))
    return jobs


def said_again(folder: Path, jobs: list[tuple]) -> list[tuple[np.ndarray, dict] | None]:
    out = []
    for bank, start, meta, label in jobs:
        x = np.load(folder / f"{bank}.npy", mmap_mode="r")[start:start + meta["length"]].astype(np.float32) / 32767
        y = changed(x, throat(label))
        out.append((to_int16(scale(y, USER_RMS)), meta | {"voice": label}) if np.abs(y).max() > 1e-3 else None)
    return out


def main() -> None:
    """Makes `bank-morph` from the banks of the work folder, anew."""
    a = argparse.ArgumentParser(description=main.__doc__)
    a.add_argument("work", nargs="?", default="work")
    a.add_argument("--share", type=float, default=1.0, help="make less, to save time: 0.3")
    args = a.parse_args()
    if not 0 <= args.share <= 1:
        a.error(f"--share {args.share} is not from 0 to 1")
    folder = Path(args.work)
    jobs = plan(folder, args.share)
    (folder / "bank-morph.json").unlink(missing_ok=True)
    with multiprocessing.Pool(2) as pool:
        in_parts(folder, "bank-morph", jobs, [jobs[i:i + BATCH] for i in range(0, len(jobs), BATCH)], functools.partial(said_again, folder), pool)


if __name__ == "__main__":
    main()
