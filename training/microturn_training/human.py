"""People's voices for the clip bank, and what evaluation cases do with them: recordings under licences that allow training and shipping what was trained.

`work/human/an4`: the AN4 database of CMU (`wav/**/*.raw`, big-endian, and `etc/*.transcription`); licence of the BSD kind, its notice is
in the model card. People say digits, letters, names of months and streets, and commands.
`work/human/speech_commands`: folders of one word each of Google's Speech Commands (Warden 2018, arXiv:1804.03209; CC BY 4.0).
`work/human/speech_commands_more`: more of it, all for training; people who are kept for evaluation are left out.
`work/human/picovoice`: orders at a coffee bar (`speech/clean`) and words that wake a device (`audio/<word>`), from Picovoice's
benchmarks of speech to intent and of wake words (Apache-2.0). Who says what is not told there.
README.md tells where they come from. What is not there is left out, and said so.

Where words begin and end is found by pocketsphinx, which is told what was said; of the orders Moonshine tiny writes it down. Some people are kept for evaluation: the speakers of
AN4's test set, and a quarter of those of Speech Commands. The speakers of the Free Spoken Digit Dataset are heard in evaluation only.
"""
from __future__ import annotations

import random
import re
import sys
from pathlib import Path

import numpy as np

from . import domain, phones
from .align import Aligner
from .recogniser import Recogniser, letters_of
from .sound import RATE, TAIL, audible, loudness, read_wav, scale, stretches, to_int16
from .synthesis import USER_RMS, save

# Requests that one word is. Any other word of Speech Commands is foreign speech.
COMMANDS = {"stop": "stop", "yes": "back", "right": "back"} | {word: f"digit:{i}" for i, word in enumerate(domain.DIGITS)}
HELD = "0123"         # people in `speech_commands` whose code begins so are kept for evaluation
FOREIGN = 90          # clips of each word that is foreign speech
# Clips of each word in `speech_commands_more` at most; few backchannels, because people say "yes" and "right" there, and programs "uh huh".
MOST = {"digit": 450, "stop": 300, "back": 100}
WAKING = 60           # clips of each word that wakes a device
SPELLED = {"snowboy": "snow boy"}   # for the aligner's dictionary
CLEAR = 5             # the loudest 10 ms of a usable word against the recording's quiet ones
MARGIN = 0.12         # seconds around an aligned border in which the audible one is looked for
PAUSE = 0.1           # seconds of silence that are a pause between two words; a "t" is quiet for less
BORDER = 0.05         # seconds that an aligned border may be off


def edges(x: np.ndarray, start: float, end: float) -> tuple[int, int] | None:
    """The audible samples near an aligned stretch; None if they do not stand out of the recording's noise."""
    e = loudness(x)
    quiet = np.quantile(e, 0.1) + 1e-6
    a, b = max(0, int((start - MARGIN) * RATE)), min(len(x), int((end + MARGIN) * RATE))
    loudest = e[a:b].max() if b > a else 0
    if loudest < CLEAR * quiet:
        return None
    k = np.flatnonzero(e[a:b] > max(2.5 * quiet, 0.04 * loudest))
    return a + int(k[0]), a + int(k[-1]) + 1


def cut(x: np.ndarray, first: int, last: int, ends: list[float], key: str, text: str, speaker: str) -> tuple[np.ndarray, dict] | None:
    """A clip as those of synthesis.py: from TAIL samples before its first audible one to TAIL after its last."""
    if last - first < RATE // 12:
        return None
    x = np.pad(x, TAIL)[first:last + 2 * TAIL]
    words = [int(min(max(end * RATE - first + TAIL, TAIL), len(x) - TAIL)) for end in ends]
    words[-1] = len(x) - TAIL
    fade = np.linspace(0, 1, TAIL, dtype=np.float32)
    x[:TAIL] *= fade
    x[-TAIL:] *= fade[::-1]
    x = scale(x, USER_RMS)
    return to_int16(x), {"key": key, "text": text, "voice": speaker, "held": False, "length": len(x), "words": words, "gap": None}


Clips = tuple[list[tuple[np.ndarray, dict]], list[tuple[np.ndarray, dict]]]   # of training, and of the people kept for evaluation


def an4(folder: Path, aligner: Aligner) -> Clips:
    """Whole utterances as foreign speech, or as the request that they are, and every digit in them as a clip of its own."""
    clips: Clips = [], []
    for mine, name in zip(clips, ("an4_train", "an4_test")):
        for line in (folder / "etc" / f"{name}.transcription").read_text().splitlines():
            match = re.fullmatch(r"(?:<s> )?(.*?)(?: </s>)? \((\S+)\)", line.strip())
            file = next((folder / "wav").glob(f"*/*/{match[2]}.raw"), None) if match else None
            if file is None:
                continue
            x = np.frombuffer(file.read_bytes(), ">i2").astype(np.float32) / 32768
            text, voice = match[1].lower(), f"an4:{file.parent.name}"
            found = aligner.words(x, text)
            whole = edges(x, found[0][1], found[-1][2]) if found else None
            if whole is None:
                continue
            mine.append(cut(x, *whole, [end for _, _, end in found], COMMANDS.get(text, "ood"), text, voice))
            for word, start, end in found if len(found) > 1 else []:
                if word in domain.DIGITS:
                    mine.append(cut(x, int(start * RATE), int(end * RATE), [end], f"digit:{domain.DIGITS.index(word)}", word, voice))
    return tuple([c for c in some if c] for some in clips)


def speaker_of(file: Path) -> str:
    """The code of the person who speaks in a file of Speech Commands."""
    return file.name.split("_")[0]


def word_alone(file: Path, key: str, aligner: Aligner) -> tuple[np.ndarray, dict] | None:
    """The clip of a file of Speech Commands; None if its word cannot be found in it."""
    x, word = read_wav(str(file)), file.parent.name
    found = aligner.words(x, word)
    span = edges(x, found[0][1], found[-1][2]) if found else None
    return cut(x, *span, [span[1] / RATE], key, word, f"speech_commands:{speaker_of(file)}") if span else None


def speech_commands(folder: Path, aligner: Aligner) -> Clips:
    """Every file as the request that its word is; of words that are none, some, as foreign speech."""
    clips: Clips = [], []
    for words in sorted(f for f in folder.iterdir() if f.is_dir() and not f.name.startswith("_")):
        key = COMMANDS.get(words.name, "ood")
        files = sorted(words.glob("*.wav"))
        for file in random.Random(4).sample(files, min(len(files), FOREIGN)) if key == "ood" else files:
            clips[file.name[0] in HELD].append(word_alone(file, key, aligner))
    return tuple([c for c in some if c] for some in clips)


def more_speech_commands(folder: Path, aligner: Aligner) -> Clips:
    """Some files of each word that is a request, of people who are not heard in evaluation."""
    held = {speaker_of(file) for file in (folder.parent / "speech_commands").glob("*/*.wav") if file.name[0] in HELD}
    clips = []
    for words in sorted(f for f in folder.iterdir() if f.name in COMMANDS):
        heard = {file.name for file in (folder.parent / "speech_commands" / words.name).glob("*.wav")}
        files = [file for file in sorted(words.glob("*.wav")) if speaker_of(file) not in held and file.name not in heard]
        key = COMMANDS[words.name]
        for file in random.Random(6).sample(files, min(len(files), MOST[key.partition(":")[0]])):
            clips.append(word_alone(file, key, aligner))
    return [c for c in clips if c], []


def picovoice(folder: Path, aligner: Aligner) -> Clips:
    """Orders at a coffee bar and words that wake a device, all of them foreign speech and none kept for evaluation."""
    recogniser, clips = Recogniser(), []
    orders = sorted((folder / "speech" / "clean").glob("*.wav"))
    said = [(file, letters_of(recogniser.hear(read_wav(str(file))))) for file in orders]
    for words in sorted(f for f in (folder / "audio").glob("*") if f.is_dir()):
        files = sorted(words.glob("*.wav"))
        said += [(file, SPELLED.get(words.name, words.name)) for file in random.Random(5).sample(files, min(len(files), WAKING))]
    for file, text in said:
        x = read_wav(str(file))
        found = aligner.words(x, text) if text else None
        span = edges(x, found[0][1], found[-1][2]) if found else None
        if span and not domain.is_request(text):
            clips.append(cut(x, *span, [end for _, _, end in found], "ood", text, f"picovoice:{file.stem}"))
    return [c for c in clips if c], []


def alone(meta: dict) -> bool:
    """Whether a clip is a recording of one word, and not cut out of a sentence."""
    return meta["voice"].startswith("speech_commands:")


def sentence(meta: dict) -> bool:
    return " " in meta["text"]


def tellers(clips: list[dict], least: int) -> list[list[dict]]:
    """The sentences of each person who says at least so many different ones."""
    voices: dict[str, dict[str, dict]] = {}
    for meta in filter(sentence, clips):
        voices.setdefault(meta["voice"], {})[meta["text"]] = meta
    return [list(said.values()) for _, said in sorted(voices.items()) if len(said) >= least]


def silences(x: np.ndarray, words: list[int]) -> list[list[int]]:
    """The pauses between the words of a clip, whose last samples are `words`: from sample to sample, and after how many words."""
    loud = loudness(x)
    silent = stretches(loud < max(2.5 * np.quantile(loud, 0.1), 0.04 * loud.max()), PAUSE)
    border = BORDER * RATE
    return [[a, b, after] for a, b in silent for after, end in enumerate(words[:-1], 1) if a - border < end < b + border]


def lengthened(x: np.ndarray, a: int, b: int, seconds: float) -> np.ndarray:
    """A recording whose pause from sample `a` to `b` lasts so much longer, with the quiet of its room."""
    middle, edge = (a + b) // 2, (b - a) // 4
    quiet = x[a + edge:b - edge]
    return np.concatenate([x[:middle], np.resize(np.concatenate([quiet[::-1], quiet]), int(seconds * RATE)), x[middle:]])


def recorded_digits(folder: Path) -> dict[tuple[str, int], list[Path]]:
    """The recordings of the Free Spoken Digit Dataset by speaker and digit. Raises SystemExit if there are none."""
    takes: dict[tuple[str, int], list[Path]] = {}
    for path in sorted(folder.glob("*_*_*.wav")):
        digit, speaker, _ = path.stem.split("_")
        takes.setdefault((speaker, int(digit)), []).append(path)
    if not takes:
        raise SystemExit(f"{folder}: no recordings named <digit>_<speaker>_<take>.wav")
    return takes


def recorded(path: Path, rms: float) -> np.ndarray:
    """A recording from TAIL samples before its first audible one to TAIL after its last, as loud as the clips."""
    x = read_wav(str(path))
    first, last = audible(x)
    return scale(np.pad(x, TAIL)[first + TAIL:last + TAIL], rms)


def main() -> None:
    work = Path(sys.argv[1] if len(sys.argv) > 1 else "work")
    clips, aligner = ([], []), Aligner()
    for name, read in (("an4", an4), ("speech_commands", speech_commands), ("speech_commands_more", more_speech_commands), ("picovoice", picovoice)):
        folder = work / "human" / name
        if not folder.exists():
            print(f"{folder} is not there: training will hear fewer people (README.md tells where to get it)", flush=True)
            continue
        for mine, found, use in zip(clips, read(folder, aligner), ("to train", "to evaluate")):
            print(f"{name}: {len(found)} clips of {len({meta['voice'] for _, meta in found})} people {use}", flush=True)
            mine += found
    for name, some in zip(("bank-human", "bank-human-held"), clips):
        if some:
            (work / f"{name}.json").unlink(missing_ok=True)
            save(work, name, some)
    phones.write(work)


if __name__ == "__main__":
    main()
