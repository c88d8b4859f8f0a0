"""Rows of cases about time: counting at a pace, waiting, "now" every so many seconds, telling how long something took."""
from __future__ import annotations

from . import domain
from .bank import Bank
from .case_maker import CaseMaker
from .timeline import COUNT_PACE, OUTPUTS, RATE, reply_turn


def due_turn(maker: CaseMaker, end: float, seconds: int) -> int:
    """The micro-turn in which what is due so many seconds after the "okay" to a request is heard; the request ends at second `end`."""
    first = OUTPUTS * reply_turn(int(end * RATE))
    done = -(-(first + maker.assistant.length("okay")) // OUTPUTS)
    return done + 5 * seconds + 1


def timing(maker: CaseMaker, n: int) -> None:
    """Counting at a pace and waiting for seconds."""
    for i, noise in enumerate(maker.noises(n)):
        key = f"wait:{maker.random.choice(domain.WAIT_SECONDS)}" if i % 2 else f"count:{maker.random.choice(domain.COUNT_TO)}"
        meta = maker.clip([key], lambda m: m["held"] == (i % 4 > 1))
        scene = maker.scene(13.5)
        end = scene.say(maker.bank, meta, maker.random.uniform(0.6, 1.2))
        expected = {"text": maker.reply_text(key), "paceMs": COUNT_PACE * 50}
        if i % 2:
            seconds = int(key[5:])
            expected = {"text": maker.reply_text(key), "seconds": seconds, "dueMs": 200 * due_turn(maker, end, seconds)}
        maker.write(scene, noise, expected)


def every(maker: CaseMaker, n: int, people: Bank | None = None) -> None:
    """ "now" every so many seconds, until the user, or one of `people`, says stop."""
    for i, noise in enumerate(maker.noises(n)):
        seconds, ticks = int(maker.random.choice(domain.EVERY_SECONDS)), int(maker.random.integers(2, 5))
        scene = maker.scene(8 + seconds * (ticks + 1))
        voices = {m["voice"] for m in maker.of(["stop"])}
        request = maker.clip([f"every:{seconds}"], lambda m: m["held"] == (i % 4 > 1) and m["voice"] in voices)
        end = scene.say(maker.bank, request, maker.random.uniform(0.6, 1.2))
        due = 0.2 * due_turn(maker, end, seconds)
        stop = maker.clip(["stop"], bank=people) if people else maker.clip(["stop"], lambda m: m["voice"] == request["voice"])
        scene.say(people or maker.bank, stop, due + seconds * (ticks - 1) + maker.random.uniform(0.7, seconds - 0.6))
        maker.write(scene, noise, {"text": " ".join(["okay", *["now"] * ticks, "okay"]), "everyMs": 1000 * seconds, "dueMs": round(due * 1000)})


def elapsed(maker: CaseMaker, n: int) -> None:
    """The user has something timed and asks how long it took."""
    for noise in maker.noises(n):
        voice, seconds = maker.voice(["clock", "elapsed"]), int(maker.random.choice(domain.ELAPSED_SECONDS))
        scene = maker.scene(8 + seconds)
        end = scene.say(maker.bank, maker.clip(["clock"], lambda m: m["voice"] == voice), maker.random.uniform(0.6, 1.2))
        scene.say(maker.bank, maker.clip(["elapsed"], lambda m: m["voice"] == voice), end + seconds + maker.random.uniform(-0.2, 0.2))
        maker.write(scene, noise, {"text": " ".join(domain.words(maker.answers[f"elapsed:{seconds}"]))})
