"""Rows of cases about what the camera shows: colours, shapes, jumps."""
from __future__ import annotations

from . import domain, sights
from .case_maker import CaseMaker
from .timeline import TURN


def colors(maker: CaseMaker, n: int) -> None:
    """The colour now, and telling when a colour appears (with other colours before it)."""
    for i, noise in enumerate(maker.noises(n)):
        now = int(maker.random.integers(6))
        scene = maker.scene(12)
        scene.color = [{"ms": 0, "rgb": domain.RGB[domain.COLORS[now]]}]
        if i % 2 == 0:
            scene.say(maker.bank, maker.clip(["color"], lambda m: m["held"] == (i % 4 > 1)), maker.random.uniform(0.8, 1.6))
            maker.write(scene, noise, {"text": f"i see {domain.COLORS[now]}"})
            continue
        awaited, decoy = (int(c) for c in maker.random.permutation([c for c in range(6) if c != now])[:2])
        end = scene.say(maker.bank, maker.clip([f"watch:{awaited}"], lambda m: m["held"] == (i % 4 > 1)), maker.random.uniform(0.6, 1.2))
        change = 200 * int((end + maker.random.uniform(3.2, 5.5)) * 5)
        if i // 4 % 2:
            scene.color.append({"ms": change - 200 * int(maker.random.integers(6, 9)), "rgb": domain.RGB[domain.COLORS[decoy]]})
        scene.color.append({"ms": change, "rgb": domain.RGB[domain.COLORS[awaited]]})
        maker.write(scene, noise, {"text": f"okay now it is {domain.COLORS[awaited]}", "changeMs": change})


def shapes(maker: CaseMaker, n: int) -> None:
    """The shape now, and telling when a shape appears (with others before it)."""
    for i, noise in enumerate(maker.noises(n)):
        scene = maker.scene(12)
        d, now = scene.look(), int(maker.random.integers(0, len(domain.SHAPES) + 1))
        d.shape[:] = now
        if i % 2 == 0:
            scene.say(maker.bank, maker.clip(["shape"], lambda m: m["held"] == (i % 4 > 1)), maker.random.uniform(0.8, 1.6))
            maker.write(scene, noise, {"text": maker.reply_text(f"shape:{now - 1}" if now else "no shape")})
            continue
        awaited, decoy = (int(s) for s in maker.random.permutation([s for s in range(1, len(domain.SHAPES) + 1) if s != now])[:2])
        end = scene.say(maker.bank, maker.clip([f"spot:{awaited - 1}"], lambda m: m["held"] == (i % 4 > 1)), maker.random.uniform(0.6, 1.2))
        change = int((end + maker.random.uniform(3.2, 5.5)) * 5)
        if i // 4 % 2:
            d.shape[change - int(maker.random.integers(6, 9)):] = decoy
        d.shape[change:] = awaited
        maker.write(scene, noise, {"text": f"okay {maker.reply_text(f'there:{awaited - 1}')}", "changeMs": 200 * change})


def jumps(maker: CaseMaker, n: int) -> None:
    """Three to six jumps, 0.8 to 2.4 s apart, are to be counted as they happen; then the user says stop."""
    for i, noise in enumerate(maker.noises(n)):
        scene = maker.scene(26)
        d = scene.look()
        d.shape[:] = maker.random.integers(1, len(domain.SHAPES) + 1)
        voices = {m["voice"] for m in maker.of(["stop"])}
        request = maker.clip(["jumps"], lambda m: m["held"] == (i % 4 > 1) and m["voice"] in voices)
        end = scene.say(maker.bank, request, maker.random.uniform(0.6, 1.2))
        at = int((end + maker.random.uniform(1.6, 3)) * 5)
        seen = []
        for _ in range(maker.random.integers(3, 7)):
            sights.jump(maker.random, d, at)
            seen.append(200 * at + 100 * int((d.place[at, 0] == d.place[at - 1, 1]).all()))
            at += int(maker.random.integers(4, 13))
        end = scene.say(maker.bank, maker.clip(["stop"], lambda m: m["voice"] == request["voice"]), seen[-1] / 1000 + maker.random.uniform(1.2, 2))
        scene.samples = scene.samples[: int((end + 2.5) * 5) * TURN]
        scene.world = d.seen_until(len(scene.samples) // TURN)
        maker.write(scene, noise, {"text": " ".join(["okay", *domain.DIGITS[1:len(seen) + 1], "okay"]), "jumpsMs": seen})
