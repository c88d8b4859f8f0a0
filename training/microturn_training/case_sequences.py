"""Rows of cases in which the user says several things one after the other: requests, a correction, a story, numbers to repeat."""
from __future__ import annotations

from pathlib import Path

from . import domain, human
from .bank import Bank
from .case_maker import SHORT, CaseMaker
from .sound import TAIL
from .timeline import RATE


def transcript(maker: CaseMaker, n: int) -> None:
    """Several requests one after the other; what counts is what was heard."""
    keys = maker.keys_of([*SHORT, "sum", "say", "digit", "stop"])
    for noise in maker.noises(n):
        scene, t = maker.scene(30), 0.8
        for _ in range(3):
            t = scene.say(maker.bank, maker.clip(keys), t) + 3.0
        scene.samples = scene.samples[: int(t * RATE)]
        maker.write(scene, noise, {"heard": " ".join(" ".join(domain.words(e["text"])) for e in scene.events)})


def correct(maker: CaseMaker, n: int) -> None:
    """The user puts the number of a request right after 0.1 to 0.8 s."""
    for i, noise in enumerate(maker.noises(n)):
        intent = ["sum", "digit", "count"][i % 3]
        fixes = [m for m in maker.of(["fix"]) if intent != "count" or int(m["key"][4:]) in domain.COUNT_TO]
        pairs = [(m, f) for f in fixes for m in maker.of([intent]) if m["voice"] == f["voice"] and m["key"][-1] != f["key"][-1]]
        voice = maker.random.choice(sorted({m["voice"] for m, _ in pairs}))
        pairs = [(m, f) for m, f in pairs if m["voice"] == voice]
        meta, fix = pairs[maker.random.integers(len(pairs))]
        number = fix["key"][4:]
        first, comma, _ = meta["key"].partition(":")[2].rpartition(",")
        meant = f"{intent}:{first}{comma}{number}"
        scene = maker.scene(6.5 + 2 + maker.reply_seconds(meant))
        end = scene.say(maker.bank, meta, maker.random.uniform(0.6, 1.2))
        scene.say(maker.bank, fix, end + maker.random.uniform(0.1, 0.8))
        maker.write(scene, noise, {"text": maker.reply_text(meant)})


def aloud(maker: CaseMaker, n: int, people: Bank | None = None) -> None:
    """The user tells a story of four to six sentences with pauses; then the assistant says something about it. The sentences are those
    of one of `people` if they are given, between the first and the last of a synthetic voice."""
    tellers = human.tellers(people.by_key["ood"], 6) if people else []
    for i, noise in enumerate(maker.noises(n)):
        voice = maker.voice(["tale", "line", "fin"], line=6)
        mine = lambda m: m["voice"] == voice   # noqa: E731
        scene = maker.scene(64 if people else 34)
        t = scene.say(maker.bank, maker.clip(["tale"], mine), maker.random.uniform(0.6, 1.2)) + maker.random.uniform(1.3, 2)
        lines = {m["text"]: m for m in (tellers[i % len(tellers)] if people else filter(mine, maker.of(["line"])))}
        for text in maker.random.permutation(sorted(lines))[: maker.random.integers(4, 7)]:
            t = scene.say(people or maker.bank, lines[text], t) + maker.random.uniform(0.5, 1.2)
        t = scene.say(maker.bank, maker.clip(["fin"], mine), t)
        scene.samples = scene.samples[: int((t + 4) * RATE)]
        maker.write(scene, noise, {"text": maker.reply_text("fin")})


def echo(maker: CaseMaker, n: int) -> None:
    """The user says up to nine numbers, cut out of sentences of one voice, with pauses of 0.3 to 0.8 s, each to be repeated at once."""
    digits = maker.digits()
    for noise in maker.noises(n):
        voice = maker.voice(["echo", "sum"])
        known = digits.digits_of(voice)
        scene, said = maker.scene(24), []
        t = scene.say(maker.bank, maker.clip(["echo"], lambda m: m["voice"] == voice), maker.random.uniform(0.6, 1.2)) + maker.random.uniform(1.3, 2)
        for _ in range(maker.random.integers(6, 10)):
            x, meta = digits.bare_digit(int(maker.random.choice(known)), like=voice) or (None, None)
            if x is None:
                continue
            event = {"type": "user", "key": "digit", "text": meta["text"], "voice": meta["voice"], "heldPhrasing": False}
            t = scene.place(x, int(t * RATE) - TAIL, event) + maker.random.uniform(0.3, 0.8)
            said.append(meta["text"])
        scene.samples = scene.samples[: int((t + 2) * RATE)]
        maker.write(scene, noise, {"text": " ".join(["okay", *said])})


def echo_human(maker: CaseMaker, n: int, folder: Path) -> None:
    """A synthetic voice asks for the echo; a person says six to nine numbers with pauses of 0.3 to 0.8 s."""
    takes = human.recorded_digits(folder)
    speakers = sorted({speaker for speaker, _ in takes})
    for i, noise in enumerate(maker.noises(n)):
        scene, said, speaker = maker.scene(24), [], speakers[i % len(speakers)]
        t = scene.say(maker.bank, maker.clip(["echo"]), maker.random.uniform(0.6, 1.2)) + maker.random.uniform(1.3, 2)
        for digit in maker.random.integers(0, 10, maker.random.integers(6, 10)):
            said.append(domain.DIGITS[digit])
            event = {"type": "user", "key": "digit", "text": said[-1], "voice": f"human:{speaker}", "heldPhrasing": False}
            t = scene.place(maker.recorded(takes[speaker, int(digit)]), int(t * RATE) - TAIL, event) + maker.random.uniform(0.3, 0.8)
        scene.samples = scene.samples[: int((t + 2) * RATE)]
        maker.write(scene, noise, {"text": " ".join(["okay", *said])})
