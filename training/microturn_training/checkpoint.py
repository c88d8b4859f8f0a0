"""What training keeps: weights, probes, the memory of the optimisers, and how far it is.

A checkpoint goes on with words, probes and fields that are younger than it. Losing the optimisers' memory costs most of an hour, so rows of
words take theirs along to where the words are now.
"""
from __future__ import annotations

import json
import os
from pathlib import Path

import torch
from safetensors.torch import load_file

from .domain import VOCABULARY
from .model import Config, Duplex
from .muon import Muon
from .recipe import RECIPE

# tables with a row for each word
WORDS = {"lm_head.weight", "model.language_model.embed_tokens.weight", "microturn.heard_table.weight", "microturn.heard_head.weight",
         "probes.spoken.weight", "probes.spoken.bias"}


class Places:
    """Where the rows of words were, and where they are now."""

    def __init__(self, before: list[str]):
        place = {w: i for i, w in enumerate(before)}
        kept = [(i, place[w]) for i, w in enumerate(VOCABULARY) if w in place]
        self.now, self.then = (torch.tensor(x) for x in zip(*kept))

    def move(self, name: str, old: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
        """`old` in the shape of `new`, whose rows of new words stay as they are."""
        if name not in WORDS:
            return old
        new = new.clone()
        new[self.now] = old[self.then].to(new.dtype)
        return new


def known_sizes(saved: dict) -> dict:
    """A checkpoint's sizes; a field that is younger than it has its default. Raises ValueError for a field that is no more."""
    try:
        return Config(**saved).to_dict()
    except TypeError:
        raise ValueError(f"the checkpoint is of another version: there is no size {', '.join(sorted(saved.keys() - Config.__dataclass_fields__.keys()))}") from None


def different(one: dict, other: dict) -> list[str]:
    """Keys whose values differ, but for the number of words; a tuple is a list."""
    one, other = (json.loads(json.dumps(x)) for x in (one, other))
    return sorted(k for k in one.keys() | other.keys() if one.get(k) != other.get(k) and k != "vocab_size")


def initial_weights(net: Duplex, source: str) -> None:
    """Takes the weights of a checkpoint or model folder. Rows of words go to where the words are now; new words start small."""
    path = Path(source)
    if path.is_dir():
        old, vocabulary = load_file(path / "model.safetensors"), json.loads((path / "tokenizer.json").read_text())["tokens"]
    else:
        saved = torch.load(path)
        old, vocabulary = saved["net"], saved["vocabulary"]
    places = Places(vocabulary)
    net.load_state_dict({name: places.move(name, old[name].float(), value) for name, value in net.state_dict().items()})


class Training:
    """A model being trained: Muon moves the hidden matrices, AdamW the rest and the probes."""

    def __init__(self, net: Duplex, probes: torch.nn.Module, rate: float, precision: torch.dtype):
        self.net, self.probes, self.step, self.minutes = net, probes, 0, 0.0
        hidden = [(n, p) for n, p in net.named_parameters() if ".layers." in n and p.dim() > 1 and "sconv" not in n and "gate.weight" not in n and "rel_logits" not in n]
        others = [(n, p) for n, p in net.named_parameters() if n not in {name for name, _ in hidden}]
        groups = [[(n, p) for n, p in others if p.dim() > 1], [(n, p) for n, p in others if p.dim() <= 1],
                  [(f"probes.{n}", p) for n, p in probes.named_parameters()]]
        self.names = [n for group in groups for n, _ in group]   # in the order of AdamW's states
        self.muon = Muon(precision=precision, parameters=[(p, 2 if n.endswith("gate_up_proj") else 1) for n, p in hidden])
        self.optimizer = torch.optim.AdamW([{"params": [p for _, p in group], "weight_decay": decay} for group, decay in zip(groups, (0.03, 0.0, 0.0))],
                                           lr=rate, betas=(0.9, 0.98), fused=True)

    def save(self, path: Path) -> None:
        new = f"{path}.new"
        torch.save({"net": self.net.state_dict(), "optimizer": self.optimizer.state_dict(), "muon": self.muon.state_dict(), "probes": self.probes.state_dict(),
                    "step": self.step, "minutes": self.minutes, "config": self.net.c.to_dict(), "vocabulary": VOCABULARY, "recipe": RECIPE.to_dict(),
                    "names": self.names}, new)
        os.replace(new, path)

    def resume(self, saved: dict, path: Path) -> None:
        """Goes on from a checkpoint. Raises ValueError if it has other sizes."""
        other = different(known_sizes(saved["config"]), self.net.c.to_dict())
        if other:
            raise ValueError(f"{path} was trained with other sizes ({', '.join(other)}): go on with the recipe it was made by, or give another --run")
        if "muon" not in saved:
            raise ValueError(f"{path} is a mean, without the memory of optimisers: begin another --run with it as --initial")
        places = Places(saved["vocabulary"])
        self.net.load_state_dict({n: places.move(n, saved["net"][n], value) for n, value in self.net.state_dict().items()})
        self.probes.load_state_dict({n: places.move(f"probes.{n}", saved["probes"].get(n, value), value) for n, value in self.probes.state_dict().items()})
        self.muon.load_state_dict(saved["muon"])
        self._remember(saved, places)
        self.step, self.minutes = saved["step"], saved["minutes"]

    def _remember(self, saved: dict, places: Places) -> None:
        there = {*saved["net"], *(f"probes.{n}" for n in saved["probes"])}
        states = dict(zip(saved.get("names") or [n for n in self.names if n in there], saved["optimizer"]["state"].values(), strict=True))
        parameters = dict(zip(self.names, (p for group in self.optimizer.param_groups for p in group["params"])))

        def moments(name: str, p: torch.Tensor) -> dict:
            empty = {"step": torch.tensor(float(saved["step"])), "exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
            old = states.get(name)
            return empty if old is None else {k: v if k == "step" else places.move(name, v, empty[k]) for k, v in old.items()}
        now = self.optimizer.state_dict()
        now["state"] = {i: moments(name, p) for i, (name, p) in enumerate(parameters.items())}
        self.optimizer.load_state_dict(now)
