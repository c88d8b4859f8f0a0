"""Writes evaluation cases for any engine: a WAV of what the user says and, beside it, the truth as JSON.

Voices and phrasings are those left out of training; so that this holds of a clip bank made by older rules too, phrasings that
stand inside a sentence of the training bank are left out here. Times are milliseconds from the start of the file. No case contains the
assistant's voice. Cases that need the assistant to be talking (yield, hold) place the second utterance where the reply of an
assistant that answers within half a second is under way.
"""
from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import random
import shutil
import wave
import zlib
from pathlib import Path

import numpy as np

from . import domain, human, sights, synthesis
from .bank import Assistant, Bank
from .case_scene import LEVEL, Scene, lengthened
from .fillers import plan_held_fillers, silences, words_to_filler
from .recipe import MINI, RECIPE, load
from .senses import Camera, cough
from .sound import TAIL
from .told import SENTENCES
from .timeline import COUNT_PACE, OUTPUTS, RATE, STORY_GAP, TURN, reply_turn
from .user import User

NOISES = {"clean": None, "20dB": 20.0, "10dB": 10.0}
DIGITS_ALONE = [f"digit:{i}" for i in range(10)]


class Cases:
    def __init__(self, work: Path, out: Path, seed: int):
        self.seed, self.random = seed, np.random.default_rng(seed)
        self.work = work
        trained = {key: {m["text"] for m in clips} for key, clips in Bank(work, "bank-train").by_key.items()}
        self.bank = Bank(work, "bank-held", lambda m: not m["held"] or not any(domain.contains(t, [m["text"]]) for t in trained.get(m["key"], ())))
        self.assistant = Assistant(work)
        self.digits = User(Bank(work, "bank-held"), {}, np.random.default_rng(seed), augment=False)   # cuts them out of sentences
        self.out, self.count = out, 0
        self.answers = domain.answers()

    def clip(self, keys: list[str], accept=lambda m: True, bank: Bank | None = None) -> dict:
        options = [m for k in keys for m in (bank or self.bank).by_key.get(k, []) if accept(m)]
        return options[self.random.integers(len(options))]

    def write(self, row: str, scene: Scene, noise: str, expected: dict) -> None:
        x = np.clip(np.round(scene.with_noise(NOISES[noise]) * 32767), -32768, 32767).astype("<i2")
        folder = self.out / row
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{row}-{len(list(folder.glob('*.json'))):03d}"
        with wave.open(str(folder / f"{name}.wav"), "wb") as f:
            f.setnchannels(1)
            f.setsampwidth(2)
            f.setframerate(RATE)
            f.writeframes(x.tobytes())
        truth = {"id": name, "row": row, "noise": noise, "durationMs": len(x) / 16, "events": scene.events, "expected": expected}
        if scene.told is not None:
            truth["told"] = scene.told
        if scene.color is not None:
            truth["color"] = scene.color
        if scene.world is not None:
            images = Camera(self.random).images(scene.world)
            truth["images"] = {"file": f"{name}.images.gz", "width": images.shape[3], "height": images.shape[2], "everyMs": 100}
            (folder / f"{name}.images.gz").write_bytes(gzip.compress(images.tobytes(), mtime=0))
        (folder / f"{name}.json").write_text(json.dumps(truth, indent=1) + "\n")
        self.count += 1

    def reply_text(self, key: str) -> str:
        intent, _, argument = key.partition(":")
        if intent == "digit":
            keys = [f"number:{argument}"]
        elif intent == "count":
            keys = [f"number:{i + 1}" for i in range(int(argument))]
        elif intent == "story":
            keys = [f"story:{i}" for i in range(len(domain.STORY))]
        elif intent in ("stop", "back"):
            keys = []
        elif intent == "wait":
            keys = ["okay", "time"]
        else:
            keys = [key]
        return " ".join(w for k in keys for w in domain.words(self.answers[k]))

    def reply_seconds(self, key: str) -> float:
        """Playing time of the reply."""
        if key.startswith("count"):
            return (int(key[6:]) - 1) * COUNT_PACE * 0.05 + 0.4
        if key == "story":
            return sum(self.assistant.length(f"story:{i}") + STORY_GAP for i in range(len(domain.STORY))) * 0.05
        return 3.0

    def noises(self, n: int) -> list[str]:
        """Half clean, a quarter each with noise at 20 and 10 dB, in random order: independent of everything else in a row."""
        return [["clean", "clean", "20dB", "10dB"][i % 4] for i in self.random.permutation(n)]

    SHORT = ["greet", "name", "how", "thanks", "bye"]

    def keys_of(self, intents: list[str]) -> list[str]:
        return [k for k in self.bank.by_key if k.partition(":")[0] in intents]

    def take(self, n: int) -> None:
        """The user asks once; the assistant takes the turn."""
        noises = self.noises(n)
        intents = [*self.SHORT, "sum", "say", "digit", "count", "story"]
        for i in range(n):
            intent = intents[i % len(intents)]
            held = i // len(intents) % 2 == 1
            meta = self.clip(self.keys_of([intent]), lambda m: m["held"] == held)
            scene = Scene(self.random, 1 + 3 + 1 + self.reply_seconds(meta["key"]) + 1)
            scene.say(self.bank, meta, self.random.uniform(0.6, 1.4))
            self.write("take", scene, noises[i], {"text": self.reply_text(meta["key"]), "takes": True})

    def wait_inside(self, n: int) -> None:
        """The user pauses inside a request; nothing may be said before it ends."""
        noises = self.noises(n)
        keys = self.keys_of(["sum", "count", "say", "digit", "color", "story", "name", "how", "watch", "wait", *self.SHORT])
        for i in range(n):
            meta = self.clip(keys, lambda m: m["gap"] is not None and not m["key"].startswith(("watch", "color", "wait")))
            pause = self.random.uniform(0.3, 1.2)
            scene = Scene(self.random, 1.5 + 3 + pause + 1 + self.reply_seconds(meta["key"]))
            scene.say(self.bank, meta, self.random.uniform(0.6, 1.4), pause)
            self.write("wait", scene, noises[i], {"text": self.reply_text(meta["key"]), "takes": True, "pauseMs": round(pause * 1000)})

    def wait_filler(self, n: int) -> None:
        """The user says a filler and pauses inside a request: "what is, um … three plus four"."""
        noises, clips = self.noises(n), self.with_fillers()
        order = self.random.permutation(len(clips))
        for i in range(n):
            x, meta, before = clips[order[i % len(clips)]]
            pause = self.random.uniform(0.3, 1.2)
            if before:
                size = len(x)
                x = lengthened(x, *before, self.random.uniform(0, 0.6))
                a, b, split = meta["gap"]
                meta = meta | {"gap": [a + len(x) - size, b + len(x) - size, split]}
            scene = Scene(self.random, 2.5 + len(x) / RATE + pause + self.reply_seconds(meta["key"]))
            scene.utter(x, meta, self.random.uniform(0.6, 1.4), pause)
            self.write("wait-filler", scene, noises[i], {"text": self.reply_text(meta["key"]), "takes": True, "pauseMs": round(pause * 1000)})

    def with_fillers(self) -> list[tuple[np.ndarray, dict, tuple[int, int] | None]]:
        """The clips of `bank-filler` with a silence after the filler, or of a voice whose words are known to end where they do: the sound, its index
        entry with that silence as its gap, and the silence before the filler, which not every voice makes."""
        if not (self.work / "bank-filler.json").exists():   # kept, because no program says a sentence twice in the same way
            with multiprocessing.Pool(2) as pool:
                synthesis.make(self.work, "bank-filler", plan_held_fillers(random.Random(7), synthesis.HELD_ENGINES), pool)
        bank, found = Bank(self.work, "bank-filler"), []
        for meta in (m for clips in bank.by_key.values() for m in clips):
            x = bank.wave(meta)
            if around := silences(x, meta):
                before, after = around
                found.append((x, meta | {"gap": [*after, words_to_filler(meta["text"])]}, before))
        return found

    def wait_human(self, n: int, people: Bank) -> None:
        """A person reads letters and numbers out, and a silence between two of them is made longer; what came before it is no request by itself."""
        def pauses(meta: dict) -> list[list[int]]:
            may = domain.pause_points(meta["text"])
            return [gap for gap in human.silences(people.wave(meta), meta["words"]) if gap[2] in may]

        noises = self.noises(n)
        paused = [(m, gaps) for m in people.by_key["ood"] if human.sentence(m) and (gaps := pauses(m))]
        for i in range(n):
            meta, gaps = paused[self.random.integers(len(paused))]
            meta = meta | {"gap": gaps[self.random.integers(len(gaps))]}
            pause = self.random.uniform(0.3, 1.2)
            scene = Scene(self.random, 5.5 + meta["length"] / RATE + pause)
            scene.utter(people.wave(meta), meta, self.random.uniform(0.6, 1.4), pause, human.lengthened)
            self.write("wait-human", scene, noises[i], {"text": self.reply_text("ood"), "takes": True, "pauseMs": round(pause * 1000)})

    def during(self, row: str, n: int, kind: str, people: Bank | None = None) -> None:
        """Something is said while the assistant tells the story or counts: `stop`, `back`, or another request (`barge`); by one of
        `people` if they are given, whose requests are a digit alone, or a sentence that is handed over."""
        noises = self.noises(n)
        for i in range(n):
            key = "story" if i % 2 == 0 else f"count:{self.random.integers(6, 10)}"
            first = self.clip([key])
            scene = Scene(self.random, 5 + self.reply_seconds(key) + 4)
            end = scene.say(self.bank, first, self.random.uniform(0.6, 1.2))
            playing = (reply_turn(int(end * RATE)) + 1) * TURN / RATE
            at = playing + self.random.uniform(0.8, min(4.5, self.reply_seconds(key) - 1))
            if kind == "stop":
                second = self.clip(["stop"], bank=people) if people else self.clip(["stop"], lambda m: m["held"] == (i % 4 > 1))
                expected = {"yields": True, "text": "okay"}
            elif kind == "back":
                second, expected = self.clip(["back"], bank=people), {"yields": False, "text": self.reply_text(key)}
            elif people:
                second = self.clip(DIGITS_ALONE, human.alone, people) if i % 4 > 1 else self.clip(["ood"], human.sentence, people)
                scene.samples = np.pad(scene.samples, (0, second["length"]))
                expected = {"yields": True, "text": self.reply_text(second["key"])}
            else:
                second = self.clip(self.keys_of([*self.SHORT, "sum", "digit", "say"]), lambda m: m["held"] == (i % 4 > 1))
                expected = {"yields": True, "text": self.reply_text(second["key"])}
            scene.say(people or self.bank, second, at)
            scene.events[-1]["during"] = True
            self.write(row, scene, noises[i], expected)

    def not_meant(self, row: str, n: int) -> None:
        """Somebody else speaks, or the user coughs, while the assistant tells the story or counts."""
        noises = self.noises(n)
        for i in range(n):
            key = "story" if i % 2 == 0 else f"count:{self.random.integers(6, 10)}"
            scene = Scene(self.random, 5 + self.reply_seconds(key) + 4)
            end = scene.say(self.bank, self.clip([key]), self.random.uniform(0.6, 1.2))
            playing = (reply_turn(int(end * RATE)) + 1) * TURN / RATE
            start = int((playing + self.random.uniform(0.8, min(4.5, self.reply_seconds(key) - 1))) * RATE)
            meta = self.clip(["line", "ood"], lambda m: m["held"])
            event = {"type": "aside", "key": meta["key"], "text": meta["text"], "voice": meta["voice"], "heldPhrasing": True}
            x = self.bank.wave(meta) * 10 ** (self.random.uniform(-20, -10) / 20)
            if row == "hold-cough":
                event = {"type": "cough", "key": "cough", "text": "", "voice": "none", "heldPhrasing": False}
                x = np.pad(cough(self.random), TAIL)
            scene.place(x, start, event)
            self.write(row, scene, noises[i], {"yields": False, "text": self.reply_text(key)})

    def television(self, n: int) -> None:
        """A television speaks all the time, 14 to 24 dB weaker than the user, who asks for the story or a count."""
        noises = self.noises(n)
        for i in range(n):
            key = "story" if i % 2 == 0 else f"count:{self.random.integers(6, 10)}"
            scene = Scene(self.random, 5 + self.reply_seconds(key) + 4)
            request = self.clip([key], lambda m: m["held"] == (i % 4 > 1))
            end = scene.say(self.bank, request, self.random.uniform(0.6, 1.2))
            playing = (reply_turn(int(end * RATE)) + 1) * TURN / RATE
            gain = 10 ** (self.random.uniform(-24, -14) / 20)

            def sentence(t: float) -> tuple[float, dict]:
                """Places one at `t` seconds; returns when the next may come, and its event."""
                meta = self.clip(["line", "ood"], lambda m: m["held"] and m["voice"] != request["voice"])
                event = {"type": "television", "key": meta["key"], "text": meta["text"], "voice": meta["voice"], "heldPhrasing": True}
                x = self.bank.wave(meta)[: len(scene.samples) - int(t * RATE)] * gain   # the last may be cut off
                return scene.place(x, int(t * RATE), event) + self.random.uniform(0.1, 1.5), event

            chosen = playing + self.random.uniform(0.8, min(4.5, self.reply_seconds(key) - 1))
            t = self.random.uniform(0, 1)
            while t < chosen:
                t, _ = sentence(t)
            t, during = sentence(chosen)   # during this one the assistant must be speaking: it stands for all
            while t < len(scene.samples) / RATE - 0.5:
                t, _ = sentence(t)
            scene.events = [scene.events[0], during]
            self.write("hold-television", scene, noises[i], {"yields": False, "text": self.reply_text(key)})

    def begin(self, row: str) -> None:
        """Begins a row with chances of its own, so that a change of another leaves it as it is."""
        self.random = np.random.default_rng([self.seed, zlib.crc32(row.encode())])
        self.digits.random = np.random.default_rng([self.seed, zlib.crc32(row.encode()), 1])

    def of(self, intents: list[str]) -> list[dict]:
        """All clips of some intents."""
        return [m for k in self.keys_of(intents) for m in self.bank.by_key[k]]

    def voice(self, intents: list[str], **least: int) -> str:
        """A voice that says something of each of some intents, or at least so many different sentences."""
        def voices_of(intent: str) -> set[str]:
            said = {(m["voice"], m["text"]) for m in self.of([intent])}
            return {voice for voice, _ in said if sum(v == voice for v, _ in said) >= least.get(intent, 1)}
        voices = [voices_of(intent) for intent in intents]
        return str(self.random.choice(sorted(set.intersection(*voices))))

    def correct(self, n: int) -> None:
        """The user puts the number of a request right after 0.1 to 0.8 s."""
        noises = self.noises(n)
        for i in range(n):
            intent = ["sum", "digit", "count"][i % 3]
            fixes = [m for m in self.of(["fix"]) if intent != "count" or int(m["key"][4:]) in domain.COUNT_TO]
            pairs = [(m, f) for f in fixes for m in self.of([intent]) if m["voice"] == f["voice"] and m["key"][-1] != f["key"][-1]]
            voice = self.random.choice(sorted({m["voice"] for m, _ in pairs}))
            pairs = [(m, f) for m, f in pairs if m["voice"] == voice]
            meta, fix = pairs[self.random.integers(len(pairs))]
            number = fix["key"][4:]
            first, comma, _ = meta["key"].partition(":")[2].rpartition(",")
            meant = f"{intent}:{first}{comma}{number}"
            scene = Scene(self.random, 6.5 + 2 + self.reply_seconds(meant))
            end = scene.say(self.bank, meta, self.random.uniform(0.6, 1.2))
            scene.say(self.bank, fix, end + self.random.uniform(0.1, 0.8))
            self.write("correct", scene, noises[i], {"text": self.reply_text(meant)})

    def aloud(self, n: int, row: str = "aloud", people: Bank | None = None) -> None:
        """The user tells a story of four to six sentences with pauses; then the assistant says something about it. The sentences are those
        of one of `people` if they are given, between the first and the last of a synthetic voice."""
        noises = self.noises(n)
        tellers = human.tellers(people.by_key["ood"], 6) if people else []
        for i in range(n):
            voice = self.voice(["tale", "line", "fin"], line=6)
            mine = lambda m: m["voice"] == voice   # noqa: E731
            scene = Scene(self.random, 64 if people else 34)
            t = scene.say(self.bank, self.clip(["tale"], mine), self.random.uniform(0.6, 1.2)) + self.random.uniform(1.3, 2)
            lines = {m["text"]: m for m in (tellers[i % len(tellers)] if people else filter(mine, self.of(["line"])))}
            for text in self.random.permutation(sorted(lines))[: self.random.integers(4, 7)]:
                t = scene.say(people or self.bank, lines[text], t) + self.random.uniform(0.5, 1.2)
            t = scene.say(self.bank, self.clip(["fin"], mine), t)
            scene.samples = scene.samples[: int((t + 4) * RATE)]
            self.write(row, scene, noises[i], {"text": self.reply_text("fin")})

    def echo(self, n: int) -> None:
        """The user says up to nine numbers, cut out of sentences of one voice, with pauses of 0.3 to 0.8 s, each to be repeated at once."""
        noises = self.noises(n)
        for i in range(n):
            voice = self.voice(["echo", "sum"])
            known = self.digits.digits_of(voice)
            scene, said = Scene(self.random, 24), []
            t = scene.say(self.bank, self.clip(["echo"], lambda m: m["voice"] == voice), self.random.uniform(0.6, 1.2)) + self.random.uniform(1.3, 2)
            for _ in range(self.random.integers(6, 10)):
                x, meta = self.digits.bare_digit(int(self.random.choice(known)), like=voice) or (None, None)
                if x is None:
                    continue
                event = {"type": "user", "key": "digit", "text": meta["text"], "voice": meta["voice"], "heldPhrasing": False}
                t = scene.place(x, int(t * RATE) - TAIL, event) + self.random.uniform(0.3, 0.8)
                said.append(meta["text"])
            scene.samples = scene.samples[: int((t + 2) * RATE)]
            self.write("echo", scene, noises[i], {"text": " ".join(["okay", *said])})

    def echo_human(self, folder: Path, n: int) -> None:
        """A synthetic voice asks for the echo; a person says six to nine numbers with pauses of 0.3 to 0.8 s."""
        noises, takes = self.noises(n), human.recorded_digits(folder)
        speakers = sorted({speaker for speaker, _ in takes})
        for i in range(n):
            scene, said, speaker = Scene(self.random, 24), [], speakers[i % len(speakers)]
            t = scene.say(self.bank, self.clip(["echo"]), self.random.uniform(0.6, 1.2)) + self.random.uniform(1.3, 2)
            for digit in self.random.integers(0, 10, self.random.integers(6, 10)):
                said.append(domain.DIGITS[digit])
                event = {"type": "user", "key": "digit", "text": said[-1], "voice": f"human:{speaker}", "heldPhrasing": False}
                t = scene.place(self.recorded(takes[speaker, int(digit)]), int(t * RATE) - TAIL, event) + self.random.uniform(0.3, 0.8)
            scene.samples = scene.samples[: int((t + 2) * RATE)]
            self.write("echo-human", scene, noises[i], {"text": " ".join(["okay", *said])})

    def every(self, n: int, row: str = "every", people: Bank | None = None) -> None:
        """ "now" every so many seconds, until the user, or one of `people`, says stop."""
        noises = self.noises(n)
        for i in range(n):
            seconds, ticks = int(self.random.choice(domain.EVERY_SECONDS)), int(self.random.integers(2, 5))
            scene = Scene(self.random, 8 + seconds * (ticks + 1))
            voices = {m["voice"] for m in self.of(["stop"])}
            request = self.clip([f"every:{seconds}"], lambda m: m["held"] == (i % 4 > 1) and m["voice"] in voices)
            end = scene.say(self.bank, request, self.random.uniform(0.6, 1.2))
            first = OUTPUTS * reply_turn(int(end * RATE))
            done = -(-(first + self.assistant.length("okay")) // OUTPUTS)
            due = 0.2 * (done + 5 * seconds + 1)
            stop = self.clip(["stop"], bank=people) if people else self.clip(["stop"], lambda m: m["voice"] == request["voice"])
            scene.say(people or self.bank, stop, due + seconds * (ticks - 1) + self.random.uniform(0.7, seconds - 0.6))
            self.write(row, scene, noises[i], {"text": " ".join(["okay", *["now"] * ticks, "okay"]), "everyMs": 1000 * seconds, "dueMs": round(due * 1000)})

    def elapsed(self, n: int) -> None:
        """The user has something timed and asks how long it took."""
        noises = self.noises(n)
        for i in range(n):
            voice, seconds = self.voice(["clock", "elapsed"]), int(self.random.choice(domain.ELAPSED_SECONDS))
            scene = Scene(self.random, 8 + seconds)
            end = scene.say(self.bank, self.clip(["clock"], lambda m: m["voice"] == voice), self.random.uniform(0.6, 1.2))
            scene.say(self.bank, self.clip(["elapsed"], lambda m: m["voice"] == voice), end + seconds + self.random.uniform(-0.2, 0.2))
            self.write("elapsed", scene, noises[i], {"text": " ".join(domain.words(self.answers[f"elapsed:{seconds}"]))})

    def transcript(self, n: int) -> None:
        """Several requests one after the other; what counts is what was heard."""
        noises = self.noises(n)
        keys = self.keys_of([*self.SHORT, "sum", "say", "digit", "stop"])
        for i in range(n):
            scene, t = Scene(self.random, 30), 0.8
            for _ in range(3):
                t = scene.say(self.bank, self.clip(keys), t) + 3.0
            scene.samples = scene.samples[: int(t * RATE)]
            self.write("transcript", scene, noises[i], {"heard": " ".join(" ".join(domain.words(e["text"])) for e in scene.events)})

    def out_of_domain(self, n: int, row: str = "out-of-domain", people: Bank | None = None) -> None:
        noises = self.noises(n)
        for i in range(n):
            meta = self.clip(["ood"], bank=people) if people else self.clip(["ood"], lambda m: m["held"])
            scene = Scene(self.random, max(7.5, 5.5 + meta["length"] / RATE) if people else 7.5)
            scene.say(people or self.bank, meta, self.random.uniform(0.6, 1.4))
            self.write(row, scene, noises[i], {"text": self.reply_text("ood"), "takes": True})

    def silence(self, n: int) -> None:
        """Nothing for the assistant to answer: noise, "stop" and "uh huh" while it is silent."""
        noises = self.noises(n)
        for i in range(n):
            scene = Scene(self.random, 8)
            if i % 3:
                scene.say(self.bank, self.clip(["stop" if i % 3 == 1 else "back"]), self.random.uniform(1, 4))
            self.write("silence", scene, noises[i], {"text": "", "takes": False})

    def timing(self, n: int) -> None:
        """Counting at a pace and waiting for seconds."""
        noises = self.noises(n)
        for i in range(n):
            key = f"wait:{self.random.choice(domain.WAIT_SECONDS)}" if i % 2 else f"count:{self.random.choice(domain.COUNT_TO)}"
            meta = self.clip([key], lambda m: m["held"] == (i % 4 > 1))
            scene = Scene(self.random, 13.5)
            end = scene.say(self.bank, meta, self.random.uniform(0.6, 1.2))
            expected = {"text": self.reply_text(key), "paceMs": COUNT_PACE * 50}
            if i % 2:
                first = OUTPUTS * reply_turn(int(end * RATE))
                done = -(-(first + self.assistant.length("okay")) // OUTPUTS)
                expected = {"text": self.reply_text(key), "seconds": int(key[5:]), "dueMs": 200 * (done + 5 * int(key[5:]) + 1)}
            self.write("time", scene, noises[i], expected)

    def see(self, n: int) -> None:
        """The colour now, and telling when a colour appears (with other colours before it)."""
        noises = self.noises(n)
        for i in range(n):
            now = int(self.random.integers(6))
            scene = Scene(self.random, 12)
            scene.color = [{"ms": 0, "rgb": domain.RGB[domain.COLORS[now]]}]
            if i % 2 == 0:
                scene.say(self.bank, self.clip(["color"], lambda m: m["held"] == (i % 4 > 1)), self.random.uniform(0.8, 1.6))
                self.write("color", scene, noises[i], {"text": f"i see {domain.COLORS[now]}"})
                continue
            awaited, decoy = (int(c) for c in self.random.permutation([c for c in range(6) if c != now])[:2])
            end = scene.say(self.bank, self.clip([f"watch:{awaited}"], lambda m: m["held"] == (i % 4 > 1)), self.random.uniform(0.6, 1.2))
            change = 200 * int((end + self.random.uniform(3.2, 5.5)) * 5)
            if i // 4 % 2:
                scene.color.append({"ms": change - 200 * int(self.random.integers(6, 9)), "rgb": domain.RGB[domain.COLORS[decoy]]})
            scene.color.append({"ms": change, "rgb": domain.RGB[domain.COLORS[awaited]]})
            self.write("color", scene, noises[i], {"text": f"okay now it is {domain.COLORS[awaited]}", "changeMs": change})

    def shapes(self, n: int) -> None:
        """The shape now, and telling when a shape appears (with others before it)."""
        noises = self.noises(n)
        for i in range(n):
            scene = Scene(self.random, 12)
            d, now = scene.look(), int(self.random.integers(0, len(domain.SHAPES) + 1))
            d.shape[:] = now
            if i % 2 == 0:
                scene.say(self.bank, self.clip(["shape"], lambda m: m["held"] == (i % 4 > 1)), self.random.uniform(0.8, 1.6))
                self.write("shape", scene, noises[i], {"text": self.reply_text(f"shape:{now - 1}" if now else "no shape")})
                continue
            awaited, decoy = (int(s) for s in self.random.permutation([s for s in range(1, len(domain.SHAPES) + 1) if s != now])[:2])
            end = scene.say(self.bank, self.clip([f"spot:{awaited - 1}"], lambda m: m["held"] == (i % 4 > 1)), self.random.uniform(0.6, 1.2))
            change = int((end + self.random.uniform(3.2, 5.5)) * 5)
            if i // 4 % 2:
                d.shape[change - int(self.random.integers(6, 9)):] = decoy
            d.shape[change:] = awaited
            self.write("shape", scene, noises[i], {"text": f"okay {self.reply_text(f'there:{awaited - 1}')}", "changeMs": 200 * change})

    def jumps(self, n: int) -> None:
        """Three to six jumps, 0.8 to 2.4 s apart, are to be counted as they happen; then the user says stop."""
        noises = self.noises(n)
        for i in range(n):
            scene = Scene(self.random, 26)
            d = scene.look()
            d.shape[:] = self.random.integers(1, len(domain.SHAPES) + 1)
            voices = {m["voice"] for m in self.of(["stop"])}
            request = self.clip(["jumps"], lambda m: m["held"] == (i % 4 > 1) and m["voice"] in voices)
            end = scene.say(self.bank, request, self.random.uniform(0.6, 1.2))
            at = int((end + self.random.uniform(1.6, 3)) * 5)
            seen = []
            for _ in range(self.random.integers(3, 7)):
                sights.jump(self.random, d, at)
                seen.append(200 * at + 100 * int((d.place[at, 0] == d.place[at - 1, 1]).all()))
                at += int(self.random.integers(4, 13))
            end = scene.say(self.bank, self.clip(["stop"], lambda m: m["voice"] == request["voice"]), seen[-1] / 1000 + self.random.uniform(1.2, 2))
            scene.samples = scene.samples[: int((end + 2.5) * 5) * TURN]
            scene.world = d.seen_until(len(scene.samples) // TURN)
            self.write("jumps", scene, noises[i], {"text": " ".join(["okay", *domain.DIGITS[1:len(seen) + 1], "okay"]), "jumpsMs": seen})

    def told(self, n: int) -> None:
        """The background hands something over to be said: while nobody speaks, after a request that it answers, or while the user speaks."""
        noises, texts = self.noises(n), self.random.permutation(SENTENCES)
        for i in range(n):
            scene = Scene(self.random, 14)
            at = self.random.uniform(0.8, 2)
            if i % 3:
                end = scene.say(self.bank, self.clip(["ood"], lambda m: m["held"]), self.random.uniform(0.6, 1.4))
                at = end + self.random.uniform(3, 5) if i % 3 == 1 else scene.events[0]["onsetMs"] / 1000 + self.random.uniform(0.3, 0.8)
            scene.told = {"text": texts[i % len(texts)], "atMs": round(1000 * at)}
            self.write("told", scene, noises[i], {"text": " ".join(domain.words(scene.told["text"]))})

    def told_meanwhile(self, row: str, n: int, keys: list[str], people: Bank | None = None) -> None:
        """The user, or one of `people`, says something while the assistant says two sentences that the background handed over."""
        noises, texts = self.noises(n), self.random.permutation(SENTENCES)
        for i in range(n):
            scene = Scene(self.random, 14)
            text = f"{texts[i % len(texts)]} {texts[(i + 1) % len(texts)]}"
            scene.told = {"text": text, "atMs": round(1000 * self.random.uniform(0.4, 1.4))}
            playing = (-(-scene.told["atMs"] // 200) + 1) * 0.2
            meta = self.clip(keys, lambda m: people or keys != ["stop"] or m["held"] == (i % 4 > 1), people)
            scene.say(people or self.bank, meta, playing + self.random.uniform(0.8, 3))
            scene.events[-1]["during"] = True
            self.write(row, scene, noises[i], {"yields": keys == ["stop"], "text": "okay" if keys == ["stop"] else " ".join(domain.words(text))})

    def human(self, folder: Path, n: int) -> None:
        """Real people say a digit, each speaker and digit in turn: recordings of the Free Spoken Digit Dataset."""
        noises, takes = self.noises(n), human.recorded_digits(folder)
        speakers = sorted({speaker for speaker, _ in takes})
        for i in range(n):
            speaker, digit = speakers[i % len(speakers)], i // len(speakers) % 10
            x = self.recorded(takes[speaker, digit])
            scene = Scene(self.random, 6)
            event = {"type": "user", "key": f"digit:{digit}", "text": domain.NUMBERS[digit], "voice": f"human:{speaker}", "heldPhrasing": False}
            scene.place(x, int(self.random.uniform(0.6, 1.4) * RATE), event)
            self.write("human-digit", scene, noises[i], {"text": self.reply_text(f"digit:{digit}"), "takes": True})

    def recorded(self, paths: list[Path]) -> np.ndarray:
        """One of some recordings, cut and as loud as the clips."""
        return human.recorded(paths[self.random.integers(len(paths))], LEVEL)


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("--work", type=Path, default=Path("work"))
    a.add_argument("--out", type=Path, default=Path("work/cases"))
    a.add_argument("-n", type=int, default=120, help="cases of each row")
    a.add_argument("--seed", type=int, default=11)
    a.add_argument("--human", type=Path, help="folder `recordings` of the Free Spoken Digit Dataset (README.md): two more rows, of real people")
    args = a.parse_args()
    if RECIPE.timing != load(MINI).timing:
        raise SystemExit(f"cases are those of {MINI.name}, whose timing the recipe in MICROTURN_RECIPE changes; unset it")
    shutil.rmtree(args.out, ignore_errors=True)   # or two sets would be one
    cases = Cases(args.work, args.out, args.seed)
    cases.take(args.n)
    cases.wait_inside(args.n)
    cases.during("yield-stop", args.n, "stop")
    cases.during("yield-barge", args.n, "barge")
    cases.during("hold", args.n, "back")
    people = Bank(args.work, "bank-human-held") if (args.work / "bank-human-held.json").exists() else None
    later = {
        "transcript": cases.transcript, "out-of-domain": cases.out_of_domain, "silence": cases.silence, "time": cases.timing, "color": cases.see,
        "correct": cases.correct, "aloud": cases.aloud, "echo": cases.echo, "every": cases.every, "elapsed": cases.elapsed,
        "hold-aside": lambda n: cases.not_meant("hold-aside", n), "hold-cough": lambda n: cases.not_meant("hold-cough", n),
        "told": cases.told, "hold-told": lambda n: cases.told_meanwhile("hold-told", n, ["back"]),
        "yield-told": lambda n: cases.told_meanwhile("yield-told", n, ["stop"]),
        "hold-television": cases.television, "shape": cases.shapes, "jumps": cases.jumps,
    }
    later["wait-filler"] = cases.wait_filler
    if args.human:
        later["human-digit"] = lambda n: cases.human(args.human, n)
        later["echo-human"] = lambda n: cases.echo_human(args.human, n)
    if people:
        later |= {
            "yield-stop-human": lambda n: cases.during("yield-stop-human", n, "stop", people),
            "hold-human": lambda n: cases.during("hold-human", n, "back", people),
            "out-of-domain-human": lambda n: cases.out_of_domain(n, "out-of-domain-human", people),
            "wait-human": lambda n: cases.wait_human(n, people),
            "yield-barge-human": lambda n: cases.during("yield-barge-human", n, "barge", people),
            "aloud-human": lambda n: cases.aloud(n, "aloud-human", people),
            "every-human": lambda n: cases.every(n, "every-human", people),
            "hold-told-human": lambda n: cases.told_meanwhile("hold-told-human", n, ["back"], people),
            "yield-told-human": lambda n: cases.told_meanwhile("yield-told-human", n, ["stop"], people),
        }
    for name, row in later.items():
        cases.begin(name)
        row(args.n)
    print(f"{args.out}: {cases.count} cases")


if __name__ == "__main__":
    main()
