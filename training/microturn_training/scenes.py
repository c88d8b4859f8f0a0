"""Exchanges that are more than a request and its reply: what the user puts right, tells, counts aloud, or has timed.

Each scene is `scene(generator, dialogue, sample at which the user begins, gain) -> sample at which all is over`.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from . import domain
from .timeline import OUTPUTS, POSITION, RATE, STORY_GAP, TURN, reply_turn, stop_turn, yield_turn
from .recipe import RECIPE

if TYPE_CHECKING:
    from .dialogue import Dialogue, Generator

CORRECTED = ("sum", "digit", "count", "wait")   # requests whose last number may be put right
ALOUD_EVERY = 4 * RATE // POSITION              # output positions from one "uh huh" to the next, at least
AUDIBLE = RATE // 10                            # samples of a word after which it can be known that it began
END_OF_ROOM = RATE                              # samples before the end of a dialogue in which nothing new begins


def room(d: Dialogue, t: int) -> bool:
    """Whether something may still begin at sample `t`."""
    return t < len(d.user) - END_OF_ROOM


def sample_of(position: int) -> int:
    """When an output position is played."""
    return (position + OUTPUTS) * POSITION


def answered(g: Generator, d: Dialogue, key: str, end: int) -> int:
    """Replies to what ended at sample `end`; returns the output position at which the reply is over."""
    return g.reply(d, [(key, OUTPUTS * g.late(d, reply_turn(end), RECIPE.dialogue.late))])


def corrected(g: Generator, d: Dialogue, key: str, start: int, gain: float) -> int:
    """The user puts the last number of a request right, before the reply or into it: "two plus three … no, four"."""
    r = g.random
    intent, _, argument = key.partition(":")
    first, _, last = argument.rpartition(",")
    numbers = {"count": domain.COUNT_TO, "wait": domain.WAIT_SECONDS}.get(intent, range(10))
    number = int(r.choice([n for n in numbers if n != int(last)]))
    meant = f"{intent}:{first},{number}" if first else f"{intent}:{number}"
    fix = g.user.meta(f"fix:{number}")
    _, end = g.user.say(d, key, start, gain, like=fix["voice"])
    begin = end + int(r.uniform(0.05, 0.9) * RATE)
    onset, over = g.user.say(d, f"fix:{number}", begin, gain, meta=fix)
    d.events[-1]["corrects"] = meant
    wrong, cut = reply_turn(end), min(yield_turn(onset), reply_turn(over))
    items = g.plan(d, key, end)[0]
    if onset >= (items[0][1] // OUTPUTS + 1) * TURN - AUDIBLE:   # by then nothing told that there is more to come
        g.reply(d, items, OUTPUTS * cut)
    else:
        d.decide(wrong)
    for items in g.plan(d, meant, over):
        done = g.reply(d, items)
    return sample_of(done)


def tale(g: Generator, d: Dialogue, start: int, gain: float) -> int:
    """The user tells a story; "uh huh" in its pauses, at most once in four seconds, and a word about it at its end."""
    r = g.random
    _, end = g.user.say(d, "tale", start, gain)
    voice = d.events[-1]["voice"]
    aloud = OUTPUTS * g.late(d, reply_turn(end), RECIPE.dialogue.late)
    t = sample_of(g.reply(d, [("okay", aloud)])) + int(r.uniform(0.1, 1.2) * RATE)
    for _ in range(r.integers(2, 7)):
        if not room(d, t):
            return t
        _, end = g.user.say(d, "line", t, gain, like=voice)
        t = end + int((r.uniform(0.4, 1.4) if r.random() < 0.8 else r.uniform(0.05, 0.15)) * RATE)
        turn = reply_turn(end)
        if t < (turn + 1) * TURN or OUTPUTS * turn - aloud < ALOUD_EVERY:   # the pause is too short, or the last one was not long ago
            d.decide(turn)
        else:
            aloud = OUTPUTS * turn
            g.reply(d, [("aha", aloud)])
            d.events[-1]["aloud"] = True
    if not room(d, t):
        return t
    _, end = g.user.say(d, "fin", t, gain, like=voice)
    return sample_of(answered(g, d, "fin", end))


def echo(g: Generator, d: Dialogue, start: int, gain: float) -> int:
    """Every number is repeated at once, while the user goes on, until the user says stop."""
    r = g.random
    meta = g.user.meta("echo")
    while len(known := g.user.digits_of(meta["voice"])) < 4:
        meta = g.user.meta("echo")
    voice = meta["voice"]
    _, end = g.user.say(d, "echo", start, gain, meta=meta)
    over = answered(g, d, "okay", end)
    t = sample_of(over) + int(r.uniform(0.1, 1.0) * RATE)
    for _ in range(r.integers(3, 9)):
        if not room(d, t):
            return t
        digit = int(r.choice(known))
        onset, end = g.user.say(d, f"digit:{digit}", t, gain, like=voice, bare=True)
        speaking = sample_of(over) > onset
        if speaking:
            d.decide(yield_turn(onset), yield_turn(onset) + 1)
        over = g.reply(d, [(f"number:{digit}", max(OUTPUTS * reply_turn(end), -(-over // OUTPUTS) * OUTPUTS))])
        t = end + int(r.uniform(0.25, 0.9) * RATE)
    t = max(t, sample_of(over) + RATE // 4)
    if not room(d, t):
        return len(d.user)
    _, end = g.user.say(d, "stop", t, gain, like=voice)
    return sample_of(answered(g, d, "okay", end))


def every(g: Generator, d: Dialogue, start: int, gain: float) -> int:
    """ "now" every so many seconds, until the user says stop."""
    r = g.random
    seconds = int(r.choice(domain.EVERY_SECONDS))
    _, end = g.user.say(d, f"every:{seconds}", start, gain)
    done = -(-answered(g, d, "okay", end) // OUTPUTS)
    ticks = int(r.integers(1, 5))
    t = sample_of(OUTPUTS * (done + 5 * seconds * ticks)) + int(r.uniform(0.7, seconds - 0.6) * RATE)
    quiet = d.turns
    if room(d, t):
        onset, end = g.user.say(d, "stop", t, gain)
        quiet = min(stop_turn(onset, end), reply_turn(end))
    for turn in range(done + 5, d.turns, 5):
        if (turn - done) % (5 * seconds) == 0 and turn < quiet:
            g.reply(d, [("tick", OUTPUTS * turn)])
            d.events[-1]["tick"] = True
        elif turn < quiet or (turn - done) % (5 * seconds) == 0:
            d.decide(turn)
    return sample_of(answered(g, d, "okay", end)) if quiet < d.turns else len(d.user)


def clock(g: Generator, d: Dialogue, start: int, gain: float) -> int:
    """The user has something timed and asks how long it took."""
    r = g.random
    _, began = g.user.say(d, "clock", start, gain)
    answered(g, d, "okay", began)
    seconds = int(r.choice(domain.ELAPSED_SECONDS))
    t = began + int((seconds + r.uniform(-0.25, 0.25)) * RATE)
    if not room(d, t):
        return t
    _, end = g.user.say(d, "elapsed", t, gain)
    return sample_of(answered(g, d, f"elapsed:{seconds}", end))


def told(g: Generator, d: Dialogue, start: int, gain: float) -> int:
    """What was handed over comes back after a while and is said; or something is to be said that nobody asked for."""
    r = g.random
    t = start
    if r.random() < 0.6:
        _, end = g.user.say(d, "ood", start, gain)
        t = sample_of(answered(g, d, "ood", end))
    t += int(r.uniform(0.2, 4) * RATE)
    if not room(d, t):
        return t
    items, at = [], OUTPUTS * (t // TURN)
    for key in r.choice(g.assistant.told, int(r.integers(1, 3))):
        items.append((str(key), at))
        at += g.assistant.length(str(key)) - 1 + STORY_GAP
    over = g.long_reply(d, items, gain, "back" if r.random() < 0.2 else None)
    return over if over is not None else sample_of(g.reply(d, items))


SCENES = {"told": told, "tale": tale, "echo": echo, "every": every, "clock": clock}
