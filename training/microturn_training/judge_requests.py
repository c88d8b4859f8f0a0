"""How well a recogniser understands the requests that mini hands over: the sound of each, as `benchmarks/dist/behaviour/requests.js` wrote it.

Word error rate of what mini heard, and of what the recogniser of `recogniser.py` hears in the sound that goes along, against what was asked.
"""
from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from .judge_told import errors
from .recogniser import Recogniser, letters_of
from .sound import read_wav


def wrong_words(asked: str, text: str) -> int:
    """Words to insert, delete or replace; a figure may stand for a number or for its digits, as was asked. What is not known (`[?]`) is a word."""
    text = text.replace("[?]", " unknownword ")
    readings = (text, re.sub(r"(?<=\d)[ ,-]*(?=\d)", " ", text))
    return min(errors(letters_of(asked).split(), letters_of(reading).split()) for reading in readings)


def rates(requests: list[dict]) -> dict[str, float]:
    """Of requests with what was `asked`, what mini `heard` and what was `recognised`: wrong words of each for a word that was asked, and the share without one."""
    out = {"requests": len(requests)}
    for who in ("heard", "recognised"):
        wrong = [wrong_words(r["asked"], r[who]) for r in requests]
        out[f"{who}: word error rate"] = round(sum(wrong) / sum(len(letters_of(r["asked"]).split()) for r in requests), 4)
        out[f"{who}: exact"] = round(sum(w == 0 for w in wrong) / len(wrong), 4)
    return out


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("folder", type=Path)
    a.add_argument("--show", type=int, default=0, help="print so many")
    args = a.parse_args()
    recogniser = Recogniser()
    requests = [json.loads(file.read_text()) for file in sorted(args.folder.glob("*.json"))]
    if not requests:
        raise SystemExit(f"{args.folder} holds no requests: node benchmarks/dist/behaviour/requests.js --out {args.folder}")
    for i, request in enumerate(requests):
        request["recognised"] = recogniser.hear(read_wav(str(args.folder / f"{request['id']}.wav")))
        if i < args.show:
            print(json.dumps({k: request[k] for k in ("asked", "heard", "recognised")}), flush=True)
    rows = sorted({r["row"] for r in requests})
    groups = [(row, noise) for row in rows for noise in ("all", "clean", "20dB", "10dB")]
    for row, noise in groups:
        these = [r for r in requests if r["row"] == row and noise in ("all", r["noise"])]
        if these:
            print(json.dumps({"row": row, "noise": noise} | rates(these)))


if __name__ == "__main__":
    main()
