"""Rows of cases in which something is heard while the assistant tells the story or counts: it stops, or goes on."""
from __future__ import annotations

import numpy as np

from . import human
from .bank import Bank
from .case_maker import SHORT, CaseMaker
from .case_scene import Scene
from .senses import cough
from .sound import TAIL
from .timeline import RATE, TURN, reply_turn

DIGITS_ALONE = [f"digit:{i}" for i in range(10)]


def long_reply(maker: CaseMaker, i: int, accept=lambda m: True) -> tuple[str, Scene, float]:
    """The user asks for the story, or in every second case for a count: the request's key, the scene, the second from which the reply is heard."""
    key = "story" if i % 2 == 0 else f"count:{maker.random.integers(6, 10)}"
    scene = maker.scene(5 + maker.reply_seconds(key) + 4)
    end = scene.say(maker.bank, maker.clip([key], accept), maker.random.uniform(0.6, 1.2))
    return key, scene, (reply_turn(int(end * RATE)) + 1) * TURN / RATE


def well_under_way(maker: CaseMaker, key: str, playing: float) -> float:
    """A second at which the reply that is heard from `playing` on is not over for a while."""
    return playing + maker.random.uniform(0.8, min(4.5, maker.reply_seconds(key) - 1))


def during(maker: CaseMaker, n: int, kind: str, people: Bank | None = None) -> None:
    """The user says `stop`, `back`, or another request (`barge`); or one of `people` if they are given, whose requests are a digit alone,
    or a sentence that is handed over."""
    for i, noise in enumerate(maker.noises(n)):
        key, scene, playing = long_reply(maker, i)
        at = well_under_way(maker, key, playing)
        if kind == "stop":
            second = maker.clip(["stop"], bank=people) if people else maker.clip(["stop"], lambda m: m["held"] == (i % 4 > 1))
            expected = {"yields": True, "text": "okay"}
        elif kind == "back":
            second, expected = maker.clip(["back"], bank=people), {"yields": False, "text": maker.reply_text(key)}
        elif people:
            second = maker.clip(DIGITS_ALONE, human.alone, people) if i % 4 > 1 else maker.clip(["ood"], human.sentence, people)
            scene.samples = np.pad(scene.samples, (0, second["length"]))
            expected = {"yields": True, "text": maker.reply_text(second["key"])}
        else:
            second = maker.clip(maker.keys_of([*SHORT, "sum", "digit", "say"]), lambda m: m["held"] == (i % 4 > 1))
            expected = {"yields": True, "text": maker.reply_text(second["key"])}
        scene.say(people or maker.bank, second, at)
        scene.events[-1]["during"] = True
        maker.write(scene, noise, expected)


def not_meant(maker: CaseMaker, n: int, coughs: bool) -> None:
    """Somebody else speaks, or the user coughs."""
    for i, noise in enumerate(maker.noises(n)):
        key, scene, playing = long_reply(maker, i)
        start = int(well_under_way(maker, key, playing) * RATE)
        meta = maker.clip(["line", "ood"], lambda m: m["held"])
        event = {"type": "aside", "key": meta["key"], "text": meta["text"], "voice": meta["voice"], "heldPhrasing": True}
        x = maker.bank.wave(meta) * 10 ** (maker.random.uniform(-20, -10) / 20)
        if coughs:
            event = {"type": "cough", "key": "cough", "text": "", "voice": "none", "heldPhrasing": False}
            x = np.pad(cough(maker.random), TAIL)
        scene.place(x, start, event)
        maker.write(scene, noise, {"yields": False, "text": maker.reply_text(key)})


def television(maker: CaseMaker, n: int) -> None:
    """A television speaks all the time, 14 to 24 dB weaker than the user."""
    for i, noise in enumerate(maker.noises(n)):
        key, scene, playing = long_reply(maker, i, lambda m: m["held"] == (i % 4 > 1))
        request, = scene.events
        gain = 10 ** (maker.random.uniform(-24, -14) / 20)

        def sentence(t: float) -> tuple[float, dict]:
            """Places one at `t` seconds; returns when the next may come, and its event."""
            meta = maker.clip(["line", "ood"], lambda m: m["held"] and m["voice"] != request["voice"])
            event = {"type": "television", "key": meta["key"], "text": meta["text"], "voice": meta["voice"], "heldPhrasing": True}
            x = maker.bank.wave(meta)[: len(scene.samples) - int(t * RATE)] * gain   # the last may be cut off
            return scene.place(x, int(t * RATE), event) + maker.random.uniform(0.1, 1.5), event

        chosen = well_under_way(maker, key, playing)
        t = maker.random.uniform(0, 1)
        while t < chosen:
            t, _ = sentence(t)
        t, during = sentence(chosen)   # during this one the assistant must be speaking: it stands for all
        while t < len(scene.samples) / RATE - 0.5:
            t, _ = sentence(t)
        scene.events = [request, during]
        maker.write(scene, noise, {"yields": False, "text": maker.reply_text(key)})
