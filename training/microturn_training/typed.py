"""Requests as they sound when somebody types them: `mini` has no place for text, so what is typed is spoken into its ear
(`session.sendText`), by its own acoustic model and vocoder. This voice is like no other: a model that never heard it mistakes what is typed.
"""
from __future__ import annotations

import argparse
import functools
import multiprocessing
import random
import re
import shutil
from pathlib import Path

import numpy as np
import torch

from . import acoustic, domain, foreign, judge_told, phones, vocoder, wishes
from .acoustic_data import FRAMES_PER_SECOND
from .dmel import DMEL_SPEECH
from .sound import RATE
from .synthesis import CLIPS, OTHERS, finish, in_parts, phrasings, with_comma, words_before_pause
from .voices import Voice

BANK = "bank-typed"
VOICE = Voice("typed", "mini")
SHARE = 0.15       # of the clips per request of `bank-train`: twice each (`[dialogue.copies]`), one of eight
FOREIGN, WISHES = 400, 2000   # sentences about anything: most of what is typed is for the background model; one of four
ENDS = ["", "", ".", "?"]   # what a typed request ends with
BATCH = 20


def plan(rng: random.Random) -> list[tuple]:
    """The clips to make: (key, text, voice, held phrasing, words before the pause or 0)."""
    texts = [(key, text) for key in domain.keys() for text in phrasings(rng, key, max(3, round(SHARE * CLIPS.get(key.partition(":")[0], OTHERS))))]
    texts += [("ood", foreign.sentence(rng)) for _ in range(FOREIGN)] + [("ood", wishes.wish(rng)) for _ in range(WISHES)]
    return [(key, text, VOICE, False, words_before_pause(rng, key, text)) for key, text in texts]


def word_ends(text: str, lengths: np.ndarray) -> list[float]:
    """Seconds at which the words of a text end, from the frames of its letters and of what stands before and after it."""
    ends = np.cumsum(lengths)
    return [float(ends[found.end()]) / FRAMES_PER_SECOND for found in re.finditer(r"[a-z']+", text)]   # places are one further: something stands before


@functools.cache
def voice_of(folder: Path) -> tuple[acoustic.AcousticModel, vocoder.VocoderNetwork]:
    torch.set_num_threads(1)
    return judge_told.network_of(folder / "acoustic" / "checkpoint.pt"), vocoder.load(folder / "vocoder" / "vocoder.safetensors")


def spoken(folder: Path, jobs: list[tuple]) -> list[tuple[np.ndarray, dict] | None]:
    """One clip for each job."""
    letters, sound = voice_of(folder)
    out = []
    for key, text, voice, held, split in jobs:
        written = with_comma(text, split) + ENDS[len(out) % len(ENDS)]
        lengths, logits = letters.logits(written)
        x = vocoder.render(sound, logits.argmax(-1).to(torch.uint8).numpy(), silence=vocoder.CONTEXT)
        x = np.pad(x, DMEL_SPEECH.hop)   # the first letter may sound at once, and `finish` trims what is silent
        ends = [end + DMEL_SPEECH.hop / RATE for end in word_ends(written, acoustic.whole(lengths[None])[0].numpy())]
        try:
            out.append(finish(x, ends, key, text, voice, held, split))
        except ValueError:   # nothing is heard
            out.append(None)
    return out


def main() -> None:
    """Makes `bank-typed` in the work folder, anew; its acoustic model and vocoder must be there."""
    a = argparse.ArgumentParser(description=main.__doc__)
    a.add_argument("work", nargs="?", default="work")
    folder = Path(a.parse_args().work)
    jobs = plan(random.Random(8))
    (folder / f"{BANK}.json").unlink(missing_ok=True)
    shutil.rmtree(folder / f"{BANK}.parts", ignore_errors=True)   # of a voice that may have been another
    with multiprocessing.Pool(2) as pool:
        in_parts(folder, BANK, jobs, [jobs[i:i + BATCH] for i in range(0, len(jobs), BATCH)], functools.partial(spoken, folder), pool)
    phones.write(folder)


if __name__ == "__main__":
    main()
