"""Whether the model's own free-running speech says the words it emitted: an independent recogniser decides."""
from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from . import domain, judge, vocoder
from .dialogue import Generator, Mix
from .evaluate import spoken
from .export import load
from .generate import generate

INTENTS = ["greet", "name", "how", "thanks", "bye", "ood", "sum", "sum", "sum", "say", "digit", "blind"]


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("checkpoint")
    a.add_argument("--work", type=Path, default=Path("work"))
    a.add_argument("-n", type=int, default=60)
    args = a.parse_args()
    net, _ = load(args.checkpoint)
    generator = Generator(args.work, 21, "bank-train", turns=40, mix=Mix(augment=False, snr_db=30, echo=0, late=False))
    blank = generator.dialogue([("back", "none")], camera=False)
    keys = [("color" if i == "blind" else generator.pick(i, blank, 0)) for i in (INTENTS[k % len(INTENTS)] for k in range(args.n))]
    dialogues = [generator.dialogue([(k, "none")], camera=False) for k in keys]
    audio = torch.from_numpy(np.stack([generator.example(d)["audio"] for d in dialogues]))
    out = generate(net, audio, torch.zeros(args.n, dtype=torch.bool), torch.zeros(0, generator.turns, 2, 40, 39, 3, dtype=torch.uint8))
    network = vocoder.load(str(args.work / "vocoder" / "vocoder.safetensors"))
    clips, texts = [], []
    for text, speech in zip(out["text"].numpy(), out["speech"].numpy()):
        if text.max() > 1 and speech.max() > 0:
            clips.append(vocoder.render(network, speech.reshape(-1, 80)))
            texts.append(" ".join(spoken(text)))
    sentences = [" ".join(domain.words(t)) for t in domain.answers().values()]
    known = [i for i, t in enumerate(texts) if t in set(sentences)]
    result = judge.understood([clips[i] for i in known], [texts[i] for i in known], sentences)
    print(json.dumps({"replies": len(clips), "whole answers": len(known), **result}))


if __name__ == "__main__":
    main()
