"""A microphone signal under construction for an evaluation case, and what it consists of."""
from __future__ import annotations

import numpy as np

from . import domain, sights
from .bank import Bank
from .dialogue import Dialogue
from .sound import TAIL
from .timeline import RATE, TURN

LEVEL = 0.08   # active RMS of the clips


def lengthened(x: np.ndarray, a: int, b: int, seconds: float) -> np.ndarray:
    """A sound whose silence from sample `a` to `b` lasts so much longer."""
    middle = (a + b) // 2
    return np.concatenate([x[:middle], np.zeros(int(seconds * RATE), np.float32), x[middle:]])


class Scene:
    """A microphone signal under construction, with its truth."""

    def __init__(self, random: np.random.Generator, seconds: float):
        self.random, self.samples = random, np.zeros(int(seconds * RATE), np.float32)
        self.events: list[dict] = []
        self.color: list[dict] | None = None
        self.told: dict | None = None   # what the background hands over to be said, and when
        self.world: Dialogue | None = None   # what the camera shows, if it is more than a colour

    def look(self) -> Dialogue:
        """A camera that shows some colour from beginning to end, and no shape yet."""
        self.world = Dialogue(len(self.samples) // TURN, True)
        self.world.color[:] = self.random.integers(len(domain.COLORS))
        self.world.place[:] = self.random.integers([-sights.ROOM[0], -sights.ROOM[1]], [sights.ROOM[0] + 1, sights.ROOM[1] + 1])
        return self.world

    def say(self, bank: Bank, meta: dict, at: float, pause: float | None = None) -> float:
        """Places a clip at `at` seconds, with `pause` seconds inside it; returns the second at which it ends."""
        return self.utter(bank.wave(meta), meta, at, pause)

    def utter(self, x: np.ndarray, meta: dict, at: float, pause: float | None = None, lengthen=lengthened) -> float:
        """The same with the sound of the clip."""
        event = {"type": "user", "key": meta["key"], "text": meta["text"], "voice": meta["voice"], "heldPhrasing": meta["held"]}
        start = int(at * RATE)
        if pause is not None:
            a, b, split = meta["gap"]
            x = lengthen(x, a, b, pause)
            event["pause"] = {"startMs": (start + a) / 16, "endMs": (start + b) / 16 + pause * 1000, "afterWords": split}
        return self.place(x, start, event)

    def place(self, x: np.ndarray, start: int, event: dict) -> float:
        """Places the sound of an event, with `TAIL` samples around what is audible; returns the second at which it ends. Raises ValueError
        if the scene is too short for it."""
        if start + len(x) > len(self.samples):
            raise ValueError(f"a scene of {len(self.samples) / RATE:.1f} s is too short for {event['text']!r} from {start / RATE:.1f} s on")
        self.samples[start:start + len(x)] += x
        event |= {"onsetMs": (start + TAIL) / 16, "endMs": (start + len(x) - TAIL) / 16}
        self.events.append(event)
        return (start + len(x) - TAIL) / RATE

    def with_noise(self, snr_db: float | None) -> np.ndarray:
        if snr_db is None:
            return self.samples
        noise = self.random.standard_normal(len(self.samples))
        noise = np.convolve(noise, [1, 0.9, 0.7, 0.5, 0.3, 0.2], "same")
        return self.samples + (noise * LEVEL * 10 ** (-snr_db / 20) / np.sqrt((noise ** 2).mean())).astype(np.float32)
