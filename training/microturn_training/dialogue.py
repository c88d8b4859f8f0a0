"""Full-duplex dialogues and their labels, mixed on the fly from the clip bank so that no batch is ever repeated.

When what happens is told in timeline.py; exchanges that are more than a request and its reply are in scenes.py.
"""
from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from . import domain, phones, sights
from .dmel import DMEL_SPEECH
from .recipe import RECIPE
from .scenes import CORRECTED, SCENES, corrected
from .senses import IMAGE, Camera, Microphone, cough
from .sound import audible
from .synthesis import pause_points
from .timeline import (COUNT_PACE, FRAME, OUTPUTS, PHONE_AFTER, POSITION, RATE, REPLY_AFTER, SPOKEN_AFTER, STORY_GAP, TURN, heard_turn, reply_turn,
                       stop_turn, yield_turn)

DECISION = RECIPE.loss.decision
VOCODER_DELAY = FRAME
LOOKING = ("color", "watch", "shape", "spot", "jumps")   # requests about what the camera shows
NONE, LISTEN, SPEAK, DELEGATE = range(4)
CLIP_TAIL = 160                    # samples of a bank clip after its last audible one

VOCABULARY = domain.vocabulary()
TOKEN = {w: i for i, w in enumerate(VOCABULARY)}
PAD, END, UNK = 0, 1, 2


# The files of a bank that has more than one; all but the first may be missing.
BANK_FILES = {"bank-train": ["bank-train", "bank-natural", "bank-more", "bank-foreign", "bank-human", "bank-morph"]}


def bank_files(folder: Path, name: str) -> list[str]:
    """The files that a bank consists of here."""
    first, *others = BANK_FILES.get(name, [name])
    return [first, *(file for file in others if (folder / f"{file}.json").exists())]


class Bank:
    """Clips of a bank, by request key. Natural voices are listed `natural` times."""

    def __init__(self, folder: Path, name: str, keep=lambda meta: True, natural: int = 1):
        self.samples: dict[str, np.ndarray] = {}
        self.by_key: dict[str, list[dict]] = {}
        for file in bank_files(folder, name):
            self.samples[file] = np.load(folder / f"{file}.npy", mmap_mode="r")
            start = 0
            for meta in json.loads((folder / f"{file}.json").read_text()):
                if keep(meta):
                    copies = natural if meta["voice"].startswith("kokoro") else 1
                    self.by_key.setdefault(meta["key"], []).extend([meta | {"file": file, "start": start}] * copies)
                start += meta["length"]

    def wave(self, meta: dict) -> np.ndarray:
        return self.samples[meta["file"]][meta["start"]: meta["start"] + meta["length"]].astype(np.float32) / 32767


class Assistant:
    """What the assistant can say: for each answer its waveform, its speech frames and the output position of each word."""

    def __init__(self, folder: Path):
        bank = Bank(folder, "bank-assistant")
        self.wave, self.frames, self.words = {}, {}, {}
        for key, (meta,) in bank.by_key.items():
            x = bank.wave(meta)
            frames = DMEL_SPEECH.levels(np.pad(x, (0, -len(x) % POSITION + FRAME)))
            if len(frames) % 2:
                frames = np.pad(frames, ((0, 1), (0, 0)))
            last = np.flatnonzero(frames.max(1))[-1] + 1
            frames = frames[: last + last % 2]
            self.wave[key], self.frames[key] = x, frames.reshape(-1, 160)
            at, placed = -1, []
            for word, start in zip(domain.words(meta["text"]), meta["starts"]):
                at = max(at + 1, int(start * 20))  # the word's sound starts one position later: captions come first
                placed.append((at, TOKEN[word]))
            self.words[key] = placed

    def length(self, key: str) -> int:
        """Output positions from the first text token to the `<end>` token, both included."""
        return max(1 + len(self.frames[key]), self.words[key][-1][0] + 1) + 1


@dataclass
class Mix:
    """How a microphone signal is made worse than the clips it consists of; `None` means drawn at random."""
    augment: bool = True
    snr_db: float | None = None      # of the speech in the mix; inf = no noise
    echo: float = RECIPE.microphone.echo   # probability that the assistant's own voice leaks in
    late: bool = True                # replies and silence start late at times


@dataclass
class Dialogue:
    turns: int
    camera: bool
    user: np.ndarray = field(init=False)      # [samples]
    played: np.ndarray = field(init=False)    # [samples] what the assistant's loudspeaker plays
    text: np.ndarray = field(init=False)      # [outputs]
    heard: np.ndarray = field(init=False)
    spoken: np.ndarray = field(init=False)    # [audio positions] the word being said, for a probe; -1 where it has no token
    phone: np.ndarray = field(init=False)     # [audio positions] the phone being said, for a probe; -1 where that is not known
    control: np.ndarray = field(init=False)
    speech: np.ndarray = field(init=False)    # [outputs, 160]
    weight: np.ndarray = field(init=False)    # [outputs] extra loss weight on text and control
    color: np.ndarray = field(init=False)     # [turns] of what fills the picture
    shape: np.ndarray = field(init=False)     # [turns] what is in it: 0 for nothing, else 1 + its number
    place: np.ndarray = field(init=False)     # [turns, 2 images, 2] how far down and to the right of the middle that is, pixels
    level: float = 1.0                        # of the user, against the clips; noise is measured against it
    events: list[dict] = field(default_factory=list)

    def __post_init__(self):
        n = self.turns * OUTPUTS
        self.user = np.zeros(self.turns * TURN, np.float32)
        self.played = np.zeros((self.turns + 2) * TURN, np.float32)
        self.text, self.heard, self.spoken, self.phone = (np.zeros(n, np.int64) for _ in range(4))
        self.control = np.full(n, LISTEN, np.int64)
        self.speech = np.zeros((n, 160), np.uint8)
        self.weight = np.ones(n, np.float32)
        self.color, self.shape = np.zeros(self.turns, np.int64), np.zeros(self.turns, np.int64)
        self.place = np.zeros((self.turns, 2, 2), np.int64)

    def seen_until(self, turn: int) -> "Dialogue":
        """A dialogue of so many micro-turns in which the camera shows the same."""
        d = Dialogue(turn, self.camera)
        d.color, d.shape, d.place = self.color[:turn], self.shape[:turn], self.place[:turn]
        return d


class Generator:
    """Draws dialogues. `keep` selects the clips of the user (voices, phrasings)."""

    TURNS = RECIPE.dialogue.turns

    def __init__(self, folder: str | Path, seed: int, bank: str = "bank-train", turns: int = TURNS, mix: Mix | None = None,
                 keep=lambda meta: True):
        folder = Path(folder)
        self.random = np.random.default_rng(seed)
        self.bank, self.assistant = Bank(folder, bank, keep, RECIPE.dialogue.natural_copies if bank == "bank-train" else 1), Assistant(folder)
        self.phones = phones.load(folder)
        self.turns, self.mix = turns, mix or Mix()
        self.intents = list(RECIPE.dialogue.requests)
        self.spoken_digits = self._spoken_digits()
        self._pauses: dict[str, list[int]] = {}
        self._digits_of: dict[str, list[int]] = {}
        p = np.array(list(RECIPE.dialogue.requests.values()))
        self.probability = p / p.sum()
        self.microphone = Microphone(self.random, self.mix)
        self.camera = Camera(self.random)

    # ---- what is said -------------------------------------------------------------------------------------------

    def pick(self, intent: str, d: Dialogue, turn: int) -> str:
        """A random request of one intent."""
        r = self.random
        if intent == "count":
            return f"count:{r.choice(domain.COUNT_TO)}"
        if intent == "sum":
            return f"sum:{r.integers(10)},{r.integers(10)}"
        if intent == "say":
            return f"say:{r.integers(len(domain.WORDS))}"
        if intent == "digit":
            return f"digit:{r.integers(10)}"
        if intent == "wait":
            return f"wait:{r.choice(domain.WAIT_SECONDS)}"
        if intent == "every":
            return f"every:{r.choice(domain.EVERY_SECONDS)}"
        if intent == "watch":
            now = d.color[min(turn, self.turns - 1)]
            return f"watch:{r.choice([c for c in range(6) if c != now])}"
        if intent == "spot":
            return f"spot:{r.integers(len(domain.SHAPES))}"
        return intent

    def draw(self, d: Dialogue, turn: int, among: list[str] | None = None) -> str:
        while True:
            intent = self.random.choice(among) if among else self.random.choice(self.intents, p=self.probability)
            if d.camera or intent not in LOOKING or (intent not in ("watch", "spot") and self.random.random() < 0.3):
                key = self.pick(intent, d, turn)
                if key in self.bank.by_key:   # a small bank lacks some sums
                    return key

    # ---- the user -----------------------------------------------------------------------------------------------

    def _spoken_digits(self) -> list[list[tuple[dict, int]]]:
        """For each digit, the clips in which it is one of several words, and which word."""
        found: list[list[tuple[dict, int]]] = [[] for _ in domain.DIGITS]
        for key, clips in self.bank.by_key.items():
            if key.partition(":")[0] not in ("sum", "digit", "count", "wait"):
                continue
            for meta in clips:
                words = domain.words(meta["text"])
                for i, word in enumerate(words):
                    if word in domain.DIGITS and len(words) > 1:
                        found[domain.DIGITS.index(word)].append((meta, i))
        return found

    def digits_of(self, voice: str) -> list[int]:
        """The digits that a voice says inside sentences."""
        if voice not in self._digits_of:
            self._digits_of[voice] = [i for i, options in enumerate(self.spoken_digits) if any(m["voice"] == voice for m, _ in options)]
        return self._digits_of[voice]

    def bare_digit(self, digit: int, like: str | None = None) -> tuple[np.ndarray, dict] | None:
        """A digit cut out of a sentence, of the voice `like` if it has any, as a clip of its own; None if what was cut is no word."""
        options = self.spoken_digits[digit]
        options = [o for o in options if o[0]["voice"] == like] or options
        if not options:
            return None
        meta, i = options[self.random.integers(len(options))]
        first, last = meta["words"][i - 1] if i else 0, meta["words"][i]
        x = self.bank.wave(meta)[first:last].copy()
        if not RATE // 8 <= len(x) <= RATE:
            return None
        fade = np.linspace(0, 1, 80, dtype=np.float32)
        x[:80] *= fade
        x[-80:] *= fade[::-1]
        a, b = audible(x)
        x = np.pad(x, CLIP_TAIL)[a + CLIP_TAIL:b + CLIP_TAIL]
        return x, {**meta, "text": domain.DIGITS[digit], "length": len(x), "words": [len(x) - CLIP_TAIL], "gap": None}

    def meta(self, key: str, like: str | None = None, bare: bool = False) -> dict:
        """A random clip of `key`; of the voice `like`, or of one that the same program speaks, if there is any. `bare`: of one word."""
        options = self.bank.by_key[key]
        if bare:
            options = [m for m in options if " " not in m["text"]] or options
        if like:
            options = [m for m in options if m["voice"] == like] or [m for m in options if m["voice"].split(":")[0] == like.split(":")[0]] or options
        return options[self.random.integers(len(options))]

    def clip(self, key: str, like: str | None = None, bare: bool = False, meta: dict | None = None) -> tuple[np.ndarray, dict, list[int], list[int] | None]:
        """A clip of `key` at a random speed, some with a pause inside: samples, index entry, word ends, pause. `meta` says which, `like`
        in which voice, `bare` that a digit is alone."""
        r = self.random
        cut = None
        if key.startswith("digit") and self.mix.augment:
            alone = any(m["voice"] == like and " " not in m["text"] for m in self.bank.by_key[key]) if bare else True
            if not alone or r.random() < (0.5 if bare else RECIPE.dialogue.bare_digits):
                cut = self.bare_digit(int(key[6:]), like)
        if cut:
            x, meta = cut
        else:
            meta = meta or self.meta(key, like, bare)
            x = self.bank.wave(meta)
        words, gap = meta["words"], None
        if meta["gap"]:
            a, b, split = meta["gap"]
            extra = int(r.uniform(0.2, 1.4) * RATE) if r.random() < 0.75 else 0
            middle = (a + b) // 2
            x = np.concatenate([x[:middle], np.zeros(extra, np.float32), x[middle:]])
            words, gap = words[:split] + [w + extra for w in words[split:]], [a, b + extra]
        elif self.mix.augment and r.random() < RECIPE.dialogue.hesitates:
            x, words, gap = self.hesitate(x, meta["text"], words)
        if self.mix.augment:
            speed = r.uniform(0.82, 1.2)
            x = np.interp(np.arange(0, len(x) - 1, speed), np.arange(len(x)), x).astype(np.float32)
            words = [int(w / speed) for w in words]
            gap = [int(g / speed) for g in gap] if gap else None
        return x, meta, words, gap

    def hesitate(self, x: np.ndarray, text: str, words: list[int]) -> tuple[np.ndarray, list[int], list[int] | None]:
        """Cuts a clip after a word where its request cannot be over yet, at the quietest point nearby, and waits there."""
        r = self.random
        if text not in self._pauses:
            self._pauses[text] = pause_points(text) if domain.is_request(text) else []
        if not self._pauses[text]:
            return x, words, None
        split = int(r.choice(self._pauses[text]))
        low, high = max(400, words[split - 1] - 800), min(len(x) - 400, words[split - 1] + 800)
        if high <= low:
            return x, words, None
        at = low + int(np.argmin(np.convolve(np.abs(x[low:high]), np.ones(160, np.float32), "same")[80:-80])) + 80 if high - low > 240 else low
        fade = np.linspace(1, 0, 160, dtype=np.float32)
        before, after = x[:at].copy(), x[at:].copy()
        before[-160:] *= fade
        after[:160] *= fade[::-1]
        extra = int(r.uniform(0.2, 1.4) * RATE)
        return (np.concatenate([before, np.zeros(extra, np.float32), after]),
                words[: split - 1] + [at] + [w + extra for w in words[split:]], [at, at + extra])

    def user(self, d: Dialogue, key: str, start: int, gain: float, **which) -> tuple[int, int]:
        """Lets the user say `key` from sample `start`; writes the transcript labels; returns (onset, end). `which` as in `clip`."""
        x, meta, words, gap = self.clip(key, **which)
        n = max(0, min(len(x), len(d.user) - start))
        d.user[start:start + n] += x[:n] * gain
        for word, end in zip(domain.words(meta["text"]), words):
            at = OUTPUTS * heard_turn(start + end)
            while at < len(d.heard) and d.heard[at]:
                at += 1
            if at < len(d.heard):
                d.heard[at] = TOKEN.get(word, UNK)
        onset, end = start + CLIP_TAIL, start + len(x) - CLIP_TAIL
        begin = onset
        for word, word_end in zip(domain.words(meta["text"]), words):
            if gap and begin == start + gap[0]:
                begin = start + gap[1]   # the word after a pause
            first, last = ((sample + SPOKEN_AFTER) // POSITION for sample in (begin, start + word_end))
            d.spoken[first:last] = TOKEN.get(word, -1)
            self.pronounce(d, word, begin, start + word_end)
            begin = start + word_end
        if gap:
            for labels, after in ((d.spoken, SPOKEN_AFTER), (d.phone, PHONE_AFTER)):
                labels[(start + gap[0] + after) // POSITION:(start + gap[1] + after) // POSITION] = PAD
            if gap[1] - gap[0] >= REPLY_AFTER:
                turn = reply_turn(start + gap[0])
                self.decide(d, *range(turn, max(turn + 1, (start + gap[1]) // TURN)))
        d.events.append({"type": "user", "key": str(key), "text": meta["text"], "voice": meta["voice"], "held": meta["held"],
                         "onset": onset, "end": end, "pause": [start + g for g in gap] if gap else None})
        return onset, end

    def pronounce(self, d: Dialogue, word: str, begin: int, end: int) -> None:
        """Labels the phones of a word that is said from sample `begin` to `end`."""
        said = self.phones.get(word)
        if not said:
            d.phone[(begin + PHONE_AFTER) // POSITION:(end + PHONE_AFTER) // POSITION] = -1
            return
        at = begin
        for phone, share in zip(said, phones.borders(said)):
            until = begin + int(share * (end - begin))
            d.phone[(at + PHONE_AFTER) // POSITION:(until + PHONE_AFTER) // POSITION] = phones.PHONE[phone]
            at = until

    def somebody_else(self, d: Dialogue, start: int, gain: float) -> tuple[int, int]:
        """Speech that is not for the assistant, such as a television's: nothing of it is transcribed. Returns (onset, end)."""
        x, _, _, _ = self.clip("ood" if self.random.random() < 0.5 else "line")
        n = max(0, min(len(x), len(d.user) - start))
        d.user[start:start + n] += x[:n] * gain
        d.spoken[start // POSITION:(start + n + SPOKEN_AFTER) // POSITION + 1] = -1
        d.phone[start // POSITION:(start + n + PHONE_AFTER) // POSITION + 1] = -1
        return start + CLIP_TAIL, start + len(x) - CLIP_TAIL

    # ---- the assistant ------------------------------------------------------------------------------------------

    def decide(self, d: Dialogue, *turns: int) -> None:
        """Makes the first output positions of micro-turns count as decisions. Where only what is done counts and what is left
        undone does not, a model acts as soon as it might be right."""
        for turn in turns:
            d.weight[OUTPUTS * turn: OUTPUTS * turn + 1] = DECISION

    def late(self, d: Dialogue, turn: int, shares: list[float]) -> int:
        """The micro-turn in which something is done that could be done in `turn`. Being late at times teaches two things: to wait
        for more evidence when it is weak, and that a missed moment is not the last."""
        done = turn + int(self.random.choice(len(shares), p=shares)) if self.mix.late else turn
        self.decide(d, *range(turn, done))
        return done

    def reply(self, d: Dialogue, items: list[tuple[str, int]], cut: int | None = None) -> int:
        """Says the answers at their output positions as one reply; silent from position `cut` on. Returns its end."""
        total = len(d.text)
        stop = total if cut is None else min(cut, total)
        first, end = items[0][1], items[-1][1] + self.assistant.length(items[-1][0])
        if first >= stop:
            return first
        for key, at in items:
            frames, wave = self.assistant.frames[key], self.assistant.wave[key]
            n = max(0, min(len(frames), stop - at - 1))
            d.speech[at + 1: at + 1 + n] = frames[:n]
            a = (at + 1 + OUTPUTS) * POSITION + VOCODER_DELAY
            b = min(a + len(wave), (stop + OUTPUTS) * POSITION, len(d.played))
            if b > a:
                d.played[a:b] = wave[: b - a]
            for offset, token in self.assistant.words[key]:
                if at + offset < stop:
                    d.text[at + offset] = token
            if at < stop:
                d.weight[at] = 4
            found_out = self.assistant.words[key][0 if key.startswith("elapsed") else -1][0]
            if len(domain.answer_parts(key)) > 1 and at + found_out < stop:
                d.weight[at + found_out] = 5   # the word that has to be found out
        d.control[first:min(end, stop)] = SPEAK
        if items[0][0] == "ood" and first + 1 < stop:
            d.control[first + 1] = DELEGATE   # by then the reply is known, so this is no decision of its own
            d.weight[first + 1] = DECISION
        if end <= stop:
            d.text[end - 1] = END
        for at in (first, min(end, stop)):
            d.weight[at:at + 1] = DECISION
        if cut is not None and cut < end:
            d.weight[cut:cut + OUTPUTS] = 4
        d.events.append({"type": "reply", "keys": [k for k, _ in items], "start": first, "end": min(end, stop), "cut": cut})
        return min(end, stop)

    def plan(self, d: Dialogue, key: str, end: int) -> list[list[tuple[str, int]]]:
        """The replies to a request that ended at sample `end`: each a list of (answer key, output position)."""
        at = OUTPUTS * self.late(d, reply_turn(end), RECIPE.dialogue.late)
        intent, _, argument = key.partition(":")
        if intent in ("greet", "name", "how", "thanks", "bye", "ood", "sum", "say"):
            return [[(key, at)]]
        if intent == "digit":
            return [[(f"number:{argument}", at)]]
        if intent == "count":
            return [[(f"number:{i + 1}", at + COUNT_PACE * i) for i in range(int(argument))]]
        if intent == "story":
            items = []
            for i in range(len(domain.STORY)):
                items.append((f"story:{i}", at))
                at += self.assistant.length(f"story:{i}") - 1 + STORY_GAP
            return [items]
        if intent == "color":
            return [[(f"color:{d.color[min(at // OUTPUTS, self.turns - 1)]}" if d.camera else "blind", at)]]
        if intent == "shape":
            shape = d.shape[min(at // OUTPUTS, self.turns - 1)]
            return [[((f"shape:{shape - 1}" if shape else "no shape") if d.camera else "blind", at)]]
        if intent in ("watch", "spot"):
            return [[("okay", at)]]
        if intent == "wait":
            done = -(-(at + self.assistant.length("okay")) // OUTPUTS)
            # Any other number of seconds ends at one of these; and this one ends once, while "every n seconds" comes again.
            self.decide(d, *(done + 5 * n for n in domain.WAIT_SECONDS), *range(done + 10 * int(argument), self.turns, 5 * int(argument)))
            return [[("okay", at)], [("time", OUTPUTS * (done + 5 * int(argument)))]]
        raise ValueError(f"plan: {key} has no reply")

    # ---- one exchange -------------------------------------------------------------------------------------------

    def exchange(self, d: Dialogue, key: str, start: int, gain: float, interrupt: str | None = None, depth: int = 0) -> int:
        """The user says `key` at sample `start`, the assistant replies, perhaps something happens meanwhile.

        `interrupt` is `none`, `corrected`, or what may happen during a long reply (the recipe's `interrupts`); `None` draws one. Returns the sample at which all is over."""
        r = self.random
        intent = key.partition(":")[0]
        if intent in SCENES:
            return SCENES[intent](self, d, start, gain)
        if intent == "jumps":
            return sights.jumps(self, d, start, gain)
        if interrupt == "corrected" or (interrupt is None and depth == 0 and intent in CORRECTED and r.random() < RECIPE.dialogue.corrects):
            return corrected(self, d, key, start, gain)
        onset, end = self.user(d, key, start, gain)
        if key in ("stop", "back"):
            return end + 4800
        replies = self.plan(d, key, end)
        if len(replies) == 1 and intent in ("story", "count", "sum"):
            items = replies[0]
            last = items[-1][1] + self.assistant.length(items[-1][0])
            sound = (items[0][1] + 1 + OUTPUTS) * POSITION, (last + OUTPUTS) * POSITION
            long = sound[1] - sound[0] > 1.8 * RATE
            if interrupt is None:
                interrupt = "none" if depth > 1 or not long else r.choice(list(RECIPE.dialogue.interrupts), p=list(RECIPE.dialogue.interrupts.values()))
            if interrupt != "none" and long:
                t = int(r.integers(sound[0] + 6400, max(sound[0] + 6401, min(sound[1] - 6400, sound[0] + 80000))))
                if t < len(d.user) - 8000:
                    return self._interrupted(d, items, interrupt, t, gain, depth)
        for items in replies:
            over = self.reply(d, items)
        if intent in ("watch", "spot") and d.camera:
            return sights.watch(self, d, key, over)
        # What came once must be seen not to come again.
        quiet = int(r.uniform(1, 7) * RATE) if intent == "wait" and r.random() < 0.6 else 0
        return (over + OUTPUTS) * POSITION + quiet

    def _interrupted(self, d: Dialogue, items: list, what: str, t: int, gain: float, depth: int) -> int:
        if what == "back":
            onset, e = self.user(d, "back", t, gain)
            d.events[-1]["during"] = True
            over = (self.reply(d, items) + OUTPUTS) * POSITION
            self.decide(d, stop_turn(onset, e), yield_turn(onset), yield_turn(onset) + 1)
            return max(over, e)
        if what in ("aside", "cough"):
            if what == "aside":
                onset, e = self.somebody_else(d, t, gain * 10 ** (self.random.uniform(-20, -9) / 20))
            else:
                x = cough(self.random)[: len(d.user) - t]
                d.user[t:t + len(x)] += x * gain
                onset, e = t, t + len(x)
            d.events.append({"type": what, "onset": onset, "end": e})
            self.decide(d, yield_turn(onset), yield_turn(onset) + 1)
            return max((self.reply(d, items) + OUTPUTS) * POSITION, e)
        if what == "stop":
            onset, e = self.user(d, "stop", t, gain)
            quiet = self.late(d, stop_turn(onset, e), RECIPE.dialogue.late_yield)
            cut = OUTPUTS * quiet
            self.reply(d, items, cut)
            d.events.append({"type": "stop", "onset": onset, "end": e, "cut": cut})
            over = self.reply(d, [("okay", OUTPUTS * self.late(d, max(quiet + 2, reply_turn(e)), RECIPE.dialogue.late))])
            # So does a timer begin; but here nothing is to follow, however long it is quiet.
            done = -(-over // OUTPUTS)
            self.decide(d, *(done + 5 * n for n in domain.WAIT_SECONDS))
            return (over + OUTPUTS) * POSITION + (int(self.random.uniform(1, 6) * RATE) if self.random.random() < 0.6 else 0)
        n = len(d.events)
        key = self.draw(d, t // TURN, ["greet", "name", "how", "thanks", "bye", "sum", "sum", "digit", "digit", "say", "color", "count", "story", "ood"])
        over = self.exchange(d, key, t, gain, depth=depth + 1)
        onset = d.events[n]["onset"]
        cut = OUTPUTS * min(self.late(d, yield_turn(onset), RECIPE.dialogue.late_yield), reply_turn(d.events[n]["end"]))
        self.reply(d, items, cut)
        d.events.append({"type": "barge", "onset": onset, "end": d.events[n]["end"], "cut": cut})
        return over

    def dialogue(self, script: list[tuple[str, str]] | None = None, camera: bool | None = None) -> Dialogue:
        """One dialogue: random, or the requests of `script` as (key, interrupt)."""
        r = self.random
        d = Dialogue(self.turns, bool(r.random() < RECIPE.dialogue.camera) if camera is None else camera)
        sights.world(self, d)
        t = int(r.uniform(0.3, 2.2) * RATE) if script or r.random() < 0.9 else int(r.uniform(2, 12) * RATE)
        level = 10 ** (r.uniform(-15, 4) / 20) if self.mix.augment else 1.0
        d.level = level
        if script:
            for key, interrupt in script:
                t = self.exchange(d, key, t, level, interrupt) + int(r.uniform(0.4, 1.2) * RATE)
        while not script and t < len(d.user) - 1.2 * RATE:
            turn = t // TURN
            key = self.draw(d, turn)
            if d.camera:
                sights.before(self, d, key, turn)
            gain = level * 10 ** (r.uniform(-3, 3) / 20)
            t = self.exchange(d, key, t, gain) + int(r.uniform(0.15, 1.6) * RATE)
        if self.mix.augment and r.random() < RECIPE.dialogue.television:
            self.television(d, min(level, 0.5) * 10 ** (r.uniform(-24, -14) / 20))   # weaker than the quietest user
        return d

    def television(self, d: Dialogue, gain: float) -> None:
        """Somebody else speaks all the time."""
        t = int(self.random.uniform(-2, 3) * RATE)
        probes = d.spoken.copy(), d.phone.copy()
        while t < len(d.user):
            _, t = self.somebody_else(d, max(t, 0), gain)
            t += int(self.random.uniform(0.1, 1.5) * RATE)
        d.spoken[:], d.phone[:] = probes   # the user's words are still to be heard

    # ---- batches ------------------------------------------------------------------------------------------------

    def example(self, d: Dialogue) -> dict[str, np.ndarray]:
        """Everything the model is shown and must yield for one dialogue."""
        return {"audio": self.microphone.levels(d).reshape(self.turns, 4, 80), "text": d.text, "heard": d.heard, "spoken": d.spoken, "phone": d.phone if self.phones else np.full_like(d.phone, -1), "control": d.control, "speech": d.speech,
                "weight": d.weight, "camera": np.array(d.camera),
                "color": np.repeat(d.color, OUTPUTS) if d.camera else np.full(len(d.text), len(domain.COLORS)),
                "shape": np.repeat(d.shape, OUTPUTS) if d.camera else np.full(len(d.text), len(domain.SHAPES) + 1),
                "jumped": np.repeat(self.jumped(d), OUTPUTS)}

    @staticmethod
    def jumped(d: Dialogue) -> np.ndarray:
        """The micro-turns in which a shape is where it was not before."""
        moved = np.zeros(d.turns, np.int64)
        if d.camera:
            moved[1:] = (d.place[1:, 1] != d.place[:-1, 1]).any(-1) & (d.shape[1:] > 0) & (d.shape[:-1] > 0)
        return moved

    def batch(self, size: int) -> dict[str, np.ndarray]:
        """`size` dialogues, stacked; `images` holds only those with a camera, in order."""
        dialogues = [self.dialogue() for _ in range(size)]
        examples = [self.example(d) for d in dialogues]
        out = {k: np.stack([e[k] for e in examples]) for k in examples[0]}
        seen = [self.camera.images(d) for d in dialogues if d.camera]
        out["images"] = np.stack(seen) if seen else np.zeros((0, self.turns, 2, *IMAGE), np.uint8)
        return out


def folder_of(argument: str | None = None) -> Path:
    return Path(argument or os.environ.get("MICROTURN_WORK", "work"))
