"""Plays a recording to a checkpoint and prints what was heard and said, micro-turn by micro-turn."""
from __future__ import annotations

import argparse

import numpy as np
import torch

from .domain import VOCABULARY
from .timeline import OUTPUTS, TURN
from .dmel import DMEL_20
from .export import load
from .generate import generate
from .model import SPEAK
from .recipe import RECIPE
from .sound import RATE, read_wav


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("checkpoint")
    a.add_argument("wav", nargs="+")
    args = a.parse_args()
    net, saved = load(args.checkpoint)
    print(f"step {saved['step']}")
    for path in args.wav:
        x = read_wav(path)
        x = np.pad(x, (0, -len(x) % TURN))
        audio = torch.from_numpy(DMEL_20.levels(x).reshape(1, -1, 4, 80))
        turns = audio.shape[1]
        out = generate(net, audio, torch.tensor([False]), torch.zeros(0, turns, 2, 40, 39, 3, dtype=torch.uint8),
                       start_margin=RECIPE.decoding.start_margin)
        print(f"{path}: {len(x) / RATE:.1f} s")
        for n in range(turns):
            part = slice(OUTPUTS * n, OUTPUTS * (n + 1))
            heard = [VOCABULARY[t] for t in out["heard"][0, part].tolist() if t]
            text = [VOCABULARY[t] for t in out["text"][0, part].tolist() if t]
            if heard or text:
                speaking = "speaks" if (out["control"][0, part] == SPEAK).any() else ""
                print(f"  {n * 0.2:5.1f} s  {' '.join(heard):24s} | {' '.join(text):24s} {speaking}")


if __name__ == "__main__":
    main()
