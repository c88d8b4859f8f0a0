"""Writes evaluation cases for any engine: a WAV of what the user says and, beside it, the truth as JSON.

Voices and phrasings are those left out of training. Times are milliseconds from the start of the file. No case contains the
assistant's voice. Cases that need the assistant to be talking (yield, hold) place the second utterance where the reply of an
assistant that answers within half a second is under way. What each row is made of is told in `case_*.py`.
"""
from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from . import case_interruptions, case_pauses, case_sequences, case_sights, case_times, case_told, case_turns
from .bank import Bank
from .case_maker import CaseMaker
from .recipe import MINI, RECIPE, load

Rows = dict[str, Callable[[CaseMaker, int], None]]

FIRST: Rows = {   # each goes on with the chances of the one before it
    "take": case_turns.take,
    "wait": case_pauses.wait_inside,
    "yield-stop": partial(case_interruptions.during, kind="stop"),
    "yield-barge": partial(case_interruptions.during, kind="barge"),
    "hold": partial(case_interruptions.during, kind="back"),
}
LATER: Rows = {
    "transcript": case_sequences.transcript,
    "out-of-domain": case_turns.out_of_domain,
    "silence": case_turns.silence,
    "time": case_times.timing,
    "color": case_sights.colors,
    "correct": case_sequences.correct,
    "aloud": case_sequences.aloud,
    "echo": case_sequences.echo,
    "every": case_times.every,
    "elapsed": case_times.elapsed,
    "hold-aside": partial(case_interruptions.not_meant, coughs=False),
    "hold-cough": partial(case_interruptions.not_meant, coughs=True),
    "told": case_told.told,
    "hold-told": partial(case_told.told_meanwhile, keys=["back"]),
    "yield-told": partial(case_told.told_meanwhile, keys=["stop"]),
    "hold-television": case_interruptions.television,
    "shape": case_sights.shapes,
    "jumps": case_sights.jumps,
    "wait-filler": case_pauses.wait_filler,
}


def rows_of_digits(recordings: Path) -> Rows:
    """Those of the Free Spoken Digit Dataset."""
    return {
        "human-digit": partial(case_turns.digit_human, folder=recordings),
        "echo-human": partial(case_sequences.echo_human, folder=recordings),
    }


def rows_of_people(people: Bank) -> Rows:
    """Those of the people kept for evaluation (`human.py`)."""
    return {
        "yield-stop-human": partial(case_interruptions.during, kind="stop", people=people),
        "hold-human": partial(case_interruptions.during, kind="back", people=people),
        "out-of-domain-human": partial(case_turns.out_of_domain, people=people),
        "wait-human": partial(case_pauses.wait_human, people=people),
        "yield-barge-human": partial(case_interruptions.during, kind="barge", people=people),
        "aloud-human": partial(case_sequences.aloud, people=people),
        "every-human": partial(case_times.every, people=people),
        "hold-told-human": partial(case_told.told_meanwhile, keys=["back"], people=people),
        "yield-told-human": partial(case_told.told_meanwhile, keys=["stop"], people=people),
    }


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
    maker = CaseMaker(args.work, args.out, args.seed)
    later = dict(LATER)
    if args.human:
        later |= rows_of_digits(args.human)
    if (args.work / "bank-human-held.json").exists():
        later |= rows_of_people(Bank(args.work, "bank-human-held"))
    for name, row in (FIRST | later).items():
        maker.begin(name, afresh=name in later)
        row(maker, args.n)
    print(f"{args.out}: {maker.count} cases")


if __name__ == "__main__":
    main()
