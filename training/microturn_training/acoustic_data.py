"""What the acoustic model learns from: sentences about anything in the assistant's voice, with the frames of every letter.

The words are those of SCOWL (Debian's package `scowl`; its sizes 10, 20 and 35 hold the most usual 39,000 words of English, besides abbreviations, and its names of size 50),
in sentences of `foreign.py`, of `vocoder_data.py`, in rows that mean nothing, and in what answers are full of: numbers, times, dates, amounts, single letters. flite tells
when each phone ends; which letters a phone belongs to is found here. One word in twelve, but for the most usual, is kept for evaluation: no sentence of training has it,
though some have another form of it.
"""
from __future__ import annotations

import argparse
import functools
import json
import os
import random
import re
import subprocess
import tempfile
import time
import zlib
from multiprocessing import Pool
from pathlib import Path

import numpy as np

from . import domain, foreign, vocoder_data
from .dmel import DMEL_SPEECH
from .sound import RATE, audible, read_wav, scale
from .synthesis import ASSISTANT_RMS
from .voices import ASSISTANT

# What a text may consist of before it is said; place 0 is what stands before and after it.
ALPHABET = "_ abcdefghijklmnopqrstuvwxyz',.?"
LETTER = {c: i for i, c in enumerate(ALPHABET)}
FRAMES_PER_SECOND = RATE // DMEL_SPEECH.hop
# word lists and how often a word is drawn from them
SIZES = {"10": 0.45, "20": 0.22, "35": 0.23, "names": 0.1}
SMALL = """the a an and or but of in on at to from with for by near under after before is was are were has had will can could should would may
must do does did not no he she it they we you i his her its their our your my this that these those who what when where why how if then so very too
more most some any every each all both one two three four five six seven eight nine ten about over into through there here now""".split()
MONTHS = "january february march april may june july august september october november december".split()
DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
UNITS = "degrees percent dollars euros pounds cents minutes hours seconds kilometers miles people days meters grams".split()
LARGE = [(10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred")]
ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth", "twelve": "twelfth"}
# what the spoken form of a text may have besides words of the text
SYMBOLS = "point minus plus percent degrees euros dollars pounds cents yen and equals at times divided by half quarter third thirds quarters o'clock oh".split()

# Phones that a letter may stand for; what is not here costs more, but is possible.
SOUNDS = {
    "a": "aa ae ah ao aw ax ay eh er ey ih iy", "b": "b", "c": "k s ch sh", "d": "d t jh", "e": "eh iy ax ih er ey ah y uw", "f": "f v", "g": "g jh f zh",
    "h": "hh", "i": "ih ay iy ax y er", "j": "jh y hh zh", "k": "k", "l": "l", "m": "m", "n": "n ng", "o": "aa ao ow ah ax uh uw aw oy er w", "p": "p f",
    "q": "k", "r": "r er", "s": "s z sh zh", "t": "t sh ch th dh d", "u": "ah uw uh ax ih y w er eh", "v": "v f", "w": "w uw aw ow", "x": "k s g z",
    "y": "y iy ay ih", "z": "z s zh", " ": "pau", ",": "pau", ".": "pau", "?": "pau", "_": "pau", "'": "ax ih",
}
SOUNDS = {letter: set(sounds.split()) for letter, sounds in SOUNDS.items()}
SILENT = {**dict.fromkeys("aeiou", 0.8), "h": 0.7, "'": 0.0, " ": 0.0, ",": 0.3, ".": 0.3, "?": 0.3, "_": 0.0}   # costs of a letter that is not heard; 1 for others
WRONG, MORE = 2.5, 1.6   # of a phone that is not among a letter's, and of a second phone for one letter


@functools.cache
def usual() -> frozenset[str]:
    """Words without which there is no sentence, and the names of numbers."""
    numbers = [*domain.NUMBERS, "nineteen", *TENS, *(name for _, name in LARGE)]
    return frozenset([*word_lists()["10"], *SMALL, *numbers, *map(ordinal, numbers), *UNITS, *MONTHS, *DAYS, *SYMBOLS, *"abcdefghijklmnopqrstuvwxyz"])


def held(word: str) -> bool:
    """Whether a word is kept for evaluation."""
    return zlib.crc32(word.encode()) % 12 == 0 and word not in usual()


@functools.cache
def word_lists(folder: str = "/usr/share/dict/scowl") -> dict[str, list[str]]:
    """Words of SCOWL by size, in American spelling, without abbreviations; and names, in small letters."""
    def read(*files: str) -> list[str]:
        lines = [w for file in files for w in (Path(folder) / file).read_text("latin-1").split()]
        return [w for w in lines if re.fullmatch(r"[A-Za-z][a-z]+('[a-z]+)?", w) and len(w) < 16 and not w.endswith("'s")]
    out = {size: [w for w in read(f"english-words.{size}", f"american-words.{size}") if w.islower()] for size in SIZES if size != "names"}
    return out | {"names": [w.lower() for w in read("english-proper-names.50", "english-upper.50")]}


def spelled(n: int) -> str:
    """A whole number below a thousand trillion in words."""
    if n < 20:
        return [*domain.NUMBERS, "nineteen"][n]
    if n < 100:
        return TENS[n // 10 - 2] + ("" if n % 10 == 0 else f" {domain.DIGITS[n % 10]}")
    for size, name in LARGE:
        if n >= size:
            return f"{spelled(n // size)} {name}" + ("" if n % size == 0 else f" {spelled(n % size)}")
    raise ValueError(n)


def ordinal(number: str) -> str:
    """The last word of a number as that of a rank: "twenty one" is "twenty first"."""
    before, space, last = number.rpartition(" ")
    return before + space + (ORDINALS.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"))


def number(r: random.Random) -> str:
    """A number as it is read out."""
    n = r.choice([r.randrange(20), r.randrange(20), r.randrange(100), r.randrange(1000), r.randrange(10000), 10 ** r.randrange(2, 12) * r.randrange(1, 100)])
    words = spelled(n)
    if r.random() < 0.15:
        words += " point " + " ".join(r.choices(domain.DIGITS, k=r.choice([1, 1, 2])))
    return f"minus {words}" if r.random() < 0.08 else words


def row(r: random.Random, lists: dict[str, list[str]]) -> str:
    """Words that mean nothing together, with small words between them."""
    words = []
    for _ in range(r.choice([2, 3, 4, 5, 6, 7])):
        if r.random() < 0.45:
            words.append(r.choice(SMALL))
        words.append(r.choice(lists[r.choices(list(SIZES), list(SIZES.values()))[0]]))
        if r.random() < 0.08:
            words[-1] += ","
    return " ".join(words)


def time_of_day(r: random.Random) -> str:
    hour = spelled(r.choice([r.randrange(1, 13), r.randrange(24)]))
    minute = r.choice([spelled(r.randrange(10, 60)), f"oh {domain.DIGITS[r.randrange(1, 10)]}", "o'clock", r.choice(["thirty", "fifteen", "forty five"])])
    return r.choice([f"{hour} {minute}", f"{hour} {r.choice(['a m', 'p m'])}", f"{r.choice(['half', 'a quarter', 'ten'])} {r.choice(['past', 'to'])} {hour}", f"{hour} {r.choice(['a m', 'p m'])}"])


def date(r: random.Random) -> str:
    day = ordinal(spelled(r.randrange(1, 32)))
    year = r.choice([f"nineteen {spelled(r.randrange(10, 100))}", f"twenty {spelled(r.randrange(10, 40))}", f"two thousand {spelled(r.randrange(1, 10))}"])
    return r.choice([f"the {day} of {r.choice(MONTHS)}", f"{r.choice(MONTHS)} {day}", f"{r.choice(DAYS)}", f"{r.choice(DAYS)} the {day}", f"{r.choice(MONTHS)} {day}, {year}", f"in {year}"])


def letters(r: random.Random) -> str:
    """Letters that are said by their names."""
    a = r.choice("abcdefghijklmnopqrstuvwxyz")
    return r.choice([f"{r.choice(['vitamin', 'plan', 'gate', 'option', 'letter', 'platform', 'size'])} {a}", f"{spelled(r.randrange(60))} degrees {r.choice('cf')}",
                     " ".join(r.choices("abcdefghijklmnopqrstuvwxyz", k=r.choice([2, 3, 3]))), f"{a} {spelled(r.randrange(100))}", f"the {' '.join(r.choices('abcdefghijklmnopqrstuvwxyz', k=3))} {r.choice(foreign.NOUNS)}"])


def said_number(r: random.Random) -> str:
    """What answers are full of."""
    n = number(r)
    return r.choice([
        f"it is {n} {r.choice(UNITS)}", f"{n} {r.choice(UNITS)}", f"the {r.choice(foreign.NOUNS)} costs {n} {r.choice(UNITS)}", f"number {n}", f"{n} {r.choice(foreign.ADJECTIVES)} {r.choice(UNITS)}",
        f"at {time_of_day(r)}", f"it is {time_of_day(r)} now", f"on {date(r)}", f"the {r.choice(foreign.NOUNS)} opens on {date(r)} at {time_of_day(r)}", letters(r), f"the {ordinal(spelled(r.randrange(1, 200)))} {r.choice(foreign.NOUNS)}",
        f"{n} {r.choice(['plus', 'minus', 'times', 'divided by'])} {number(r)} equals {number(r)}",
    ])


def sentence(r: random.Random, lists: dict[str, list[str]]) -> str:
    while True:
        kind = r.random()
        text = row(r, lists) if kind < 0.5 else foreign.sentence(r) if kind < 0.7 else said_number(r)
        text = text.rstrip(",") + r.choice([".", ".", "", "?", ","])
        if not any(held(w) for w in re.findall(r"[a-z']+", text)):
            return text


def align(letters: str, phones: list[str]) -> list[int]:
    """For each phone, the letter it belongs to. Letters and phones keep their order; the cheapest way is taken."""
    n, m = len(letters), len(phones)
    cost = np.full((n + 1, m + 1), np.inf)
    step = np.zeros((n + 1, m + 1), np.int8)   # how many phones letter i - 1 has
    cost[0, 0] = 0
    for i in range(1, n + 1):
        letter = letters[i - 1]
        fits, silent = SOUNDS[letter], SILENT.get(letter, 1.0)
        for j in range(m + 1):
            best, taken = cost[i - 1, j] + silent, 0
            if j > 0:
                last = 0 if phones[j - 1] in fits else WRONG
                c = cost[i - 1, j - 1] + last
                if c < best:
                    best, taken = c, 1
                if j > 1:
                    c = cost[i - 1, j - 2] + last + (0 if phones[j - 2] in fits else WRONG) + (0 if letter == "x" else MORE)
                    if c < best:
                        best, taken = c, 2
            cost[i, j], step[i, j] = best, taken
    owners, j = [0] * m, m
    for i in range(n, 0, -1):
        for _ in range(step[i, j]):
            j -= 1
            owners[j] = i - 1
    return owners


def example(text: str) -> dict | None:
    """A sentence: `letters` (places in the alphabet), how many frames each takes, and the frames' levels `[frames, 80]`."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        out = subprocess.run(["flite", "-voice", ASSISTANT, "-psdur", "-t", text, "-o", file.name], check=True, capture_output=True, text=True)
        x = read_wav(file.name)
    phones, ends = zip(*((p, float(t)) for p, t in (s.rsplit(":", 1) for s in out.stdout.split())))
    first, last = audible(x)
    letters = f"_{text}_"
    owners = align(letters, list(phones))
    levels = DMEL_SPEECH.levels(scale(x[first:last], ASSISTANT_RMS))
    until = np.zeros(len(letters))
    for owner, end in zip(owners, ends):
        until[owner] = end
    until = np.maximum.accumulate(until)
    border = np.clip(np.round((until - first / RATE) * FRAMES_PER_SECOND), 0, len(levels)).astype(int)
    border[-1] = len(levels)
    lengths = np.diff(border, prepend=0)
    if lengths.max() > 40:   # a letter of a second: the letters were not found
        return None
    return {"text": text, "letters": np.array([LETTER[c] for c in letters], np.uint8), "lengths": lengths.astype(np.uint8), "levels": levels}


def write(path: Path, examples: list[dict]) -> None:
    flat = {k: np.concatenate([e[k] for e in examples]) for k in ("letters", "lengths", "levels")}
    counts = np.array([[len(e["letters"]), len(e["levels"])] for e in examples])
    new = path.with_suffix(".new.npz")   # a file that is there is whole
    np.savez(new, **flat, counts=counts, texts=np.array(json.dumps([e["text"] for e in examples])))
    os.replace(new, path)


def read(path: Path) -> list[dict]:
    file = np.load(path)
    letters, frames = (np.split(np.arange(n), np.cumsum(c)[:-1]) for n, c in zip((len(file["letters"]), len(file["levels"])), file["counts"].T))
    all_letters, all_lengths, all_levels = file["letters"], file["lengths"], file["levels"]
    return [{"text": t, "letters": all_letters[a[0]:a[-1] + 1], "lengths": all_lengths[a[0]:a[-1] + 1], "levels": all_levels[b[0]:b[-1] + 1]}
            for t, a, b in zip(json.loads(str(file["texts"])), letters, frames)]


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("--work", type=Path, default=Path("work"))
    a.add_argument("--sentences", type=int, default=18000)
    args = a.parse_args()
    r, lists = random.Random(7), word_lists()
    answers = [t for t in domain.answers().values()]
    texts = [*dict.fromkeys([*answers, *(re.sub(r"[^a-z',.? ]", " ", t.lower()) for t in vocoder_data.LOOSE)])]
    texts = [" ".join(t.split()) for t in texts if not any(held(w) for w in re.findall(r"[a-z']+", t))]
    texts += [sentence(r, lists) for _ in range(args.sentences - len(texts))]
    started, made = time.time(), []
    with Pool(2) as pool:
        for e in pool.imap(example, texts, chunksize=50):
            if e is not None:
                made.append(e)
                if len(made) % 1000 == 0:
                    seconds = sum(len(e["levels"]) for e in made) / FRAMES_PER_SECOND
                    print(f"acoustic: {len(made)}/{len(texts)} sentences, {seconds / 3600:.2f} h, {time.time() - started:.0f} s", flush=True)
    (args.work / "acoustic").mkdir(parents=True, exist_ok=True)
    write(args.work / "acoustic" / "sentences.npz", made)


if __name__ == "__main__":
    main()
