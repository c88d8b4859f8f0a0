"""Free-running evaluation, per capability, on training voices, held-out voices and held-out phrasings.

The model hears the microphone and its own past only. The microphone is the clip at its own speed with noise 30 dB below
speech and no echo. Figures that are published come from the TypeScript path; these steer training.
"""
from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from .dialogue import VOCODER_DELAY, Dialogue, Generator, Mix
from .domain import END, VOCABULARY
from .export import load
from .generate import generate
from .recipe import RECIPE
from .timeline import OUTPUTS, POSITION

GROUPS = {"train": ("bank-train", lambda m: True),
          "held-voices": ("bank-held", lambda m: not m["held"] or m["key"] == "ood"),
          "held-phrasings": ("bank-held", lambda m: m["held"] or m["key"] == "back")}
SIMPLE = ["greet", "name", "how", "thanks", "bye", "color", "sum", "say", "digit", "ood", "stop", "back", "count", "wait", "story"]
LONG = {"story-stop": "stop", "story-back": "back", "story-barge": "barge"}


def spoken(tokens) -> list[str]:
    return [VOCABULARY[t] for t in tokens if t > END]


def errors(reference: list[str], got: list[str]) -> int:
    """Word edit distance."""
    row = list(range(len(got) + 1))
    for i, r in enumerate(reference, 1):
        new = [i]
        for j, g in enumerate(got, 1):
            new.append(min(row[j] + 1, new[j - 1] + 1, row[j - 1] + (r != g)))
        row = new
    return row[-1]


def percentiles(values) -> list[float] | None:
    return [round(float(np.percentile(values, p))) for p in (10, 50, 90)] if len(values) else None


def sounding(speech) -> np.ndarray:
    return speech.max(-1) > 2


def heard_at(position: int) -> float:
    """Milliseconds on the session clock at which an output position starts to sound."""
    return ((position + OUTPUTS) * POSITION + VOCODER_DELAY) / 16


def answer_row(results: list[dict]) -> dict:
    right, transcript, word_errors, word_count, early, latency = [], [], 0, 0, 0, []
    for r in results:
        d: Dialogue = r["dialogue"]
        user = next(e for e in d.events if e["type"] == "user")
        right.append(spoken(d.text) == spoken(r["text"]))
        reference, got = spoken(d.heard), spoken(r["heard"])
        transcript.append(reference == got)
        word_errors += errors(reference, got)
        word_count += len(reference)
        first = np.flatnonzero(r["text"] > END)
        sound = np.flatnonzero(sounding(r["speech"]))
        if len(first) and (first[0] // OUTPUTS + 1) * 200 < user["end"] / 16:
            early += 1
        elif len(sound) and d.text.max() > END:
            latency.append(heard_at(int(sound[0])) - user["end"] / 16)
    return {"n": len(results), "right": round(float(np.mean(right)), 3), "transcript": round(float(np.mean(transcript)), 3),
            "word_error_rate": round(word_errors / max(1, word_count), 3), "early": early, "latency_ms": percentiles(latency)}


def interrupted_row(results: list[dict], kind: str) -> dict:
    ok, latency, reply = [], [], []
    for r in results:
        d: Dialogue = r["dialogue"]
        sound = sounding(r["speech"])
        if kind == "back":
            if any(e.get("during") for e in d.events):
                ok.append(spoken(d.text) == spoken(r["text"]))
            continue
        event = next((e for e in d.events if e["type"] == kind), None)
        if event is None:
            continue
        start = max(0, event["onset"] // POSITION - OUTPUTS)
        quiet = [o for o in range(start, len(sound) - 4) if not sound[o: o + 4].any() and r["control"][o] == 1]
        ok.append(bool(quiet) and quiet[0] <= event["cut"] + OUTPUTS)
        if quiet:
            latency.append((quiet[0] + OUTPUTS) * 50 - (event["end"] if kind == "stop" else event["onset"]) / 16)
        reply.append(spoken(r["text"][event["cut"]:]) == spoken(d.text[event["cut"]:]))
    return {"n": len(ok), "right": round(float(np.mean(ok)), 3) if ok else None, "silent_ms": percentiles(latency),
            "reply": round(float(np.mean(reply)), 3) if reply else None}


def watch_row(results: list[dict]) -> dict:
    right, latency, false, n = [], [], 0, 0
    now = VOCABULARY.index("now")
    for r in results:
        d: Dialogue = r["dialogue"]
        said = np.flatnonzero(r["text"] == now)
        change = next((e for e in d.events if e["type"] == "change"), None)
        if change is None:
            false += len(said) > 0
            continue
        n += 1
        false += bool(len(said) and said[0] < OUTPUTS * change["turn"])
        right.append(spoken(r["text"]) == spoken(d.text))
        if len(said) and said[0] >= OUTPUTS * change["turn"]:
            latency.append(heard_at(int(said[0]) + 1) - 200 * change["turn"])
    return {"n": n, "right": round(float(np.mean(right)), 3) if right else None, "false": int(false), "latency_ms": percentiles(latency)}


def scripts(generator: Generator, row: str, n: int, camera: bool) -> list[Dialogue]:
    out = []
    while len(out) < n:
        blank = Dialogue(generator.turns, camera)
        if row in LONG:
            script = [("story", LONG[row])]
        else:
            script = [(generator.pick(row, blank, 0), "none")]
        if not any(k.partition(":")[0] == row or k == script[0][0] for k in generator.bank.by_key):
            break
        if script[0][0] in generator.bank.by_key:
            out.append(generator.dialogue(script, camera))
    return out


def evaluate(net, folder: Path, groups: list[str], n: int, seed: int = 5, rows: list[str] | None = None, batch: int = 64) -> dict:
    table: dict[str, dict] = {}
    for group in groups:
        bank, keep = GROUPS[group]
        generator = Generator(folder, seed, bank, turns=70, mix=Mix(augment=False, snr_db=30, echo=0, late=False), keep=keep)
        jobs = []
        for row in rows or [*SIMPLE, *LONG, "watch"]:
            jobs += [(row, d) for d in scripts(generator, row, n, row in ("color", "watch"))]
        results: list[tuple[str, dict]] = []
        for i in range(0, len(jobs), batch):
            part = [d for _, d in jobs[i:i + batch]]
            examples = [generator.example(d) for d in part]
            images = [generator.camera.images(d) for d in part if d.camera]
            out = generate(net, torch.from_numpy(np.stack([e["audio"] for e in examples])), torch.tensor([d.camera for d in part]),
                           torch.from_numpy(np.stack(images)) if images else torch.zeros(0, generator.turns, 2, 40, 39, 3, dtype=torch.uint8),
                           start_margin=RECIPE.decoding.start_margin)
            for j, d in enumerate(part):
                results.append((jobs[i + j][0], {"dialogue": d, **{k: v[j].numpy() for k, v in out.items()}}))
            print(f"{group}: {len(results)}/{len(jobs)} dialogues", flush=True)
        for row in dict.fromkeys(r for r, _ in results):
            mine = [x for r, x in results if r == row]
            value = watch_row(mine) if row == "watch" else interrupted_row(mine, LONG[row]) if row in LONG else answer_row(mine)
            table[f"{group}/{row}"] = value
            print(f"{group:15s}{row:12s}{json.dumps(value)}", flush=True)
    return table


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("checkpoint", type=Path)
    a.add_argument("--work", type=Path, default=Path("work"))
    a.add_argument("--groups", default="train,held-voices,held-phrasings")
    a.add_argument("--rows", default="")
    a.add_argument("-n", type=int, default=16)
    a.add_argument("--out", type=Path)
    args = a.parse_args()
    torch.set_num_threads(1)   # small operations: on a busy machine, threads that wait for each other took ten times as long
    net, saved = load(args.checkpoint)
    now = RECIPE.to_dict()["timing"]
    if any(now.get(k) != v for k, v in saved.get("recipe", {}).get("timing", {}).items()):   # what is younger than the checkpoint changed nothing
        raise SystemExit(f"{args.checkpoint} learnt another timing than that of the recipe here, and would be judged by the latter; set MICROTURN_RECIPE")
    print(f"step {saved['step']}")
    table = evaluate(net, args.work, args.groups.split(","), args.n, rows=args.rows.split(",") if args.rows else None)
    if args.out:
        args.out.write_text(json.dumps({"step": saved["step"], "rows": table}, indent=1) + "\n")


if __name__ == "__main__":
    main()
