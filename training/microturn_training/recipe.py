"""The recipe: one file that holds every choice of a run, read once when the package is imported.

`mini.toml` beside the package, or the file that the environment variable MICROTURN_RECIPE names. Every run keeps a copy of what it was
made by (`recipe.json` in its folder).
"""
from __future__ import annotations

import os
import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path

MINI = Path(__file__).parent.parent / "mini.toml"


@dataclass(frozen=True)
class Training:
    seed: int
    minutes: float       # the learning rate follows the clock and has come down at their end
    warmup: int          # steps until the learning rate is up
    rate: float          # of AdamW: embeddings, norms, convolutions, routers, heads
    muon_rate: float     # of Muon: the hidden matrices
    part: int            # dialogues that one process handles at a time
    parts: int           # parts in a batch


@dataclass(frozen=True)
class Loss:
    """Weights of the parts of the loss."""

    text: float
    heard: float
    speech: float
    control: float
    color: float         # probe: the colour seen
    spoken: float        # probe: the word being said
    decision: float      # of positions where something starts or ends, and of those where it only might have, against others


@dataclass(frozen=True)
class Timing:
    """When things happen, ms."""

    reply_after: int     # of silence are heard before a reply starts
    heard_after: int     # a transcribed word appears after its end
    spoken_after: int    # the probe for the word being said is asked about a moment so long ago
    stop_after: int      # silence after the end of a short "stop"
    yield_after: int     # silence after the beginning of a request that breaks in
    count_pace: int      # from number to number
    story_gap: int       # between two sentences of the story


@dataclass(frozen=True)
class DialogueShares:
    turns: int                      # micro-turns of a dialogue
    camera: float                   # share of dialogues with one
    late: list[float]               # how often a reply starts 0, 1, ... micro-turns after it could
    late_yield: list[float]         # the same for silence when the user breaks in
    bare_digits: float              # of the digits to be repeated: cut out of a sentence, so that every voice says every digit alone
    hesitates: float                # of the requests without a pause of their own are cut in the middle
    natural_copies: int             # how often natural voices are drawn against others; their clips are costly, so there are fewer
    requests: dict[str, float]      # how often what is asked, in any unit
    interrupts: dict[str, float]    # what happens during a long reply; shares


@dataclass(frozen=True)
class Microphone:
    """What a microphone does to speech; shares of the dialogues unless said otherwise."""

    echo: float              # the assistant's own voice leaks in
    telephone: float
    room: float
    warped: float            # have their frequencies moved by a factor within `warp`
    warp: list[float]
    masked: float            # have bands of frequencies silenced
    quiet: float             # no noise at all
    faint: float             # noise with a signal-to-noise ratio of `faint_snr`; all others have `snr`
    faint_snr: list[float]   # dB, lowest and highest
    snr: list[float]


@dataclass(frozen=True)
class Recipe:
    model: dict
    training: Training
    loss: Loss
    timing: Timing
    dialogue: DialogueShares
    microphone: Microphone

    def to_dict(self) -> dict:
        return asdict(self)


def load(path: Path) -> Recipe:
    """Reads a recipe. Raises ValueError, with the file and the field, for one that is missing, unknown or of another kind."""
    values = _with_base(path)
    parts = {"training": Training, "loss": Loss, "timing": Timing, "dialogue": DialogueShares, "microphone": Microphone}
    unknown = values.keys() - parts.keys() - {"model"}
    if unknown or "model" not in values:
        raise ValueError(f"{path}: expected the tables model, {', '.join(parts)}, got {', '.join(values)}")
    return Recipe(model=values["model"], **{name: _part(path, name, kind, values.get(name, {})) for name, kind in parts.items()})


def _part(path: Path, name: str, kind: type, values: dict):
    names = {f.name for f in fields(kind)}
    for what, wrong in (("unknown", values.keys() - names), ("missing", names - values.keys())):
        if wrong:
            raise ValueError(f"{path}: [{name}] has {what} fields: {', '.join(sorted(wrong))}")
    for f in fields(kind):
        wanted = {"int": int, "float": (int, float)}.get(f.type.partition("[")[0], list if f.type.startswith("list") else dict)
        if not isinstance(values[f.name], wanted) or isinstance(values[f.name], bool):
            raise ValueError(f"{path}: [{name}] {f.name} must be {f.type}, got {values[f.name]!r}")
    for shares in ("late", "late_yield", "interrupts"):
        some = values.get(shares, [1])
        total = sum(some.values() if isinstance(some, dict) else some)
        if abs(total - 1) > 1e-9:
            raise ValueError(f"{path}: [{name}] {shares} must add up to 1, got {total:g}")
    return kind(**values)


def _with_base(path: Path) -> dict:
    with path.open("rb") as file:
        values = tomllib.load(file)
    base = values.pop("base", None)
    return values if base is None else _merged(_with_base(path.parent / base), values)


def _merged(base: dict, more: dict) -> dict:
    """Tables are merged, everything else is replaced."""
    out = dict(base)
    for key, value in more.items():
        out[key] = _merged(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
    return out


RECIPE = load(Path(os.environ.get("MICROTURN_RECIPE", MINI)))
