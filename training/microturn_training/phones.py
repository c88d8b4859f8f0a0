"""Which phones a word consists of, in American English as flite pronounces it: what a probe of training asks for.

A word that is not in the vocabulary has phones too, so sentences about anything teach to listen. `phones.json` in the work folder
holds those of all words of the clip banks; without it the probe learns nothing.
"""
from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np

from . import domain

PHONES = ["pau", *"aa ae ah ao aw ax ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z zh".split()]
PHONE = {name: i for i, name in enumerate(PHONES)}
VOWELS = {"aa", "ae", "ah", "ao", "aw", "ax", "ay", "eh", "er", "ey", "ih", "iy", "ow", "oy", "uh", "uw"}
VOWEL_LENGTH = 1.5    # of a consonant's


def pronounced(word: str) -> list[str]:
    """The phones of a word. flite has to be there."""
    out = subprocess.run(["flite", "-voice", "slt", "-ps", "-t", word, "-o", "/dev/null"], capture_output=True, text=True, check=True)
    return [p for p in out.stdout.split() if p in PHONE and p != "pau"]


def load(folder: Path) -> dict[str, list[str]]:
    path = folder / "phones.json"
    return json.loads(path.read_text()) if path.exists() else {}


def write(folder: Path) -> None:
    """Adds the words of all banks of a work folder that are not there yet."""
    known = load(folder)
    words = {w for bank in sorted(folder.glob("bank-*.json")) for meta in json.loads(bank.read_text()) for w in domain.words(meta["text"])}
    lacking = sorted(words - known.keys())
    for word in lacking:
        known[word] = pronounced(word)
    if lacking:
        new = folder / "phones.json.new"
        new.write_text(json.dumps(known))
        os.replace(new, folder / "phones.json")
        print(f"phones of {len(lacking)} words", flush=True)


def borders(phones: list[str]) -> np.ndarray:
    """Where each phone ends, as a share of its word."""
    lengths = np.cumsum([VOWEL_LENGTH if p in VOWELS else 1 for p in phones])
    return lengths / lengths[-1]
