"""Banks of clips: what users and the assistant say, as synthesis.py, wishes.py, human.py, morph.py and typed.py leave them in the work folder."""
from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from . import domain
from .dmel import DMEL_SPEECH
from .timeline import FRAME, POSITION

# The files of a bank that has more than one; all but the first may be missing.
BANK_FILES = {"bank-train": ["bank-train", "bank-natural", "bank-more", "bank-foreign", "bank-human", "bank-morph", "bank-train-filler", "bank-wishes", "bank-typed"]}
DIGIT_SPEAKERS = {"an4", "speech_commands"}   # collections of recordings in which people say digits


def bank_files(folder: Path, name: str) -> list[str]:
    """The files that a bank consists of here."""
    first, *others = BANK_FILES.get(name, [name])
    return [first, *(file for file in others if (folder / f"{file}.json").exists())]


class Bank:
    """Clips of a bank, by request key. `copies` says how often those of a program, or of a collection of recordings, are listed, if not once.
    Those with a filler inside are apart (`with_filler`): the recipe says how often they are heard."""

    def __init__(self, folder: Path, name: str, keep=lambda meta: True, copies: Mapping[str, float] = MappingProxyType({})):
        self.samples: dict[str, np.ndarray] = {}
        self.by_key: dict[str, list[dict]] = {}
        self.with_filler: dict[str, list[dict]] = {}
        for file in bank_files(folder, name):
            self.samples[file] = np.load(folder / f"{file}.npy", mmap_mode="r")
            start = 0
            for meta in json.loads((folder / f"{file}.json").read_text()):
                times = int(copies.get(meta["voice"].partition(":")[0], 1))
                if times and keep(meta):
                    clips = self.with_filler if "before_filler" in meta else self.by_key
                    clips.setdefault(meta["key"], []).extend([meta | {"file": file, "start": start}] * times)
                start += meta["length"]

    def wave(self, meta: dict) -> np.ndarray:
        return self.samples[meta["file"]][meta["start"]: meta["start"] + meta["length"]].astype(np.float32) / 32767


def even_digits(by_key: dict[str, list[dict]]) -> None:
    """Lists people's clips of rare digits several times. Recordings of six, seven and nine are few: a model that hears the others three to five times as often
    takes the rare ones for them."""
    said = {key: [m for m in clips if m["voice"].partition(":")[0] in DIGIT_SPEAKERS] for key, clips in by_key.items() if key.startswith("digit:")}
    most = max(map(len, said.values()), default=0)
    for key, clips in said.items():
        if clips:
            by_key[key] += (clips * (most // len(clips)))[:most - len(clips)]


class Assistant:
    """What the assistant can say: for each answer its waveform, its speech frames and the output position of each word."""

    def __init__(self, folder: Path):
        self.wave, self.frames, self.words = {}, {}, {}
        for name in ("bank-assistant", "bank-told"):
            if name == "bank-assistant" or (folder / f"{name}.json").exists():
                self._read(Bank(folder, name))
        self.told = [key for key in self.frames if key.startswith("told:")]   # what it says only when it is told to

    def _read(self, bank: Bank) -> None:
        for key, (meta,) in bank.by_key.items():
            x = bank.wave(meta)
            frames = DMEL_SPEECH.levels(np.pad(x, (0, -len(x) % POSITION + FRAME)))
            if len(frames) % 2:
                frames = np.pad(frames, ((0, 1), (0, 0)))
            last = np.flatnonzero(frames.max(1))[-1] + 1
            frames = frames[: last + last % 2]
            self.wave[key], self.frames[key] = x, frames.reshape(-1, 160)
            at, placed = -1, []
            for word, start in zip(domain.words(meta["text"]), meta["starts"]):
                at = max(at + 1, int(start * 20))  # the word's sound starts one position later: captions come first
                placed.append((at, domain.TOKEN.get(word, domain.UNK)))
            self.words[key] = placed

    def length(self, key: str) -> int:
        """Output positions from the first text token to the `<end>` token, both included."""
        return max(1 + len(self.frames[key]), self.words[key][-1][0] + 1) + 1
