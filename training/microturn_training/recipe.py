"""The recipe: one file that holds the choices of a run that were varied, read once when the package is imported.

`mini.toml` beside the package, or the file that the environment variable MICROTURN_RECIPE names. It is read at import because labels
are a function of it everywhere, in every process. A run keeps what each of its starts was made by (`starts.jsonl` in its folder), and its
checkpoint the last of them.
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
    shape: float         # probe: the shape seen
    jumped: float        # probe: whether it is somewhere else than before
    moved: float         # probe: how far it is from where it was before
    going_on: float      # probe: what was asked for that is not over yet
    glance: float        # probe of the vision tower alone: colour, shape and place in images that belong to no dialogue
    spoken: float        # probe: the word being said
    phone: float         # probe: the phone being said
    decision: float      # of positions where something starts or ends, and of those where it only might have, against others


@dataclass(frozen=True)
class Timing:
    """When things happen, ms."""

    reply_after: int     # of silence are heard before a reply starts
    heard_after: int     # a transcribed word appears after its end
    spoken_after: int    # the probe for the word being said is asked about a moment so long ago
    phone_after: int     # the same for the phone
    stop_after: int      # silence after the end of a short "stop"
    yield_after: int     # silence after the beginning of a request that breaks in
    count_pace: int      # from number to number
    story_gap: int       # between two sentences of the story


@dataclass(frozen=True)
class DialogueShares:
    turns: int                      # micro-turns of a dialogue
    camera: float                   # share of dialogues with one
    shapes: float                   # share of those in which it shows a shape from the beginning
    glances: int                    # for each dialogue, so many pairs of images apart, which only the vision tower sees
    lessons: float                  # share of dialogues in which the user talks on and nobody answers: only hearing is taught
    late: list[float]               # how often a reply starts 0, 1, ... micro-turns after it could
    late_yield: list[float]         # the same for silence when the user breaks in
    bare_digits: float              # of the digits to be repeated: cut out of a sentence, so that every voice says every digit alone
    watching: float                 # of the lessons have a camera, before which the world changes all the time
    hesitates: float                # of the requests without a pause of their own are cut in the middle
    foreign_hesitates: float        # the same of foreign speech
    fillers: float                  # of the requests that the bank has with a filler inside are said with it, and with pauses around it
    corrects: float                 # of the requests with a number have it put right
    television: float               # share of dialogues in which somebody else speaks all the time
    copies: dict[str, float]        # how often the clips of each kind of voice are drawn against others: of natural voices there are few
    requests: dict[str, float]      # how often what is asked, in any unit
    interrupts: dict[str, float]    # what happens during a long reply; shares


@dataclass(frozen=True)
class Microphone:
    """How a microphone and a throat change speech; shares of the dialogues unless said otherwise."""

    echo: float              # the assistant's own voice leaks in
    telephone: float
    room: float
    near: float              # the mouth is so near that the lowest frequencies outweigh all others
    warped: float            # of those without leak have their frequencies moved by a factor within `warp`
    warp: list[float]
    masked: float            # have bands of frequencies silenced
    quiet: float             # no noise at all
    faint: float             # noise with a signal-to-noise ratio of `faint_snr`; all others have `snr`
    faint_snr: list[float]   # dB, lowest and highest
    snr: list[float]         # of the noise between 300 and 3400 Hz, where vowels differ, against all of the user's voice


@dataclass(frozen=True)
class Decoding:
    """What is decided when the model runs; goes into the manifest of an export."""

    start_margin: float   # is added to the logit of `listen` while the model listens, 0 to 20: docs/models.md


@dataclass(frozen=True)
class Recipe:
    model: dict
    training: Training
    loss: Loss
    timing: Timing
    dialogue: DialogueShares
    microphone: Microphone
    decoding: Decoding

    def to_dict(self) -> dict:
        return asdict(self)


PARTS = {"training": Training, "loss": Loss, "timing": Timing, "dialogue": DialogueShares, "microphone": Microphone, "decoding": Decoding}
REQUESTS = {"greet", "name", "how", "thanks", "bye", "color", "story", "count", "sum", "say", "digit", "watch", "wait", "ood", "stop", "back",
            "told", "tale", "echo", "every", "clock", "shape", "spot", "jumps"}
VOICES = {"espeak", "flite", "festival", "kokoro", "rhvoice", "pico", "morph", "an4", "speech_commands", "picovoice", "typed"}
INTERRUPTS = {"none", "stop", "back", "barge", "aside", "cough"}
POSITION_MS = 50   # an output position


def load(path: Path) -> Recipe:
    """Reads a recipe. Raises ValueError, with the file and the field, for one that is missing, unknown or out of its range. The fields
    of [model] are checked where the model is made (`model.Config`)."""
    values = _with_base(path)
    expected = ["model", *PARTS]
    for what, wrong in (("unknown", values.keys() - set(expected)), ("missing", expected - values.keys())):
        if wrong:
            raise ValueError(f"{path}: {what} tables: {', '.join(sorted(wrong))}; expected {', '.join(expected)}")
    for name in expected:
        if not isinstance(values[name], dict):
            raise ValueError(f"{path}: {name} must be a table, got {values[name]!r}")
    recipe = Recipe(model=values["model"], **{name: _part(path, name, kind, values[name]) for name, kind in PARTS.items()})
    for problem in _problems(recipe):
        raise ValueError(f"{path}: {problem}")
    return recipe


def _part(path: Path, name: str, kind: type, values: dict):
    names = {f.name for f in fields(kind)}
    for what, wrong in (("unknown", values.keys() - names), ("missing", names - values.keys())):
        if wrong:
            raise ValueError(f"{path}: [{name}] has {what} fields: {', '.join(sorted(wrong))}")
    for f in fields(kind):
        if not _is(values[f.name], f.type):
            raise ValueError(f"{path}: [{name}] {f.name} must be {f.type}, got {values[f.name]!r}")
    return kind(**values)


def _is(value, kind: str) -> bool:
    if kind == "list[float]":
        return isinstance(value, list) and all(_is(x, "float") for x in value)
    if kind == "dict[str, float]":
        return isinstance(value, dict) and all(_is(x, "float") for x in value.values())
    return isinstance(value, int if kind == "int" else (int, float)) and not isinstance(value, bool)


def _problems(r: Recipe):
    d, m = r.dialogue, r.microphone
    for name, shares in (("late", d.late), ("late_yield", d.late_yield), ("interrupts", d.interrupts.values())):
        if min(shares, default=-1) < 0 or abs(sum(shares) - 1) > 1e-9:
            yield f"[dialogue] {name} must be shares that add up to 1, got {list(shares)}"
    for name, values, known in (("requests", d.requests, REQUESTS), ("interrupts", d.interrupts, INTERRUPTS), ("copies", d.copies, VOICES)):
        if values.keys() != known:
            yield f"[dialogue.{name}] must have {', '.join(sorted(known))}, got {', '.join(values)}"
    if min(d.requests.values()) < 0 or not sum(d.requests.values()) > 0:
        yield "[dialogue.requests] must not be negative, nor all 0"
    if any(not 0 <= times < 100 or times % 1 for times in d.copies.values()):
        yield f"[dialogue.copies] must be whole numbers from 0 to 99, got {d.copies}"
    shares = [("dialogue", d, name) for name in ("camera", "shapes", "lessons", "watching", "bare_digits", "hesitates", "foreign_hesitates", "fillers", "corrects", "television")]
    shares += [("microphone", m, name) for name in ("echo", "telephone", "room", "near", "warped", "masked", "quiet", "faint")]
    for table, part, name in shares:
        if not 0 <= getattr(part, name) <= 1:
            yield f"[{table}] {name} must be a share, 0 to 1, got {getattr(part, name)}"
    if not 0 <= r.decoding.start_margin <= 20:
        yield f"[decoding] start_margin must be 0 to 20, got {r.decoding.start_margin}"
    if d.glances < 1:
        yield f"[dialogue] glances must be 1 or more, got {d.glances}"
    if not 10 <= d.turns <= 200:   # the camera's grain is as long as that
        yield f"[dialogue] turns must be 10 to 200, got {d.turns}"
    if m.quiet + m.faint > 1:
        yield f"[microphone] quiet and faint must not be more than 1 together, got {m.quiet + m.faint:g}"
    for name in ("warp", "faint_snr", "snr"):
        if len(getattr(m, name)) != 2 or sorted(getattr(m, name)) != getattr(m, name):
            yield f"[microphone] {name} must be the lowest and the highest value, got {getattr(m, name)}"
    for name in ("count_pace", "story_gap"):
        value = getattr(r.timing, name)
        if value < POSITION_MS or value % POSITION_MS:
            yield f"[timing] {name} must be a multiple of {POSITION_MS} ms, got {value}"


def _with_base(path: Path, above: tuple[Path, ...] = ()) -> dict:
    path = path.resolve()
    if path in above:
        raise ValueError(f"{path}: is its own base")
    if not path.is_file():
        raise ValueError(f"{path}: there is no such recipe; MICROTURN_RECIPE, or the base of a recipe, names one")
    values = tomllib.loads(path.read_text())
    base = values.pop("base", None)
    return values if base is None else _merged(_with_base(path.parent / base, (*above, path)), values)


def _merged(base: dict, more: dict) -> dict:
    """Tables are merged, everything else is replaced."""
    out = dict(base)
    for key, value in more.items():
        out[key] = _merged(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
    return out


RECIPE = load(Path(os.environ.get("MICROTURN_RECIPE") or MINI))
