"""Draws what a run logged: `python -m microturn_training.curves work/run1/log.jsonl [more.jsonl ...] PICTURE.png`.

Several logs are runs that went on from one another, in order. Needs matplotlib, which the recipe itself does not.
"""
from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

PANELS = {
    "loss (nats)": ["text", "heard", "control", "speech", "color", "shape", "jumped", "moved", "going_on", "glance", "spoken", "phone"],
    "share right, teacher-forced": ["text_right", "heard_right", "spoken_right", "phone_right", "glance_right", "jumped_right", "switch_right"],
    "choices that fell on the busiest and idlest expert": ["max_load", "min_load"],
}


def read(logs: list[Path]) -> dict[str, np.ndarray]:
    """All rows of the logs as columns; `step` counts on from log to log. A value that a row lacks is NaN.

    A run that was stopped and went on from its checkpoint did some steps twice: the later ones count."""
    rows, done = [], 0
    for log in logs:
        part: list[dict] = []
        for row in map(json.loads, log.read_text().splitlines()):
            part = [before for before in part if before["step"] < row["step"]] + [row]
        if not part:
            raise ValueError(f"curves: {log} is empty")
        rows += [row | {"step": done + row["step"]} for row in part]
        done = rows[-1]["step"]
    names = ["step", *(name for panel in PANELS.values() for name in panel)]
    return {name: np.array([row.get(name, np.nan) for row in rows], float) for name in names}


def smooth(values: np.ndarray, width: int) -> np.ndarray:
    """Mean over the `width` values around each, fewer at the ends; those that are NaN are left out, and where all are it is NaN."""
    known = np.convolve(~np.isnan(values), np.ones(width), "same")
    return np.where(known > 0.5, np.convolve(np.nan_to_num(values), np.ones(width), "same") / np.maximum(known, 1), np.nan)


def draw(columns: dict[str, np.ndarray], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    width = max(1, len(columns["step"]) // 60)
    figure, axes = plt.subplots(1, len(PANELS), figsize=(13, 3.6))
    for axis, (title, names) in zip(axes, PANELS.items()):
        for name in names:
            if not np.isnan(columns[name]).all():
                axis.plot(columns["step"], smooth(columns[name], width), label=name.replace("_", " "), linewidth=1.2)
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("steps", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)
    axes[0].set_yscale("log")
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    *logs, picture = map(Path, sys.argv[1:])
    draw(read(logs), picture)


if __name__ == "__main__":
    main()
