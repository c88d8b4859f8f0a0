"""The user of a dialogue: clips of the bank at random speeds, with pauses inside, digits cut out of sentences; and who else is heard in the room."""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import domain, phones
from .bank import Bank
from .recipe import RECIPE
from .sound import TAIL, audible
from .timeline import OUTPUTS, PHONE_AFTER, POSITION, RATE, REPLY_AFTER, SPOKEN_AFTER, TURN, heard_turn, reply_turn, yield_turn

if TYPE_CHECKING:
    from .dialogue import Dialogue


class User:
    """Says requests into dialogues, with the labels of what is heard. `pronunciations` are the phones of each word; `augment` changes speeds
    and makes pauses."""

    def __init__(self, bank: Bank, pronunciations: dict[str, list[str]], random: np.random.Generator, augment: bool):
        self.bank, self.phones, self.random, self.augment = bank, pronunciations, random, augment
        self.spoken_digits = self._spoken_digits()
        self._pauses: dict[str, list[int]] = {}
        self._digits_of: dict[str, list[int]] = {}
        self._aloud: dict[str, list[dict]] = {}

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
        x = np.pad(x, TAIL)[a + TAIL:b + TAIL]
        return x, {**meta, "text": domain.DIGITS[digit], "length": len(x), "words": [len(x) - TAIL], "gap": None}

    def meta(self, key: str, like: str | None = None, bare: bool = False) -> dict:
        """A random clip of `key`; of the voice `like`, or of one that the same program speaks, if there is any. `bare`: of one word."""
        options = self.bank.by_key[key]
        if bare:
            options = [m for m in options if " " not in m["text"]] or options
        if like:
            options = [m for m in options if m["voice"] == like] or [m for m in options if m["voice"].split(":")[0] == like.split(":")[0]] or options
        return options[self.random.integers(len(options))]

    def filled(self, key: str, like: str | None) -> dict | None:
        """A clip of `key` with a filler inside, of the voice `like` if it is given; None if there is none, and for most requests."""
        options = [m for m in self.bank.with_filler.get(key, []) if like in (None, m["voice"])]
        if not options or not self.augment or self.random.random() >= RECIPE.dialogue.fillers:
            return None
        return options[self.random.integers(len(options))]

    def clip(self, key: str, like: str | None = None, bare: bool = False, meta: dict | None = None) -> tuple[np.ndarray, dict, list[int], list[list[int]]]:
        """A clip of `key` at a random speed, some with pauses inside: samples, index entry, word ends, pauses. `meta` says which, `like`
        in which voice, `bare` that a digit is alone."""
        r = self.random
        cut = None
        if key.startswith("digit") and self.augment:
            alone = any(m["voice"] == like and " " not in m["text"] for m in self.bank.by_key[key]) if bare else True
            if not alone or r.random() < (0.5 if bare else RECIPE.dialogue.bare_digits):
                cut = self.bare_digit(int(key[6:]), like)
        if cut:
            x, meta = cut
        else:
            meta = meta or (None if bare else self.filled(key, like)) or self.meta(key, like, bare)
            x = self.bank.wave(meta)
        words, gaps = meta["words"], []
        if meta["gap"]:
            x, words, gaps = self.lengthened(x, meta)
        elif self.augment and r.random() < (RECIPE.dialogue.foreign_hesitates if meta["key"] == "ood" else RECIPE.dialogue.hesitates):
            x, words, gaps = self.hesitate(x, meta["text"], words, meta["key"] == "ood")
        if self.augment:
            speed = r.uniform(0.82, 1.2)
            x = np.interp(np.arange(0, len(x) - 1, speed), np.arange(len(x)), x).astype(np.float32)
            words = [int(w / speed) for w in words]
            gaps = [[int(g / speed) for g in gap] for gap in gaps]
        return x, meta, words, gaps

    def lengthened(self, x: np.ndarray, meta: dict) -> tuple[np.ndarray, list[int], list[list[int]]]:
        """Makes the pause of a clip longer, mostly, and at times the one before its filler: samples, word ends, pauses."""
        r, words, gaps, longer = self.random, meta["words"], [], 0
        a, b, split = meta["gap"]
        pauses = [(a, b, split, int(r.uniform(0.2, 1.4) * RATE) if r.random() < 0.75 else 0)]
        if meta.get("before_filler"):
            pauses.insert(0, (*meta["before_filler"], split - 1, int(r.uniform(0.1, 1.2) * RATE) if r.random() < 0.5 else 0))
        for a, b, split, extra in pauses:
            middle = longer + (a + b) // 2
            x = np.concatenate([x[:middle], np.zeros(extra, np.float32), x[middle:]])
            words = words[:split] + [w + extra for w in words[split:]]
            gaps.append([longer + a, longer + b + extra])
            longer += extra
        return x, words, gaps

    def hesitate(self, x: np.ndarray, text: str, words: list[int], foreign: bool) -> tuple[np.ndarray, list[int], list[list[int]]]:
        """Cuts a clip after a word where its request, or `foreign` speech, cannot be a whole request yet, at the quietest point nearby, and waits there."""
        r = self.random
        if text not in self._pauses:
            self._pauses[text] = domain.pause_points(text) if foreign or domain.is_request(text) else []
        if not self._pauses[text]:
            return x, words, []
        split = int(r.choice(self._pauses[text]))
        low, high = max(400, words[split - 1] - 800), min(len(x) - 400, words[split - 1] + 800)
        if high <= low:
            return x, words, []
        at = low + int(np.argmin(np.convolve(np.abs(x[low:high]), np.ones(160, np.float32), "same")[80:-80])) + 80 if high - low > 240 else low
        fade = np.linspace(1, 0, 160, dtype=np.float32)
        before, after = x[:at].copy(), x[at:].copy()
        before[-160:] *= fade
        after[:160] *= fade[::-1]
        extra = int(r.uniform(0.2, 1.4) * RATE)
        return (np.concatenate([before, np.zeros(extra, np.float32), after]),
                words[: split - 1] + [at] + [w + extra for w in words[split:]], [[at, at + extra]])

    def say(self, d: Dialogue, key: str, start: int, gain: float, **which) -> tuple[int, int]:
        """Lets the user say `key` from sample `start`; writes the transcript labels; returns (onset, end). `which` as in `clip`."""
        x, meta, words, gaps = self.clip(key, **which)
        n = max(0, min(len(x), len(d.user) - start))
        d.user[start:start + n] += x[:n] * gain
        for word, end in zip(domain.words(meta["text"]), words):
            at = OUTPUTS * heard_turn(start + end)
            while at < len(d.heard) and d.heard[at]:
                at += 1
            if at < len(d.heard):
                d.heard[at] = domain.TOKEN.get(word, domain.UNK)
        onset, end = start + TAIL, start + len(x) - TAIL
        begin, resumes = onset, {start + a: start + b for a, b in gaps}
        for word, word_end in zip(domain.words(meta["text"]), words):
            begin = resumes.get(begin, begin)   # the word after a pause
            first, last = ((sample + SPOKEN_AFTER) // POSITION for sample in (begin, start + word_end))
            d.spoken[first:last] = domain.TOKEN.get(word, -1)
            self.pronounce(d, word, begin, start + word_end)
            begin = start + word_end
        for a, b in gaps:
            for labels, after in ((d.spoken, SPOKEN_AFTER), (d.phone, PHONE_AFTER)):
                labels[(start + a + after) // POSITION:(start + b + after) // POSITION] = domain.PAD
            if b - a >= REPLY_AFTER:
                turn = reply_turn(start + a)
                d.decide(*range(turn, max(turn + 1, (start + b) // TURN)))
        d.events.append({"type": "user", "key": str(key), "text": meta["text"], "voice": meta["voice"], "held": meta["held"],
                         "onset": onset, "end": end, "pauses": [[start + a, start + b] for a, b in gaps]})
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
        key = "ood" if self.random.random() < 0.5 else "line"
        x, _, _, _ = self.clip(key, meta=self._heard_in_the_room(key))
        n = max(0, min(len(x), len(d.user) - start))
        d.user[start:start + n] += x[:n] * gain
        d.spoken[start // POSITION:(start + n + SPOKEN_AFTER) // POSITION + 1] = -1
        d.phone[start // POSITION:(start + n + PHONE_AFTER) // POSITION + 1] = -1
        return start + TAIL, start + len(x) - TAIL

    def _heard_in_the_room(self, key: str) -> dict:
        """A random clip of `key` that is spoken aloud: nobody types to somebody else."""
        if key not in self._aloud:
            self._aloud[key] = [m for m in self.bank.by_key[key] if not m["voice"].startswith("typed:")] or self.bank.by_key[key]
        return self._aloud[key][self.random.integers(len(self._aloud[key]))]

    def television(self, d: Dialogue, gain: float) -> None:
        """Somebody else speaks all the time."""
        t = int(self.random.uniform(-2, 3) * RATE)
        probes = d.spoken.copy(), d.phone.copy()
        while t < len(d.user):
            onset, t = self.somebody_else(d, max(t, 0), gain)
            for turn in (yield_turn(onset), yield_turn(onset) + 1, reply_turn(t)):   # at which a user would be answered, or given way to
                if (d.weight[OUTPUTS * turn:OUTPUTS * turn + 1] == 1).all():
                    d.decide(turn)
            t += int(self.random.uniform(0.1, 1.5) * RATE)
        d.spoken[:], d.phone[:] = probes   # the user's words are still to be heard
