"""Requests with a filler inside ("what is, um three plus four"): the clips that are made, and where each may be lengthened."""
from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator

import numpy as np

from . import domain
from .sound import RATE, TAIL, loudness, stretches, to_int16
from .voices import Voice, draw

FILLERS = ["um", "uh", "er"]
TRAINED_FILLERS = [filler for filler in FILLERS if filler in domain.TOKEN]   # "er" has no token: it is kept for evaluation
FILLER = 0.06 * RATE, 0.8 * RATE   # samples that one lasts
HELD_CLIPS = 240                   # that are tried
HELD_INTENTS = ["name", "how", "thanks", "sum", "say", "digit", "count", "story"]   # most others are over after each of their words


def plan_fillers(rng: random.Random, requests: Iterable[tuple[str, str, bool]], voices: Iterator[Voice], fillers: list[str]) -> list[tuple]:
    """Clips of requests (key, text, held phrasing), none of which is over after each of its words, with a filler inside, each by the next voice."""
    jobs = []
    for key, text, held in requests:
        split, words = rng.choice(domain.pause_points(text)), text.split()
        text = " ".join([*words[:split - 1], words[split - 1] + ",", rng.choice(fillers), *words[split:]])
        jobs.append((key, text, next(voices), held, words_to_filler(text)))
    return jobs


def plan_held_fillers(rng: random.Random, engines: list[str]) -> list[tuple]:
    """The clips for evaluation: voices that training never hears, phrasings of training and those kept from it in turn."""
    def requests() -> Iterator[tuple[str, str, bool]]:
        for i in range(HELD_CLIPS):
            intent, held = HELD_INTENTS[i % len(HELD_INTENTS)], i // len(HELD_INTENTS) % 2 == 1
            key = rng.choice([k for k in domain.keys() if k.partition(":")[0] == intent])
            yield key, rng.choice([t for t in domain.texts(key, held) if domain.pause_points(t)]), held

    return plan_fillers(rng, requests(), (draw(rng, rng.choice(engines), True) for _ in itertools.count()), FILLERS)


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
    silent = stretches(loud < 0.02 * loud.max(), 0.07)
    for before, after in zip(silent, silent[1:]):
        if FILLER[0] <= after[0] - before[1] <= FILLER[1] and before[0] - 0.15 * RATE < end < before[1] + 0.1 * RATE:
            return before, after
    return (None, (a, b)) if a - end >= FILLER[0] else None


def tells_ends(meta: dict) -> bool:
    """Whether the voice of a clip is one whose words are known to end where they do."""
    return meta["voice"].startswith("kokoro:")


def silences(x: np.ndarray, meta: dict) -> tuple[tuple[int, int] | None, tuple[int, int]] | None:
    """As `around_filler`, but a voice that tells its ends and runs on from the filler is broken off there."""
    around = around_filler(x, meta)
    if around is None and tells_ends(meta):
        around = None, broken(x, meta["words"][words_to_filler(meta["text"]) - 1])
    return around


def with_silences(x: np.ndarray, meta: dict) -> tuple[np.ndarray, dict] | None:
    """A clip as training keeps it: its `gap` is the silence after the filler, its `before_filler` the one before it, or None; a voice that tells
    its ends is broken off there too. None if there is no silence between the filler and the word after it."""
    x = x.astype(np.float32) / 32767
    around = silences(x, meta)
    split, words = words_to_filler(meta["text"]), list(meta["words"])
    if around is None or words[split] <= around[1][1]:   # festival may pause before a filler alone: then what is found is a "t" further on
        return None
    before, after = around
    if before is None and tells_ends(meta) and after[0] - words[split - 2] >= FILLER[0] + RATE // 20:
        before = broken(x, words[split - 2])
    words[split - 1] = after[0]
    if before:
        words[split - 2] = before[0]
    return to_int16(x), meta | {"words": words, "gap": [*after, split], "before_filler": before and [*before]}
