"""Makes evaluation cases: what a case says is drawn from a bank, and what is heard is written beside what is true of it.

Voices and phrasings are those left out of training; so that this holds of a clip bank made by older rules too, phrasings that
stand inside a sentence of the training bank are left out here.
"""
from __future__ import annotations

import gzip
import json
import wave
import zlib
from pathlib import Path

import numpy as np

from . import domain, human
from .bank import Assistant, Bank
from .case_scene import LEVEL, Scene
from .senses import Camera
from .timeline import COUNT_PACE, RATE, STORY_GAP
from .user import User

NOISES = {"clean": None, "20dB": 20.0, "10dB": 10.0}
SHORT = ["greet", "name", "how", "thanks", "bye"]


class CaseMaker:
    """Draws what cases consist of, and writes those of one row after another into a folder `out`."""

    def __init__(self, work: Path, out: Path, seed: int):
        self.work, self.out, self.seed = work, out, seed
        self.row, self.count, self.random = "", 0, np.random.default_rng(seed)
        trained = {key: {m["text"] for m in clips} for key, clips in Bank(work, "bank-train").by_key.items()}
        self.bank = Bank(work, "bank-held", lambda m: not m["held"] or not any(domain.contains(t, [m["text"]]) for t in trained.get(m["key"], ())))
        self.assistant, self.answers = Assistant(work), domain.answers()

    def begin(self, row: str, afresh: bool) -> None:
        """Begins a row; `afresh` with chances of its own, so that a change of another leaves it as it is."""
        self.row = row
        if afresh:
            self.random = self.chances()

    def chances(self, *more: int) -> np.random.Generator:
        """Those of the row, or more that are independent of them."""
        return np.random.default_rng([self.seed, zlib.crc32(self.row.encode()), *more])

    def digits(self) -> User:
        """A user with chances apart, who cuts digits out of sentences."""
        return User(Bank(self.work, "bank-held"), {}, self.chances(1), augment=False)

    def scene(self, seconds: float) -> Scene:
        return Scene(self.random, seconds)

    def noises(self, n: int) -> list[str]:
        """Half clean, a quarter each with noise at 20 and 10 dB, in random order: independent of everything else in a row."""
        return [["clean", "clean", "20dB", "10dB"][i % 4] for i in self.random.permutation(n)]

    def keys_of(self, intents: list[str]) -> list[str]:
        return [k for k in self.bank.by_key if k.partition(":")[0] in intents]

    def of(self, intents: list[str]) -> list[dict]:
        """All clips of some intents."""
        return [m for k in self.keys_of(intents) for m in self.bank.by_key[k]]

    def clip(self, keys: list[str], accept=lambda m: True, bank: Bank | None = None) -> dict:
        """A clip of some keys, of `bank` if it is given."""
        options = [m for k in keys for m in (bank or self.bank).by_key.get(k, []) if accept(m)]
        return options[self.random.integers(len(options))]

    def voice(self, intents: list[str], **least: int) -> str:
        """A voice that says something of each of some intents, or at least so many different sentences."""
        def voices_of(intent: str) -> set[str]:
            said = {(m["voice"], m["text"]) for m in self.of([intent])}
            return {voice for voice, _ in said if sum(v == voice for v, _ in said) >= least.get(intent, 1)}
        voices = [voices_of(intent) for intent in intents]
        return str(self.random.choice(sorted(set.intersection(*voices))))

    def recorded(self, paths: list[Path]) -> np.ndarray:
        """One of some recordings, cut and as loud as the clips."""
        return human.recorded(paths[self.random.integers(len(paths))], LEVEL)

    def reply_text(self, key: str) -> str:
        """What the assistant says to a request, or the answer of that name."""
        intent, _, argument = key.partition(":")
        if intent == "digit":
            keys = [f"number:{argument}"]
        elif intent == "count":
            keys = [f"number:{i + 1}" for i in range(int(argument))]
        elif intent == "story":
            keys = [f"story:{i}" for i in range(len(domain.STORY))]
        elif intent in ("stop", "back"):
            keys = []
        elif intent == "wait":
            keys = ["okay", "time"]
        else:
            keys = [key]
        return " ".join(w for k in keys for w in domain.words(self.answers[k]))

    def reply_seconds(self, key: str) -> float:
        """Playing time of the reply."""
        if key.startswith("count"):
            return (int(key[6:]) - 1) * COUNT_PACE * 0.05 + 0.4
        if key == "story":
            return sum(self.assistant.length(f"story:{i}") + STORY_GAP for i in range(len(domain.STORY))) * 0.05
        return 3.0

    def write(self, scene: Scene, noise: str, expected: dict) -> None:
        """Writes a case of the row: a WAV, the truth as JSON, and the images if there is more than a colour to see."""
        x = np.clip(np.round(scene.with_noise(NOISES[noise]) * 32767), -32768, 32767).astype("<i2")
        folder = self.out / self.row
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{self.row}-{len(list(folder.glob('*.json'))):03d}"
        with wave.open(str(folder / f"{name}.wav"), "wb") as f:
            f.setnchannels(1)
            f.setsampwidth(2)
            f.setframerate(RATE)
            f.writeframes(x.tobytes())
        truth = {"id": name, "row": self.row, "noise": noise, "durationMs": len(x) / 16, "events": scene.events, "expected": expected}
        if scene.told is not None:
            truth["told"] = scene.told
        if scene.color is not None:
            truth["color"] = scene.color
        if scene.world is not None:
            images = Camera(self.random).images(scene.world)
            truth["images"] = {"file": f"{name}.images.gz", "width": images.shape[3], "height": images.shape[2], "everyMs": 100}
            (folder / f"{name}.images.gz").write_bytes(gzip.compress(images.tobytes(), mtime=0))
        (folder / f"{name}.json").write_text(json.dumps(truth, indent=1) + "\n")
        self.count += 1
