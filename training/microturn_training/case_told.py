"""Rows of cases in which the background hands something over to be said."""
from __future__ import annotations

from . import domain
from .bank import Bank
from .case_maker import CaseMaker
from .told import SENTENCES


def told(maker: CaseMaker, n: int) -> None:
    """It does so while nobody speaks, after a request that it answers, or while the user speaks."""
    noises, texts = maker.noises(n), maker.random.permutation(SENTENCES)
    for i in range(n):
        scene = maker.scene(14)
        at = maker.random.uniform(0.8, 2)
        if i % 3:
            end = scene.say(maker.bank, maker.clip(["ood"], lambda m: m["held"]), maker.random.uniform(0.6, 1.4))
            at = end + maker.random.uniform(3, 5) if i % 3 == 1 else scene.events[0]["onsetMs"] / 1000 + maker.random.uniform(0.3, 0.8)
        scene.told = {"text": texts[i % len(texts)], "atMs": round(1000 * at)}
        maker.write(scene, noises[i], {"text": " ".join(domain.words(scene.told["text"]))})


def told_meanwhile(maker: CaseMaker, n: int, keys: list[str], people: Bank | None = None) -> None:
    """The user, or one of `people`, says something while the assistant says two sentences that the background handed over."""
    noises, texts = maker.noises(n), maker.random.permutation(SENTENCES)
    for i in range(n):
        scene = maker.scene(14)
        text = f"{texts[i % len(texts)]} {texts[(i + 1) % len(texts)]}"
        scene.told = {"text": text, "atMs": round(1000 * maker.random.uniform(0.4, 1.4))}
        playing = (-(-scene.told["atMs"] // 200) + 1) * 0.2
        meta = maker.clip(keys, lambda m: people or keys != ["stop"] or m["held"] == (i % 4 > 1), people)
        scene.say(people or maker.bank, meta, playing + maker.random.uniform(0.8, 3))
        scene.events[-1]["during"] = True
        maker.write(scene, noises[i], {"yields": keys == ["stop"], "text": "okay" if keys == ["stop"] else " ".join(domain.words(text))})
