"""Rows of cases about whose turn it is after something said at once: a request, foreign speech, or what needs no answer."""
from __future__ import annotations

from pathlib import Path

from . import domain, human
from .bank import Bank
from .case_maker import SHORT, CaseMaker
from .timeline import RATE


def take(maker: CaseMaker, n: int) -> None:
    """The user asks once; the assistant takes the turn."""
    intents = [*SHORT, "sum", "say", "digit", "count", "story"]
    for i, noise in enumerate(maker.noises(n)):
        intent = intents[i % len(intents)]
        held = i // len(intents) % 2 == 1
        meta = maker.clip(maker.keys_of([intent]), lambda m: m["held"] == held)
        scene = maker.scene(1 + 3 + 1 + maker.reply_seconds(meta["key"]) + 1)
        scene.say(maker.bank, meta, maker.random.uniform(0.6, 1.4))
        maker.write(scene, noise, {"text": maker.reply_text(meta["key"]), "takes": True})


def digit_human(maker: CaseMaker, n: int, folder: Path) -> None:
    """Real people say a digit, each speaker and digit in turn: recordings of the Free Spoken Digit Dataset."""
    takes = human.recorded_digits(folder)
    speakers = sorted({speaker for speaker, _ in takes})
    for i, noise in enumerate(maker.noises(n)):
        speaker, digit = speakers[i % len(speakers)], i // len(speakers) % 10
        x = maker.recorded(takes[speaker, digit])
        scene = maker.scene(6)
        event = {"type": "user", "key": f"digit:{digit}", "text": domain.NUMBERS[digit], "voice": f"human:{speaker}", "heldPhrasing": False}
        scene.place(x, int(maker.random.uniform(0.6, 1.4) * RATE), event)
        maker.write(scene, noise, {"text": maker.reply_text(f"digit:{digit}"), "takes": True})


def out_of_domain(maker: CaseMaker, n: int, people: Bank | None = None) -> None:
    """The user, or one of `people`, says something that the assistant hands over."""
    for noise in maker.noises(n):
        meta = maker.clip(["ood"], bank=people) if people else maker.clip(["ood"], lambda m: m["held"])
        scene = maker.scene(max(7.5, 5.5 + meta["length"] / RATE) if people else 7.5)
        scene.say(people or maker.bank, meta, maker.random.uniform(0.6, 1.4))
        maker.write(scene, noise, {"text": maker.reply_text("ood"), "takes": True})


def silence(maker: CaseMaker, n: int) -> None:
    """Nothing for the assistant to answer: noise, "stop" and "uh huh" while it is silent."""
    for i, noise in enumerate(maker.noises(n)):
        scene = maker.scene(8)
        if i % 3:
            scene.say(maker.bank, maker.clip(["stop" if i % 3 == 1 else "back"]), maker.random.uniform(1, 4))
        maker.write(scene, noise, {"text": "", "takes": False})
