"""Whether speech made from letters can be understood: a recogniser that never heard the voice writes down what it hears.

Sentences of `told.py`, said by the acoustic model through the vocoder, by the assistant's own voice (flite), and by that voice through levels
and vocoder; character error rate of each. The recogniser is that of `recogniser.py`.
"""
from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from . import acoustic, acoustic_data, vocoder, vocoder_data
from .dmel import DMEL_SPEECH
from .recogniser import Recogniser, letters_of
from .told import SENTENCES


def errors(reference: Sequence, heard: Sequence) -> int:
    """Least number of characters, or of what else these are sequences of, to insert, delete or replace."""
    row = list(range(len(heard) + 1))
    for i, a in enumerate(reference, 1):
        new = [i]
        for j, b in enumerate(heard, 1):
            new.append(min(row[j] + 1, new[j - 1] + 1, row[j - 1] + (a != b)))
        row = new
    return row[-1]


def character_error(recogniser: Recogniser, clips: list[np.ndarray], texts: list[str], show: int = 0) -> float:
    wrong = total = 0
    for i, (x, text) in enumerate(zip(clips, texts)):
        reference, heard = letters_of(text), letters_of(recogniser.hear(x))
        wrong += errors(reference, heard)
        total += len(reference)
        if i < show:
            print(f"  {reference}\n  {heard}", flush=True)
    return round(wrong / total, 4)


def network_of(folder: Path) -> acoustic.AcousticModel:
    """The acoustic model of an exported model folder, or of a checkpoint."""
    net = acoustic.AcousticModel()
    if folder.is_dir():
        weights = load_file(folder / "model.safetensors")
        net.load_state_dict({k: weights[f"microturn.acoustic.{k}"].float() for k in net.state_dict()})
    else:
        net.load_state_dict(torch.load(folder)["net"])
    return net.eval()


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("model", type=Path, help="a model folder, or a checkpoint of the acoustic model")
    a.add_argument("--vocoder", type=Path, default=Path("work/vocoder/vocoder.safetensors"), help="weights, if `model` is no folder")
    a.add_argument("-n", type=int, default=len(SENTENCES))
    a.add_argument("--show", type=int, default=0, help="print what is heard in so many")
    args = a.parse_args()
    net = network_of(args.model)
    weights = load_file(args.model / "model.safetensors" if args.model.is_dir() else args.vocoder)
    voice = vocoder.VocoderNetwork.from_weights({k: v.float() for k, v in weights.items() if k.startswith("microturn.vocoder.")})
    texts, recogniser = SENTENCES[: args.n], Recogniser()
    source = [vocoder_data.say(t) for t in texts]
    kinds = {"source voice": source,
             "source voice through levels and vocoder": [vocoder.render(voice, DMEL_SPEECH.levels(np.pad(x, (0, -len(x) % DMEL_SPEECH.hop)))) for x in source],
             "acoustic model": [vocoder.render(voice, net.speak(t)) for t in texts]}
    result = {"sentences": len(texts)} | {kind: character_error(recogniser, clips, texts, args.show if kind == "acoustic model" else 0) for kind, clips in kinds.items()}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
