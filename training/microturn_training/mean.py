"""The mean of checkpoints of one run, or of runs that went on from one another: often better than each of them.

After Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima and Better Generalization", arXiv:1803.05407, and, for shares chosen
by what the mean does, Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", arXiv:2109.01903.
"""
from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from .checkpoint import different


def mean(checkpoints: list[tuple[dict, float]], last_of: Sequence[str] = ()) -> dict:
    """The last checkpoint with the mean of all weights, by shares, but for those with one of `last_of` in their names; the memory of its optimisers is of
    other weights, and left out. Raises ValueError if the shares do not add up to 1, if sizes or words differ, or if no weight has such a name."""
    if abs(sum(share for _, share in checkpoints) - 1) > 1e-6:
        raise ValueError(f"shares must add up to 1, got {', '.join(str(share) for _, share in checkpoints)}")
    last, _ = checkpoints[-1]
    for saved, _ in checkpoints:
        if different(saved["config"], last["config"]) or saved["vocabulary"] != last["vocabulary"]:
            raise ValueError("checkpoints of other sizes or with other words have no mean: go on from one of them first")
    for part in last_of:
        if not any(part in name for name in last["net"]):
            raise ValueError(f"no weight has {part!r} in its name")
    def averaged(name: str, value: torch.Tensor) -> torch.Tensor:
        if not value.is_floating_point() or any(part in name for part in last_of):
            return value
        return sum(share * saved["net"][name].float() for saved, share in checkpoints).to(value.dtype)
    net = {name: averaged(name, value) for name, value in last["net"].items()}
    return {key: value for key, value in last.items() if key not in ("optimizer", "muon")} | {"net": net}


def part(text: str) -> tuple[Path, float]:
    """`file=share`."""
    file, _, share = text.rpartition("=")
    try:
        return Path(file), float(share)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not FILE=SHARE") from None


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("checkpoints", nargs="+", type=part, metavar="FILE=SHARE")
    a.add_argument("out", type=Path)
    a.add_argument("--last-of", action="append", default=[], metavar="NAME", help="weights with this in their names are those of the last checkpoint: heard")
    args = a.parse_args()
    try:
        torch.save(mean([(torch.load(file, map_location="cpu"), share) for file, share in args.checkpoints], args.last_of), args.out)
    except (ValueError, OSError) as error:   # also a file that is not there
        a.error(str(error))


if __name__ == "__main__":
    main()
