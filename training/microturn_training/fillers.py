"""Requests with a filler inside ("what is, um three plus four"): the clips that are made, and where each may be lengthened."""
from __future__ import annotations

import random

import numpy as np

from . import domain, human, synthesis
from .sound import TAIL, loudness
from .timeline import RATE
from .voices import draw

FILLERS = ["um", "uh", "er"]
FILLER = 0.06 * RATE, 0.8 * RATE   # samples that one lasts
FILLER_CLIPS = 240                 # that are tried


def plan_fillers(rng: random.Random) -> list[tuple]:
    """Clips of requests with a filler inside, by voices that training never hears."""
    intents, jobs = ["name", "how", "thanks", "sum", "say", "digit", "count", "story"], []   # most others are over after each of their words
    for i in range(FILLER_CLIPS):
        intent, held = intents[i % len(intents)], i // len(intents) % 2 == 1
        key = rng.choice([k for k in domain.keys() if k.partition(":")[0] == intent])
        text = rng.choice([t for t in domain.texts(key, held) if synthesis.pause_points(t)])
        split, words = rng.choice(synthesis.pause_points(text)), text.split()
        text = " ".join([*words[:split - 1], words[split - 1] + ",", rng.choice(FILLERS), *words[split:]])
        jobs.append((key, text, draw(rng, rng.choice(synthesis.HELD_ENGINES), True), held, words_to_filler(text)))
    return jobs


def words_to_filler(text: str) -> int:
    """The number of words up to the filler of "what is, um three plus four", which is the first after a comma."""
    return len(text.partition(",")[0].split()) + 1


def broken(x: np.ndarray, end: int) -> tuple[int, int]:
    """Breaks a sound off, and lets it begin again, at the quietest point near the end of a word; returns that, a silence of no length."""
    first = max(TAIL, end - RATE // 20)
    at = first + int(np.argmin(loudness(x)[first:min(end + RATE // 20, len(x) - TAIL)]))
    fade = np.linspace(1, 0, TAIL, dtype=np.float32)
    x[at - TAIL:at] *= fade
    x[at:at + TAIL] *= fade[::-1]
    return at, at


def around_filler(x: np.ndarray, meta: dict) -> tuple[tuple[int, int] | None, tuple[int, int]] | None:
    """The silences before the filler of a clip, which not every voice makes, and after it; None if there is none after it."""
    if meta["gap"] is None:
        return None
    a, b, split = meta["gap"]
    end = meta["words"][split - 2]   # of the word before the filler
    loud = loudness(x)
    silent = human.stretches(loud < 0.02 * loud.max(), 0.07)
    for before, after in zip(silent, silent[1:]):
        if FILLER[0] <= after[0] - before[1] <= FILLER[1] and before[0] - 0.15 * RATE < end < before[1] + 0.1 * RATE:
            return before, after
    return (None, (a, b)) if a - end >= FILLER[0] else None
