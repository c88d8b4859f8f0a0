"""Full-duplex dialogues and their labels, mixed on the fly from the clip bank so that no batch is ever repeated.

When what happens is told in timeline.py; what the user says is in user.py; exchanges that are more than a request and its reply are in scenes.py.
"""
from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from . import domain, phones, sights
from .bank import Assistant, Bank, even_digits
from .recipe import RECIPE
from .scenes import CORRECTED, SCENES, corrected
from .senses import IMAGE, Camera, Microphone, cough
from .timeline import COUNT_PACE, FRAME, OUTPUTS, POSITION, RATE, STORY_GAP, TURN, reply_turn, stop_turn, yield_turn
from .user import User

DECISION = RECIPE.loss.decision
VOCODER_DELAY = FRAME
LOOKING = ("color", "watch", "shape", "spot", "jumps")   # requests about what the camera shows
NONE, LISTEN, SPEAK, DELEGATE = range(4)


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
    going_on: np.ndarray = field(init=False)  # [outputs] what was asked for and is not over, for a probe: a place in domain.GOING_ON; -1 where nobody answers
    told: np.ndarray = field(init=False)      # [outputs] whether text and speech are what the assistant was told to say, not its own
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
        self.told = np.zeros(n, bool)
        self.going_on = np.zeros(n, np.int64)
        self.color, self.shape = np.zeros(self.turns, np.int64), np.zeros(self.turns, np.int64)
        self.place = np.zeros((self.turns, 2, 2), np.int64)

    def decide(self, *turns: int) -> None:
        """Makes the first output positions of micro-turns count as decisions. Where only what is done counts and what is left
        undone does not, a model acts as soon as it might be right."""
        for turn in turns:
            self.weight[OUTPUTS * turn: OUTPUTS * turn + 1] = DECISION

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
        self.bank, self.assistant = Bank(folder, bank, keep, RECIPE.dialogue.copies if bank == "bank-train" else {}), Assistant(folder)
        if bank == "bank-train":
            even_digits(self.bank.by_key)
        self.turns, self.mix = turns, mix or Mix()
        self.user = User(self.bank, phones.load(folder), self.random, self.mix.augment)
        self.intents = list(RECIPE.dialogue.requests)
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
                if key in self.bank.by_key or (key == "told" and self.assistant.told):   # a small bank lacks some sums
                    return key

    # ---- the assistant ------------------------------------------------------------------------------------------

    def late(self, d: Dialogue, turn: int, shares: list[float]) -> int:
        """The micro-turn in which something is done that could be done in `turn`. Being late at times teaches two things: to wait
        for more evidence when it is weak, and that a missed moment is not the last."""
        done = turn + int(self.random.choice(len(shares), p=shares)) if self.mix.late else turn
        d.decide(*range(turn, done))
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
            if key.startswith("told:"):
                continue
            found_out = self.assistant.words[key][0 if key.startswith("elapsed") else -1][0]
            if len(domain.answer_parts(key)) > 1 and at + found_out < stop:
                d.weight[at + found_out] = 5   # the word that has to be found out
        d.control[first:min(end, stop)] = SPEAK
        if items[0][0].startswith("told:"):
            d.told[first:min(end, stop)] = True
            d.weight[first] = 0   # somebody else decided that it begins
        if items[0][0] == "ood" and first + 1 < stop:
            d.control[first + 1] = DELEGATE   # by then the reply is known, so this is no decision of its own
            d.weight[first + 1] = DECISION
        if end <= stop:
            d.text[end - 1] = domain.END
        for at in (first, min(end, stop)):
            if not (at == first and items[0][0].startswith("told:")):
                d.weight[at:at + 1] = DECISION
        if cut is not None and cut < end:
            d.weight[cut + 1:cut + OUTPUTS] = 4   # the first is the decision
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
            d.decide(*(done + 5 * n for n in domain.WAIT_SECONDS), *range(done + 10 * int(argument), self.turns, 5 * int(argument)))
            return [[("okay", at)], [("time", OUTPUTS * (done + 5 * int(argument)))]]
        raise ValueError(f"plan: {key} has no reply")

    # ---- one exchange -------------------------------------------------------------------------------------------

    def exchange(self, d: Dialogue, key: str, start: int, gain: float, interrupt: str | None = None, depth: int = 0) -> int:
        """The user says `key` at sample `start`, the assistant replies, perhaps something happens meanwhile.

        `interrupt` is `none`, `corrected`, or what may happen during a long reply (the recipe's `interrupts`); `None` draws one. Returns the sample at which all is over."""
        n = len(d.events)
        over = self._exchange(d, key, start, gain, interrupt, depth)
        went_on(d, key, d.events[n:])
        return over

    def _exchange(self, d: Dialogue, key: str, start: int, gain: float, interrupt: str | None, depth: int) -> int:
        r = self.random
        intent = key.partition(":")[0]
        if intent in SCENES:
            return SCENES[intent](self, d, start, gain)
        if intent == "jumps":
            return sights.jumps(self, d, start, gain)
        if interrupt == "corrected" or (interrupt is None and depth == 0 and intent in CORRECTED and r.random() < RECIPE.dialogue.corrects):
            return corrected(self, d, key, start, gain)
        onset, end = self.user.say(d, key, start, gain)
        if key in ("stop", "back"):
            return end + 4800
        replies = self.plan(d, key, end)
        if len(replies) == 1 and intent in ("story", "count", "sum"):
            over = self.long_reply(d, replies[0], gain, interrupt, depth)
            if over is not None:
                return over
        for items in replies:
            over = self.reply(d, items)
        if intent in ("watch", "spot") and d.camera:
            return sights.watch(self, d, key, over)
        # What came once must be seen not to come again.
        quiet = int(r.uniform(1, 7) * RATE) if intent == "wait" and r.random() < 0.6 else 0
        return (over + OUTPUTS) * POSITION + quiet

    def long_reply(self, d: Dialogue, items: list, gain: float, interrupt: str | None = None, depth: int = 0) -> int | None:
        """Says a reply during which something happens, `interrupt` or what is drawn, and returns the sample at which all is over; None if
        nothing does, and nothing is said."""
        r = self.random
        last = items[-1][1] + self.assistant.length(items[-1][0])
        sound = (items[0][1] + 1 + OUTPUTS) * POSITION, (last + OUTPUTS) * POSITION
        long = sound[1] - sound[0] > 1.8 * RATE
        if interrupt is None:
            interrupt = "none" if depth > 1 or not long else r.choice(list(RECIPE.dialogue.interrupts), p=list(RECIPE.dialogue.interrupts.values()))
        if interrupt != "none" and long:
            t = int(r.integers(sound[0] + 6400, max(sound[0] + 6401, min(sound[1] - 6400, sound[0] + 80000))))
            if t < len(d.user) - 8000:
                return self._interrupted(d, items, interrupt, t, gain, depth)
        return None

    def _interrupted(self, d: Dialogue, items: list, what: str, t: int, gain: float, depth: int) -> int:
        if what == "back":
            over = (self.reply(d, items) + OUTPUTS) * POSITION
            while True:
                onset, e = self.user.say(d, "back", t, gain)
                d.events[-1]["during"] = True
                d.decide(stop_turn(onset, e), *range(yield_turn(onset), reply_turn(e) + 1), yield_turn(onset) + 1)
                t = e + int(self.random.uniform(0.6, 2.5) * RATE)
                if self.random.random() < 0.6 or t > min(over, len(d.user) - RATE // 2) - RATE // 2:
                    return max(over, e)
        if what in ("aside", "cough"):
            if what == "aside":
                onset, e = self.user.somebody_else(d, t, gain * 10 ** (self.random.uniform(-20, -9) / 20))
            else:
                x = cough(self.random)[: len(d.user) - t]
                d.user[t:t + len(x)] += x * gain
                onset, e = t, t + len(x)
            d.events.append({"type": what, "onset": onset, "end": e})
            d.decide(yield_turn(onset), yield_turn(onset) + 1)
            return max((self.reply(d, items) + OUTPUTS) * POSITION, e)
        if what == "stop":
            onset, e = self.user.say(d, "stop", t, gain)
            quiet = self.late(d, stop_turn(onset, e), RECIPE.dialogue.late_yield)
            cut = OUTPUTS * quiet
            self.reply(d, items, cut)
            d.events.append({"type": "stop", "onset": onset, "end": e, "cut": cut})
            over = self.reply(d, [("okay", OUTPUTS * self.late(d, max(quiet + 2, reply_turn(e)), RECIPE.dialogue.late))])
            # So does a timer begin; but here nothing is to follow, however long it is quiet.
            done = -(-over // OUTPUTS)
            d.decide(*(done + 5 * n for n in domain.WAIT_SECONDS))
            return (over + OUTPUTS) * POSITION + (int(self.random.uniform(1, 6) * RATE) if self.random.random() < 0.6 else 0)
        n = len(d.events)
        key = self.draw(d, t // TURN, ["greet", "name", "how", "thanks", "bye", "sum", "sum", "digit", "digit", "say", "color", "count", "story", "ood"])
        over = self.exchange(d, key, t, gain, depth=depth + 1)
        onset = d.events[n]["onset"]
        answers = OUTPUTS * reply_turn(d.events[n]["end"])
        cut = min(OUTPUTS * self.late(d, yield_turn(onset), RECIPE.dialogue.late_yield), answers)
        if items[0][0].startswith("told:"):
            cut = min(cut, answers - 1)   # what it is told ends with a listen, and only so
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
            self.user.television(d, min(level, 0.5) * 10 ** (r.uniform(-24, -14) / 20))   # weaker than the quietest user
        return d

    def lesson(self) -> Dialogue:
        """A dialogue in which many voices say anything one after the other, and what the assistant does is not told: so
        64 % of the positions hear a word that is to be learnt, in the others 31 %."""
        r, d = self.random, Dialogue(self.turns, bool(self.random.random() < RECIPE.dialogue.watching))
        if d.camera:
            sights.lively(self, d)
        d.level = 10 ** (r.uniform(-15, 4) / 20) if self.mix.augment else 1.0
        intents: dict[str, list[str]] = {}
        for key in self.bank.by_key:
            intents.setdefault(key.partition(":")[0], []).append(key)
        names, t = list(intents), int(r.uniform(0.1, 1) * RATE)
        while t < len(d.user) - RATE:
            _, end = self.user.say(d, str(r.choice(intents[str(r.choice(names))])), t, d.level * 10 ** (r.uniform(-3, 3) / 20))
            t = end + int(r.uniform(0.15, 0.6) * RATE)
        d.weight[:] = 0
        d.going_on[:] = -1
        return d

    # ---- batches ------------------------------------------------------------------------------------------------

    def example(self, d: Dialogue) -> dict[str, np.ndarray]:
        """Everything the model is shown and must yield for one dialogue."""
        return {"audio": self.microphone.levels(d).reshape(self.turns, 4, 80), "text": d.text, "heard": d.heard, "spoken": d.spoken, "phone": d.phone if self.user.phones else np.full_like(d.phone, -1), "control": d.control, "speech": d.speech,
                "weight": d.weight, "told": d.told, "camera": np.array(d.camera),
                "color": np.repeat(d.color, OUTPUTS) if d.camera else np.full(len(d.text), len(domain.COLORS)),
                "shape": np.repeat(d.shape, OUTPUTS) if d.camera else np.full(len(d.text), len(domain.SHAPES) + 1),
                "jumped": np.repeat(self.jumped(d), OUTPUTS), "moved": np.repeat(self.moved(d), OUTPUTS, 0), "going_on": d.going_on}

    @staticmethod
    def jumped(d: Dialogue) -> np.ndarray:
        """The micro-turns in which a shape is where it was not before."""
        moved = np.zeros(d.turns, np.int64)
        if d.camera:
            moved[1:] = (d.place[1:, 1] != d.place[:-1, 1]).any(-1) & (d.shape[1:] > 0) & (d.shape[:-1] > 0)
        return moved

    def moved(self, d: Dialogue) -> np.ndarray:
        """How far a shape is from where it was in the micro-turn before, `[turns, 2]` pixels down and to the right."""
        far = np.zeros((d.turns, 2), np.int64)
        far[1:] = np.diff(d.place[:, 1], axis=0)
        return far * self.jumped(d)[:, None]

    def batch(self, size: int) -> dict[str, np.ndarray]:
        """`size` dialogues, stacked, some of them lessons; `images` holds only those with a camera, in order. `glances` are images apart."""
        dialogues = [self.lesson() if self.random.random() < RECIPE.dialogue.lessons else self.dialogue() for _ in range(size)]
        examples = [self.example(d) for d in dialogues]
        out = {k: np.stack([e[k] for e in examples]) for k in examples[0]}
        seen = [self.camera.images(d) for d in dialogues if d.camera]
        out["images"] = np.stack(seen) if seen else np.zeros((0, self.turns, 2, *IMAGE), np.uint8)
        return out | sights.glances(self, RECIPE.dialogue.glances * size)


ENDS = ("okay", "fin", "time", "now", "there", "elapsed")   # replies after which nothing goes on, if they are not the first


def went_on(d: Dialogue, key: str, events: list[dict]) -> None:
    """Labels what an exchange about `key` was about as going on, from the first word of its first reply to that of its last, or for good if it did not end."""
    key = next((e["corrects"] for e in events if "corrects" in e), key)
    replies = [e for e in events if e["type"] == "reply"]
    if key in domain.GOING_ON and replies and replies[0]["keys"] == ["okay"]:
        over = len(replies) > 1 and replies[-1]["keys"][0].partition(":")[0] in ENDS
        d.going_on[replies[0]["start"]:replies[-1]["start"] if over else None] = domain.GOING_ON.index(key)


def folder_of(argument: str | None = None) -> Path:
    return Path(argument or os.environ.get("MICROTURN_WORK", "work"))
