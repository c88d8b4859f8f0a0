"""Builds the clip bank: every request by many voices, every answer by the assistant's voice, as 16 kHz int16.

A clip is trimmed to what is audible (plus 10 ms of tail), scaled to one active level, and remembers where a pause inside
it was made on purpose. Files: `bank-train`, `bank-natural`, `bank-more`, `bank-foreign`, `bank-train-filler`, `bank-slt`, `bank-held`, `bank-assistant`, `bank-told`
(.npy samples and .json index) in the work folder.
"""
from __future__ import annotations

import argparse
import functools
import hashlib
import itertools
import json
import multiprocessing
import os
import pickle
import random
import shutil
import subprocess
import tempfile
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

from . import domain, espeak, foreign, kokoro, phones
from .align import Aligner
from .fillers import TRAINED_FILLERS, plan_fillers, with_silences
from .sound import RATE, TAIL, audible, loudness, read_wav, scale, to_int16
from .voices import ASSISTANT, PICO_TRAIN, RHVOICE_TRAIN, Voice, between, draw

JOIN = 960            # silence between the stretches of an answer
USER_RMS, ASSISTANT_RMS = 0.08, 0.10


def gap_at(x: np.ndarray, expected: float) -> tuple[int, int] | None:
    """The longest inaudible stretch of at least 70 ms that a word ending at sample `expected` touches, if there is one."""
    e = loudness(x)
    quiet = np.concatenate([[0], (e < 0.02 * e.max()).astype(np.int8), [0]])
    d = np.diff(quiet)
    near = [(b - a, a, b) for a, b in zip(np.flatnonzero(d == 1), np.flatnonzero(d == -1))
            if b - a >= 1120 and a - 2400 < expected < b + 1600]
    if not near:
        return None
    _, a, b = max(near)
    return int(a), int(b)


@functools.cache
def phone_count(word: str) -> int:
    return max(1, len(phones.pronounced(word)))


def spread(text: str, ends: list[float]) -> list[float]:
    """Ends of words from the ends of all phones, by the number of phones of each word."""
    last = np.cumsum([phone_count(w) for w in domain.words(text)])
    last = np.round(last / last[-1] * len(ends)).astype(int)
    return [ends[max(1, i) - 1] for i in last]


def speak_flite(voice: Voice, text: str, path: str) -> list[float]:
    style = ["--setf", f"duration_stretch={1 / voice.speed:.3f}"]
    if voice.pitch:
        style += ["--setf", f"int_f0_target_mean={voice.pitch}"]
    out = subprocess.run(["flite", "-voice", voice.name, *style, "-psdur", "-t", text, "-o", path], check=True, capture_output=True, text=True)
    segments = [s.rsplit(":", 1) for s in out.stdout.split()]
    return spread(text, [float(end) for phone, end in segments if phone != "pau"])


def aligned(text: str, path: str) -> list[float]:
    """Ends of words in a file, for a program that does not tell them. Raises ValueError where they cannot be found."""
    found = aligner().words(read_wav(path), " ".join(domain.words(text)))
    if not found:
        raise ValueError(f"pocketsphinx does not find {text!r}")
    return [end for _, _, end in found]


@functools.cache
def aligner() -> Aligner:
    return Aligner()


def speak_rhvoice(voice: Voice, text: str, path: str) -> list[float]:
    style = ["-r", str(round(100 * voice.speed)), "-t", str(voice.pitch or 100)]
    subprocess.run(["RHVoice-test", "-p", voice.name, *style, "-o", path], input=text, check=True, capture_output=True, text=True)
    return aligned(text, path)


def speak_pico(voice: Voice, text: str, path: str) -> list[float]:
    styled = f"<speed level='{round(100 * voice.speed)}'><pitch level='{voice.pitch or 100}'>{text}</pitch></speed>"
    subprocess.run(["pico2wave", "-l", voice.name, "-w", path, styled], check=True, capture_output=True)
    return aligned(text, path)


ONE_BY_ONE = {"espeak": espeak.speak, "flite": speak_flite, "rhvoice": speak_rhvoice, "pico": speak_pico}


def speak(voice: Voice, text: str, path: str) -> list[float]:
    """Writes `text` as a WAV; returns the second at which each word ends. Festival speaks in batches instead."""
    if voice.engine not in ONE_BY_ONE:
        raise ValueError(f"speak: {voice.engine} is synthesised in batches")
    return ONE_BY_ONE[voice.engine](voice, text, path)


def finish(x: np.ndarray, ends: list[float], key: str, text: str, voice: Voice, held_phrasing: bool, split: int) -> tuple[np.ndarray, dict]:
    """Trimmed, scaled clip and its index entry. `ends` are word ends in seconds of `x`, `split` the number of words before
    the deliberate pause, 0 for none."""
    first, last = audible(x)
    x = scale(x[first:last], USER_RMS)
    words = [int(min(max(e * RATE - first, TAIL), len(x) - TAIL)) for e in ends]
    words[-1] = len(x) - TAIL
    gap = gap_at(x, words[split - 1]) if split else None   # festival does not pause at a comma
    if gap:
        words[split - 1] = gap[0]
    return to_int16(x), {"key": key, "text": text, "voice": voice.label, "held": held_phrasing, "length": len(x),
                         "words": words, "gap": [*gap, split] if gap else None}


def with_comma(text: str, split: int) -> str:
    w = text.split()
    return " ".join(w[:split]) + ", " + " ".join(w[split:]) if split else text


def single(job: tuple) -> tuple[np.ndarray, dict] | None:
    key, text, voice, held_phrasing, split = job
    path = f"{tempfile.gettempdir()}/microturn-{os.getpid()}.wav"
    try:
        ends = speak(voice, with_comma(text, split), path)
        return finish(read_wav(path), ends, key, text, voice, held_phrasing, split)
    except (ValueError, subprocess.CalledProcessError, wave.Error, EOFError):
        return None


def festival_batch(jobs: list[tuple]) -> list[tuple[np.ndarray, dict] | None]:
    """Festival starts slowly, so one process speaks many sentences of one voice."""
    with tempfile.TemporaryDirectory() as folder:
        script = [f"(voice_{jobs[0][2].name})"]
        for i, (_, text, voice, _, split) in enumerate(jobs):
            script.append(f"(Parameter.set 'Duration_Stretch {1 / voice.speed:.3f})")
            script.append(f'(set! u (utt.synth (Utterance Text "{with_comma(text, split)}")))')
            script.append(f'(utt.save.wave u "{folder}/{i}.wav") (utt.save.words u "{folder}/{i}.words")')
        Path(folder, "x.scm").write_text("\n".join(script))
        subprocess.run(["festival", "-b", f"{folder}/x.scm"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        out = []
        for i, (key, text, voice, held, split) in enumerate(jobs):
            try:
                lines = Path(folder, f"{i}.words").read_text().split("#")[1].split("\n")
                ends = [float(line.split()[0]) for line in lines if line.strip()]
                if len(ends) != len(domain.words(text)):  # festival split a word: spread the words over what it found
                    ends = spread(text, ends)
                out.append(finish(read_wav(f"{folder}/{i}.wav"), ends, key, text, voice, held, split))
            except (OSError, ValueError, EOFError, wave.Error):
                out.append(None)
        return out


def kokoro_batch(work: Path, jobs: list[tuple]) -> list[tuple[np.ndarray, dict] | None]:
    """A few sentences of one voice in one run."""
    try:
        spoken = kokoro.speak(work, jobs[0][2], [(text, split) for _, text, _, _, split in jobs])
    except ValueError:
        return [None] * len(jobs)
    out = []
    for (x, ends), (key, text, voice, held, split) in zip(spoken, jobs):
        try:
            out.append(finish(resample_poly(x, RATE, kokoro.RATE).astype(np.float32), ends, key, text, voice, held, split))
        except ValueError:
            out.append(None)
    return out


ENGINES = {"espeak": 20, "flite": 8, "festival": 7}   # of the training bank, and how often each speaks
HELD_ENGINES = [*ENGINES, "kokoro"]
# clips per request for training
CLIPS = {"sum": 48, "count": 140, "say": 130, "digit": 130, "watch": 130, "wait": 130, "ood": 2600, "back": 1000, "stop": 1000, "color": 560,
         "fix": 70, "line": 1000, "every": 110, "spot": 200}
OTHERS = 440
# the same by natural voices alone, each of another one
NATURAL = {"sum": 17, "count": 42, "say": 42, "digit": 100, "watch": 45, "wait": 45, "ood": 800, "back": 280, "stop": 280, "color": 180,
           "fix": 25, "line": 300, "every": 40, "spot": 70}
NATURAL_OTHERS = 150
FOREIGN = 3000      # sentences about anything
FOREIGN_ENGINES = {"espeak": 20, "flite": 6, "festival": 6}
# the same with a filler inside, as many as are tried: of requests that are seldom over after each of their words
FILLED = {"sum": 14, "count": 60, "say": 60, "digit": 40, "watch": 60, "wait": 70, "every": 60, "spot": 80, "name": 240, "how": 240, "story": 240,
          "color": 240, "shape": 160, "jumps": 120, "tale": 120, "clock": 80, "elapsed": 80}
FILLED_ENGINES = {"espeak": 16, "flite": 8, "festival": 14, "kokoro": 4}   # festival pauses after one filler in four
PART = 200          # clips between two savings
JUMBLES = 0.3       # of the out-of-domain clips


def words_before_pause(rng: random.Random, key: str, text: str) -> int:
    """Where a request has a pause on purpose; 0 for none."""
    points = domain.pause_points(text) if key not in ("ood", "stop") and key.partition(":")[0] not in domain.PARTS_OF_REQUESTS else []
    return rng.choice(points) if points and rng.random() < 0.25 else 0


def phrasings(rng: random.Random, key: str, count: int) -> Iterator[str]:
    """So many texts of a request, all its phrasings in turn, so that no voice knows only some of them."""
    texts: list[str] = []
    for _ in range(count):
        texts = texts or rng.sample(domain.texts(key, False), len(domain.texts(key, False)))
        text = texts.pop()
        if key == "ood":
            text = domain.jumble(rng) if rng.random() < JUMBLES else text
        elif key.partition(":")[0] not in domain.PARTS_OF_REQUESTS:
            text = domain.varied(text, rng)
        yield text


def plan_training(rng: random.Random, keys: list[str]) -> list[tuple]:
    """The list of clips to make: (key, text, voice, held phrasing, words before the pause or 0)."""
    jobs = []
    for key in keys:
        for text in phrasings(rng, key, CLIPS.get(key.partition(":")[0], OTHERS)):
            engine = rng.choices(list(ENGINES), list(ENGINES.values()))[0]
            split = words_before_pause(rng, key, text)
            jobs.append((key, text, draw(rng, engine, False), False, split))
    return jobs


def plan_natural(rng: random.Random, keys: list[str]) -> list[tuple]:
    """Natural voices, each of which costs as much as forty of the others: every few sentences by one that no other has."""
    texts = [(key, text) for key in keys for text in phrasings(rng, key, NATURAL.get(key.partition(":")[0], NATURAL_OTHERS))]
    rng.shuffle(texts)
    jobs = []
    for i, (key, text) in enumerate(texts):
        if i % kokoro.SENTENCES == 0:
            voice = between(rng)
        jobs.append((key, text, voice, False, words_before_pause(rng, key, text)))
    return jobs


RHVOICE_VOICES = Path("/usr/share/RHVoice/voices")


@functools.cache
def programs() -> dict[str, int]:
    """The engines whose voices need a program of Debian's non-free section and are here, with the number of their voices."""
    voices = {"rhvoice": RHVOICE_TRAIN, "pico": PICO_TRAIN}
    # RHVoice says nothing of a voice that it does not have: it speaks with another
    there = {"rhvoice": shutil.which("RHVoice-test") and all((RHVOICE_VOICES / name.lower()).is_dir() for name in RHVOICE_TRAIN), "pico": shutil.which("pico2wave")}
    for engine in voices:
        if not there[engine]:
            print(f"{engine} or a voice of it is not there: training will hear fewer voices (README.md tells where to get it)", flush=True)
    return {engine: len(names) for engine, names in voices.items() if there[engine]}


def plan_more(rng: random.Random, keys: list[str]) -> list[tuple]:
    """Clips of the voices whose programs do not tell where words end."""
    engines = programs() if keys else {}
    return [(key, text, draw(rng, rng.choices(list(engines), list(engines.values()))[0], False), False, words_before_pause(rng, key, text))
            for key in keys for text in phrasings(rng, key, NATURAL.get(key.partition(":")[0], NATURAL_OTHERS))] if engines else []


def plan_foreign(rng: random.Random, keys: list[str]) -> list[tuple]:
    """Sentences about anything, by all voices that cost little."""
    if "ood" not in keys:
        return []
    engines = FOREIGN_ENGINES | programs()
    return [("ood", foreign.sentence(rng), draw(rng, rng.choices(list(engines), list(engines.values()))[0], False), False, 0)
            for _ in range(FOREIGN)]


def plan_filled(rng: random.Random, keys: list[str]) -> list[tuple]:
    """Requests with a filler inside ("what is, um three plus four"), by every kind of voice."""
    keys = [key for key in keys if key.partition(":")[0] in FILLED]
    engines = FILLED_ENGINES | programs() if keys else {}
    requests = ((key, text, False) for key in keys for text in phrasings(rng, key, FILLED[key.partition(":")[0]]) if domain.pause_points(text))
    voices = (draw(rng, rng.choices(list(engines), list(engines.values()))[0], False) for _ in itertools.count())
    return plan_fillers(rng, requests, voices, TRAINED_FILLERS)


def plan_slt(rng: random.Random, keys: list[str]) -> list[tuple]:
    """Requests in the assistant's voice. Nobody trains on these: `morph` gives them other throats, and so a woman's voice of the kind of
    which there is but one other becomes many men's."""
    return [(key, text, Voice("flite", ASSISTANT, rng.uniform(0.8, 1.25)), False, words_before_pause(rng, key, text))
            for key in keys for text in phrasings(rng, key, max(1, NATURAL.get(key.partition(":")[0], NATURAL_OTHERS) // 3))]


TOLD = 1200   # sentences that the assistant is told to say
TOLD_BY_ONE = ("tale", "line", "fin")


def storytellers() -> list[Voice]:
    """Every voice that is kept for evaluation, once, however often this is asked."""
    rng = random.Random(7)
    voices = {}
    for engine in HELD_ENGINES:
        for _ in range(60):
            voice = draw(rng, engine, True)
            voices.setdefault(voice.label, voice)
    return list(voices.values())


def plan_held(rng: random.Random, keys: list[str]) -> list[tuple]:
    """Clips of voices that training never hears: each request as in training and as never in training."""
    jobs = []
    for key in keys:
        if key in TOLD_BY_ONE:   # whole stories are told in one voice
            jobs += [(key, text, voice, True, 0) for voice in storytellers() for text in domain.texts(key, True)]
            continue
        for held_phrasing in (False, True):
            texts = domain.texts(key, held_phrasing)
            for text in rng.sample(texts, min(len(texts), 12 if ":" not in key else 1 if key.startswith("sum") else 4)):
                for engine in rng.sample(HELD_ENGINES, 1 if key.startswith("sum") else 3):
                    if engine != "kokoro" or rng.random() < 0.6:
                        split = words_before_pause(rng, key, text)
                        jobs.append((key, text, draw(rng, engine, True), held_phrasing, split))
    return jobs


def index(folder: Path, name: str) -> list[dict]:
    """What a bank holds, clip by clip; nothing if there is none yet."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else []


def save(folder: Path, name: str, clips: list[tuple[np.ndarray, dict]]) -> None:
    """Adds clips to a bank. The samples come first: the index never names one that is not there."""
    samples, entries = [x for x, _ in clips], index(folder, name) + [m for _, m in clips]
    if (folder / f"{name}.json").exists():
        samples.insert(0, np.load(folder / f"{name}.npy"))
    for file, write in ((f"{name}.npy", lambda f: np.save(f, np.concatenate(samples))), (f"{name}.json", lambda f: f.write(json.dumps(entries).encode()))):
        with open(folder / f"{file}.new", "wb") as f:
            write(f)
        os.replace(folder / f"{file}.new", folder / file)
    print(f"{name}: {len(entries)} clips, {sum(map(len, samples)) / RATE / 3600:.2f} h", flush=True)


def batches(jobs: list[tuple]) -> list[list[tuple]]:
    """Jobs that one call speaks: many of one voice for festival, a few of one natural voice, any for the others."""
    def by(engine: str, size: int) -> list[list[tuple]]:
        voices: dict[str, list] = {}
        for job in jobs:
            if job[2].engine == engine:
                voices.setdefault(job[2].label, []).append(job)
        return [v[i:i + size] for v in voices.values() for i in range(0, len(v), size)]
    singles = [j for j in jobs if j[2].engine in ONE_BY_ONE]
    return [*by("festival", 100), *by("kokoro", kokoro.SENTENCES), *(singles[i:i + 50] for i in range(0, len(singles), 50))]


def speak_batch(work: Path, jobs: list[tuple]) -> list[tuple[np.ndarray, dict] | None]:
    engine = jobs[0][2].engine
    if engine == "festival":
        return festival_batch(jobs)
    return kokoro_batch(work, jobs) if engine == "kokoro" else [single(job) for job in jobs]


def speak_filled(work: Path, jobs: list[tuple]) -> list[tuple[np.ndarray, dict] | None]:
    """The same for requests with a filler inside, of which only those are kept that can be made longer there."""
    return [clip and with_silences(*clip) for clip in speak_batch(work, jobs)]


def make(folder: Path, name: str, jobs: list[tuple], pool) -> None:
    """Speaks the jobs into a bank."""
    in_parts(folder, name, jobs, batches(jobs), functools.partial(speak_filled if name == "bank-train-filler" else speak_batch, folder), pool)


def in_parts(folder: Path, name: str, jobs: list[tuple], batched: list[list[tuple]], work: Callable, pool) -> None:
    """Makes the clips of a bank, a batch at a time: `work` gives each job of one a clip, or None. What is done is kept in parts in
    between, and a call that was stopped goes on from them, if its jobs were the same."""
    parts = folder / f"{name}.parts"
    plan = hashlib.sha256(repr(jobs).encode()).hexdigest()
    if parts.exists() and not ((parts / "plan").exists() and (parts / "plan").read_text() == plan):
        shutil.rmtree(parts)
    parts.mkdir(exist_ok=True)
    (parts / "plan").write_text(plan)
    groups: list[list[list[tuple]]] = [[]]
    for batch in batched:
        if sum(map(len, groups[-1])) >= PART:
            groups.append([])
        groups[-1].append(batch)
    started, done, files = time.time(), 0, []
    for i, group in enumerate(groups):
        files.append(parts / f"{i:04d}.pickle")
        if not files[-1].exists():
            clips = [c for made in pool.imap(work, group) for c in made if c]
            files[-1].with_suffix(".new").write_bytes(pickle.dumps(clips))
            os.replace(files[-1].with_suffix(".new"), files[-1])
        done += sum(map(len, group))
        print(f"{name}: {done}/{len(jobs)} clips, {time.time() - started:.0f} s", flush=True)
    clips = [c for file in files for c in pickle.loads(file.read_bytes())]
    print(f"{name}: {len(jobs) - len(clips)} failed", flush=True)
    if clips:
        save(folder, name, clips)
    shutil.rmtree(parts)


def assistant_clip(item: tuple[str, str]) -> tuple[np.ndarray, dict]:
    key, text = item
    path = f"{tempfile.gettempdir()}/microturn-{os.getpid()}.wav"
    pieces, starts, at = [], [], 0
    for part in [text] if key.startswith("told:") else domain.answer_parts(key):
        ends = speak(Voice("flite", ASSISTANT), part, path)
        raw = read_wav(path)
        first, last = audible(raw)
        starts += [at / RATE] + [at / RATE + max(0.0, e - first / RATE) for e in ends[:-1]]
        pieces += [scale(raw[first:last], ASSISTANT_RMS), np.zeros(JOIN, np.float32)]
        at += last - first + JOIN
    x = to_int16(np.concatenate(pieces[:-1]))
    return x, {"key": key, "text": text, "voice": f"flite:{ASSISTANT}", "length": len(x), "starts": starts}


def told_texts(rng: random.Random) -> list[str]:
    """What the assistant is told to say in training: sentences about anything, of which a dialogue needs only that they are foreign."""
    return list(dict.fromkeys(foreign.sentence(rng) if rng.random() < 0.6 else f"{foreign.sentence(rng)} and {foreign.sentence(rng)}" for _ in range(TOLD)))


PLANS = {"bank-train": plan_training, "bank-held": plan_held, "bank-natural": plan_natural, "bank-more": plan_more, "bank-foreign": plan_foreign, "bank-slt": plan_slt,
         "bank-train-filler": plan_filled}


def share(argument: str) -> tuple[str, float]:
    """`bank-natural=0.2`: how much of a bank is made. Raises ArgumentTypeError for what is no bank or no share."""
    name, _, value = argument.partition("=")
    try:
        part = float(value)
    except ValueError:
        part = -1
    if name not in PLANS or not 0 <= part <= 1:
        raise argparse.ArgumentTypeError(f"{argument!r} is not a bank and a share from 0 to 1, such as bank-natural=0.2; banks: {', '.join(PLANS)}")
    return name, part


def thinned(jobs: list[tuple], part: float) -> list[tuple]:
    """A share of the jobs, from everywhere in their order, which is by request; of natural voices, of which a few jobs have each, the first ones."""
    if jobs and all(job[2].engine == "kokoro" for job in jobs):
        return jobs[:round(len(jobs) * part)]
    return [job for i, job in enumerate(jobs) if int((i + 1) * part) > int(i * part)]


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("work", nargs="?", default="work")
    a.add_argument("--share", type=share, action="append", default=[], metavar="BANK=SHARE", help="make less of a bank, to save time: bank-natural=0.2")
    args = a.parse_args()
    folder, shares = Path(args.work), dict(args.share)
    folder.mkdir(parents=True, exist_ok=True)
    with multiprocessing.Pool(2) as pool:
        if {m["key"]: m["text"] for m in index(folder, "bank-assistant")} != domain.answers():
            (folder / "bank-assistant.json").unlink(missing_ok=True)
            save(folder, "bank-assistant", pool.map(assistant_clip, list(domain.answers().items())))
        texts = told_texts(random.Random(5))
        if [m["text"] for m in index(folder, "bank-told")] != texts:
            (folder / "bank-told.json").unlink(missing_ok=True)
            save(folder, "bank-told", pool.map(assistant_clip, [(f"told:{i}", text) for i, text in enumerate(texts)]))
        kokoro.fetch(folder)
        for seed, (name, plan) in enumerate(PLANS.items(), 1):
            there = {m["key"].partition(":")[0] for m in index(folder, name)}
            lacking = [key for key in domain.keys() if key.partition(":")[0] not in there]   # all, or those of requests that are new
            jobs = thinned(plan(random.Random(seed), lacking), shares.get(name, 1.0))
            if jobs:
                make(folder, name, jobs, pool)
    phones.write(folder)


if __name__ == "__main__":
    main()
