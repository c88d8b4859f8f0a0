"""Rows of cases with a pause inside a request, alone, after a filler, or of a person: nothing may be said before the request is over."""
from __future__ import annotations

import multiprocessing
import random
from pathlib import Path

import numpy as np

from . import domain, human, synthesis
from .bank import Bank
from .case_maker import SHORT, CaseMaker
from .case_scene import lengthened
from .fillers import plan_held_fillers, silences, words_to_filler
from .timeline import RATE


def wait_inside(maker: CaseMaker, n: int) -> None:
    """The user pauses inside a request."""
    keys = maker.keys_of(["sum", "count", "say", "digit", "color", "story", "name", "how", "watch", "wait", *SHORT])
    for noise in maker.noises(n):
        meta = maker.clip(keys, lambda m: m["gap"] is not None and not m["key"].startswith(("watch", "color", "wait")))
        pause = maker.random.uniform(0.3, 1.2)
        scene = maker.scene(1.5 + 3 + pause + 1 + maker.reply_seconds(meta["key"]))
        scene.say(maker.bank, meta, maker.random.uniform(0.6, 1.4), pause)
        maker.write(scene, noise, {"text": maker.reply_text(meta["key"]), "takes": True, "pauseMs": round(pause * 1000)})


def wait_filler(maker: CaseMaker, n: int) -> None:
    """The user says a filler and pauses inside a request: "what is, um … three plus four"."""
    noises, clips = maker.noises(n), with_fillers(maker.work)
    order = maker.random.permutation(len(clips))
    for i in range(n):
        x, meta, before = clips[order[i % len(clips)]]
        pause = maker.random.uniform(0.3, 1.2)
        if before:
            size = len(x)
            x = lengthened(x, *before, maker.random.uniform(0, 0.6))
            a, b, split = meta["gap"]
            meta = meta | {"gap": [a + len(x) - size, b + len(x) - size, split]}
        scene = maker.scene(2.5 + len(x) / RATE + pause + maker.reply_seconds(meta["key"]))
        scene.utter(x, meta, maker.random.uniform(0.6, 1.4), pause)
        maker.write(scene, noises[i], {"text": maker.reply_text(meta["key"]), "takes": True, "pauseMs": round(pause * 1000)})


def with_fillers(work: Path) -> list[tuple[np.ndarray, dict, tuple[int, int] | None]]:
    """The clips of `bank-filler` with a silence after the filler, or of a voice whose words are known to end where they do: the sound, its index
    entry with that silence as its gap, and the silence before the filler, which not every voice makes."""
    if not (work / "bank-filler.json").exists():   # kept, because no program says a sentence twice in the same way
        with multiprocessing.Pool(2) as pool:
            synthesis.make(work, "bank-filler", plan_held_fillers(random.Random(7), synthesis.HELD_ENGINES), pool)
    bank, found = Bank(work, "bank-filler"), []
    for meta in (m for clips in bank.by_key.values() for m in clips):
        x = bank.wave(meta)
        if around := silences(x, meta):
            before, after = around
            found.append((x, meta | {"gap": [*after, words_to_filler(meta["text"])]}, before))
    return found


def wait_human(maker: CaseMaker, n: int, people: Bank) -> None:
    """A person reads letters and numbers out, and a silence between two of them is made longer; what came before it is no request by itself."""
    def pauses(meta: dict) -> list[list[int]]:
        may = domain.pause_points(meta["text"])
        return [gap for gap in human.silences(people.wave(meta), meta["words"]) if gap[2] in may]

    paused = [(m, gaps) for m in people.by_key["ood"] if human.sentence(m) and (gaps := pauses(m))]
    for noise in maker.noises(n):
        meta, gaps = paused[maker.random.integers(len(paused))]
        meta = meta | {"gap": gaps[maker.random.integers(len(gaps))]}
        pause = maker.random.uniform(0.3, 1.2)
        scene = maker.scene(5.5 + meta["length"] / RATE + pause)
        scene.utter(people.wave(meta), meta, maker.random.uniform(0.6, 1.4), pause, human.lengthened)
        maker.write(scene, noise, {"text": maker.reply_text("ood"), "takes": True, "pauseMs": round(pause * 1000)})
