"""Open requests, in any words: what `mini` is asked and cannot do itself it hands over.

`foreign.py` says such things with 600 words; a model that heard no others takes "who wrote this book" for a sum. Here are all words of SCOWL, numbers, times, dates
and names. Written for this project.
"""
from __future__ import annotations

import argparse
import multiprocessing
import random
import re
from collections.abc import Callable
from pathlib import Path

from . import acoustic_data, domain, foreign, phones
from .acoustic_data import SIZES, UNITS
from .synthesis import FOREIGN_ENGINES, make, programs
from .voices import draw

BANK = "bank-wishes"
CLIPS = 3000
LANGUAGES = "arabic chinese danish dutch english finnish french german greek hindi italian japanese korean latin norwegian polish portuguese russian spanish swedish turkish".split()

# W any word, N thing, A property, V what is done, D what was done, P person, L place, T when, # number, U unit, H time of day, Y date, G language
PATTERNS = [
    "V the N", "V my A N", "V this N and the N", "V all N of L", "V it T", "V W and W", "please V the N in the N", "V me the N", "V P at H", "V a N for P",
    "remind me to V the N", "remind me of the N at H", "wake me at H", "set an alarm for H", "set the N to # U", "add W to my N", "add # N to the N", "put the N on my list",
    "take the N off my list", "delete the N", "delete W from the N", "cancel the N on Y", "move the N to Y", "move the N to H", "book a N for # on Y", "book a N to L", "reserve # N at H",
    "send a N to P", "send P the N", "write to P that the N is A", "tell P that i am A", "answer P", "call P", "call the N in L", "ask P about the N", "invite P and P to the N",
    "turn on the N", "turn off the A N", "turn the N down", "switch the N to W", "open the N", "close all N", "start the N", "pause the N", "play W", "play something by P", "play the N again",
    "translate W W into G", "how do you say W in G", "spell W", "define W", "explain W to me", "explain how W W works", "explain the N", "summarise the N", "summarise what P D",
    "read the N", "read me the N about L", "look up W", "look for a A N", "search for W W", "find a N near L", "find the cheapest N", "compare W and W", "check the N", "check whether the N is A",
    "show me the N", "show me A N", "show the way to L", "draw a A N", "write a N about W", "draft a N to P", "correct this N", "shorten the N", "rename the N to W", "sort the N by N",
    "upload the N", "download the A N", "print # N", "save the N as W", "order # N", "order a N from L", "buy W for P", "pay the N", "convert # U to U", "measure the N", "count the N in the N",
    "what is the weather in L", "what is the weather like in L on Y", "will it rain in L T", "how warm is it in L", "what time is it in L", "what is the N of L", "what is the N of the N",
    "what is a W", "what are W", "what is W W", "what does W mean", "what does the N cost", "what did P V", "what did the N D", "what is in the N", "what is on the N at H", "what should i V T",
    "what happened on Y", "what happened in L", "what is the A N called", "what is # times #", "what is # minus #", "what is # divided by #", "what is # percent of #", "what is the root of #",
    "how much is # percent of #", "how much is the N", "how much W is in a N", "how many N are in a N", "how many N has L", "how many people live in L", "how old is P", "how old is the N",
    "how far is it from L to L", "how long is the N", "how long does the N take", "how high is the N", "how do i V a N", "how do i get to the N", "how do you V W", "how does a N W", "how is P",
    "who is P", "who is the N of L", "who D the N", "who wrote W and W", "who made the first N", "who won the N in L", "who called T", "whose N is this",
    "when is the N", "when does the N V", "when was P born", "when did P V the N", "when does the next N leave for L", "when is H in L", "where is P", "where is my N", "where can i V a N", "where was the N D",
    "why is the N A", "why did the N V", "why does W W", "why are N A", "which N is the A", "which N are on T", "which of my N are A", "which N did P V",
    "is it A in L T", "is the N still A", "is there a N in L", "is P A", "are there any N", "are W and W the same", "does P have a N", "did P V my N", "did the N arrive", "has the N been D",
    "do i have any N", "do i need a N T", "do we have W", "can i V the N T", "can you V P", "can you find out why the N is A", "could you V my N", "would you V the N and tell P", "will the N V at H",
    "i need a N", "i need # U of W", "i want to V a N", "i would like a A N", "i am looking for W", "i forgot my N", "let me know when the N is A", "let me know if P has D the N", "give me a N for W",
    "give me # N", "give me the N of P", "make the N A", "make a N of the N", "keep an eye on the N", "watch the N and call P", "run the N", "run the N again on Y", "help me with the N",
    "the N is A, please V it", "the W is done, please V it", "W is A, V it", "there is a W in my N", "P is here", "forget the N", "W", "W W", "W the W", "the W of the W W",
]
PLACE = re.compile(r"\b[WNAVDPLTUHYG]\b|#")
OPENERS = ["please", "can you", "could you", "will you", "would you", "now", "mini", "so", "and", "hey mini"]


def filled(pattern: str, rng: random.Random) -> str:
    """A pattern with words in its places, without its commas."""
    words = acoustic_data.word_lists()

    def word() -> str:
        return rng.choice(words[rng.choices(list(SIZES), list(SIZES.values()))[0]])

    def some(usual: list[str], others: Callable[[], str] = word) -> str:
        return rng.choice(usual) if rng.random() < 0.6 else others()

    def name() -> str:
        return rng.choice(words["names"])

    kinds = {"W": word, "N": lambda: some(foreign.NOUNS), "A": lambda: some(foreign.ADJECTIVES), "V": lambda: some(foreign.DO), "D": lambda: some(foreign.DID),
             "P": lambda: some(foreign.PEOPLE, name), "L": lambda: some(foreign.PLACES, name), "T": lambda: rng.choice(foreign.WHEN), "#": lambda: acoustic_data.number(rng),
             "U": lambda: rng.choice(UNITS), "H": lambda: acoustic_data.time_of_day(rng), "Y": lambda: acoustic_data.date(rng), "G": lambda: rng.choice(LANGUAGES)}
    return PLACE.sub(lambda found: kinds[found[0]](), pattern).replace(",", "")


def wish(rng: random.Random) -> str:
    """A sentence that is no request, ends with none (so with no digit either: "seven" alone is one), and has in it none of those kept for evaluation."""
    while True:
        text = filled(rng.choice(PATTERNS), rng)
        if rng.random() < 0.25:
            text = f"{rng.choice(OPENERS)} {text}"
        parts = text.split()
        if len(parts) <= 12 and not domain.contains(text, domain.OUT_OF_DOMAIN_HELD) and not any(domain.is_request(" ".join(parts[i:])) for i in range(len(parts))):
            return text


def plan(rng: random.Random) -> list[tuple]:
    """The clips to make, by all voices that cost little."""
    engines = FOREIGN_ENGINES | programs()
    return [("ood", wish(rng), draw(rng, rng.choices(list(engines), list(engines.values()))[0], False), False, 0) for _ in range(CLIPS)]


def main() -> None:
    """Makes `bank-wishes` in the work folder, anew."""
    a = argparse.ArgumentParser(description=main.__doc__)
    a.add_argument("work", nargs="?", default="work")
    folder = Path(a.parse_args().work)
    (folder / f"{BANK}.json").unlink(missing_ok=True)
    with multiprocessing.Pool(2) as pool:
        make(folder, BANK, plan(random.Random(9)), pool)
    phones.write(folder)


if __name__ == "__main__":
    main()
