"""Exchanges about what the camera shows: an awaited colour or shape, and jumps that are counted as they happen.

The world in front of the camera is `Dialogue.color` (what fills the picture), `shape` (0 for none) and `place` (where the shape is), by
micro-turn. Each exchange is `f(generator, dialogue, …) -> sample at which all is over`.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import domain
from .recipe import RECIPE
from .scenes import answered, room, sample_of
from .timeline import OUTPUTS, RATE, TURN, stop_turn

if TYPE_CHECKING:
    from .dialogue import Dialogue, Generator

FAR = 6          # pixels that a jump is wide at least
ROOM = (7, 6)    # pixels that a shape may be off the middle, down and to the right
ALIKE = 4        # pairs of `glances` that share light and size
DELAY = (0, 22)  # micro-turns until what is awaited comes


def elsewhere(random: np.random.Generator, place: np.ndarray) -> np.ndarray:
    """A place that is a jump away."""
    while True:
        other = random.integers([-ROOM[0], -ROOM[1]], [ROOM[0] + 1, ROOM[1] + 1])
        if np.abs(other - place).max() >= FAR:
            return other


def jump(random: np.random.Generator, d: Dialogue, turn: int) -> None:
    """From `turn` on the shape is somewhere else; in the first of its two images it may still be where it was."""
    d.place[turn:] = elsewhere(random, d.place[turn, 1])
    if turn and random.random() < 0.5:
        d.place[turn, 0] = d.place[turn - 1, 1]


def glances(g: Generator, count: int) -> dict[str, np.ndarray]:
    """Pairs of images for the vision tower alone, several under each light, and what is in them: `glances` [n, 2, 40, 39, 3], `glance_color` [n],
    `glance_shape` [n] (0 for none), `glance_place` [n, 2, 2] in pixels off the middle, down and to the right, of the first and the second image."""
    from .dialogue import Dialogue
    r, pairs, worlds = g.random, [], []
    for first in range(0, count, ALIKE):
        d = Dialogue(min(ALIKE, count - first), True)
        d.color[:] = r.integers(len(domain.COLORS), size=d.turns)
        d.shape[:] = r.integers(1, len(domain.SHAPES) + 1, d.turns) * (r.random(d.turns) < 0.75)
        d.place[:] = r.integers([-ROOM[0], -ROOM[1]], [ROOM[0] + 1, ROOM[1] + 1], (d.turns, 1, 2))
        for turn in np.flatnonzero(r.random(d.turns) < 0.3):
            d.place[turn, 1] = elsewhere(r, d.place[turn, 0])
        pairs.append(g.camera.images(d))
        worlds.append(d)
    parts = {"glances": pairs, "glance_color": [d.color for d in worlds], "glance_shape": [d.shape for d in worlds], "glance_place": [d.place for d in worlds]}
    return {name: np.concatenate(part) for name, part in parts.items()}


def world(g: Generator, d: Dialogue) -> None:
    """What is there before anybody asks: a colour, at times a shape, which at times jumps for nobody."""
    r = g.random
    d.color[:] = r.integers(len(domain.COLORS))
    d.place[:] = r.integers([-ROOM[0], -ROOM[1]], [ROOM[0] + 1, ROOM[1] + 1])
    d.shape[:] = r.integers(1, len(domain.SHAPES) + 1) if r.random() < RECIPE.dialogue.shapes else 0
    if d.shape[0] and r.random() < 0.3:
        for turn in np.cumsum(r.integers(4, 20, 8)):
            if turn < d.turns:
                jump(r, d, turn)


def lively(g: Generator, d: Dialogue) -> None:
    """A world that changes all the time, for those who only watch: every second or two there is another colour or shape, or a jump."""
    r = g.random
    world(g, d)
    for turn in np.cumsum(r.integers(3, 12, d.turns // 3)):
        if turn >= d.turns:
            return
        what = r.random()
        if what < 0.2:
            d.color[turn:] = r.integers(len(domain.COLORS))
        elif what < 0.5 or not d.shape[turn]:
            d.shape[turn:] = r.integers(0, len(domain.SHAPES) + 1)
        else:
            jump(r, d, turn)


def before(g: Generator, d: Dialogue, key: str, turn: int) -> None:
    """The world may change a little before a request, but not while the last reply began: it told what was to be seen then."""
    r, intent = g.random, key.partition(":")[0]
    told = max((e["start"] // OUTPUTS + 1 for e in d.events if e["type"] == "reply"), default=0)
    since = max(told, turn - int(r.integers(0, 8)))
    if intent != "watch" and r.random() < 0.2:
        d.color[since:] = r.integers(len(domain.COLORS))
    if intent == "shape" and r.random() < 0.7:
        d.shape[since:] = r.integers(0, len(domain.SHAPES) + 1)


def awaited(g: Generator, d: Dialogue, what: np.ndarray, value: int, others: list[int], answer: str, over: int) -> int:
    """`what` (a row of the world) becomes `value` after a while, mostly something else before, and the assistant says so at once."""
    r = g.random
    first = over // OUTPUTS + 3
    change = first + int(r.integers(*DELAY))
    decoy = first + int(r.integers(0, 6))
    while decoy < min(change - 5, d.turns) and r.random() < 0.7:
        what[decoy:] = r.choice([o for o in others if o not in (value, what[decoy])])
        d.decide(decoy, decoy + 1)
        decoy += int(r.integers(5, 10))
    if change >= d.turns - 1:
        return len(d.user)
    what[change:] = value
    d.events.append({"type": "change", "turn": change, "to": answer})
    return sample_of(g.reply(d, [(answer, OUTPUTS * change)]))


def watch(g: Generator, d: Dialogue, key: str, over: int) -> int:
    """The awaited colour (`watch:0`) or shape (`spot:0`) comes."""
    intent, _, argument = key.partition(":")
    i = int(argument)
    if intent == "watch":
        return awaited(g, d, d.color, i, list(range(len(domain.COLORS))), f"now:{i}", over)
    begin = over // OUTPUTS
    if d.shape[min(begin, d.turns - 1)] == i + 1:   # it would be there already
        d.shape[max(0, begin - 12):] = 0
    return awaited(g, d, d.shape, i + 1, list(range(len(domain.SHAPES) + 1)), f"there:{i}", over)


def jumps(g: Generator, d: Dialogue, start: int, gain: float) -> int:
    """Every jump is counted aloud as it happens, until the user says stop."""
    r = g.random
    if d.camera:
        at = start // TURN
        if not d.shape[min(at, d.turns - 1)]:
            d.shape[max(0, at - 5):] = r.integers(1, len(domain.SHAPES) + 1)
        d.shape[at:] = d.shape[min(at, d.turns - 1)]
        d.place[at:] = d.place[min(at, d.turns - 1), 1]
    _, end = g.user.say(d, "jumps", start, gain)
    over = answered(g, d, "okay" if d.camera else "blind", end)
    if not d.camera:
        return sample_of(over)
    turn = over // OUTPUTS + int(r.integers(3, 12))
    for count in range(1, int(r.integers(2, 10))):
        if turn >= d.turns - 1:
            return len(d.user)
        jump(r, d, turn)
        over = g.reply(d, [(f"number:{count}", OUTPUTS * turn)])
        d.events[-1]["jump"] = turn
        quiet = range(turn + 2, turn + int(r.integers(4, 14)))
        d.decide(*(at for at in quiet if r.random() < 0.3))   # where nothing jumps, nothing is counted
        turn = quiet.stop
    t = sample_of(over) + int(r.uniform(0.2, 1.5) * RATE)
    if not room(d, t):
        return len(d.user)
    onset, end = g.user.say(d, "stop", t, gain)
    quiet = stop_turn(onset, end)
    if r.random() < 0.5:   # what goes on is not counted any more
        for later in quiet + np.cumsum(r.integers(4, 14, 3)):
            if later < d.turns - 1:
                jump(r, d, later)
                d.decide(int(later), int(later) + 1)
    return sample_of(answered(g, d, "okay", end))
