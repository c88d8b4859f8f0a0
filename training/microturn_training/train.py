"""Trains `mini`. Resumable; the learning rate follows the clock, so the run ends by itself after `--minutes`.

The process restarts itself once with the allocator settings without which a CPU step takes ten times as long.
"""
from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import sys
import time
from pathlib import Path
from queue import Empty, Full

ENVIRONMENT = {
    # large blocks stay in the heap: page faults were 9/10 of a step without this
    "MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "17179869184", "MALLOC_TOP_PAD_": "536870912",
    "TORCHINDUCTOR_COMPILE_THREADS": "1", "OMP_NUM_THREADS": "1",
}
if "avx512f" in Path("/proc/cpuinfo").read_text():   # told so elsewhere, torch believes it and dies of an illegal instruction
    ENVIRONMENT["ATEN_CPU_CAPABILITY"] = "avx512"
if __name__ == "__main__" and any(k not in os.environ for k in ENVIRONMENT):
    os.environ.update({k: os.environ.get(k, v) for k, v in ENVIRONMENT.items()})
    os.execv(sys.executable, [sys.executable, "-m", "microturn_training.train", *sys.argv[1:]])

import torch  # noqa: E402
import torch.distributed as dist  # noqa: E402
import torch.nn.functional as F  # noqa: E402

from .bank import bank_files  # noqa: E402
from .checkpoint import Training, initial_weights  # noqa: E402
from .dialogue import Generator  # noqa: E402
from .domain import COLORS, GOING_ON, SHAPES, VOCABULARY  # noqa: E402
from .model import LISTEN, SPEAK, Config, Duplex, MixtureOfExperts, patches_of  # noqa: E402
from .phones import PHONES  # noqa: E402
from .precision import faster  # noqa: E402
from .recipe import RECIPE  # noqa: E402
from .sights import ROOM  # noqa: E402


def arguments() -> argparse.Namespace:
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("--work", default="work")
    a.add_argument("--run", default="run1")
    a.add_argument("--minutes", type=float, default=RECIPE.training.minutes)
    a.add_argument("--part", type=int, default=RECIPE.training.part, help="dialogues that one process handles at a time")
    a.add_argument("--parts", type=int, default=RECIPE.training.parts, help="parts in a batch")
    a.add_argument("--processes", type=int, default=2, help="a busy machine punishes threads (they wait for each other) more than processes")
    a.add_argument("--rate", type=float, default=RECIPE.training.rate)
    a.add_argument("--muon-rate", type=float, default=RECIPE.training.muon_rate, help="learning rate of the hidden matrices")
    a.add_argument("--warmup", type=int, default=RECIPE.training.warmup)
    a.add_argument("--probes-first", type=int, default=0, help="so many steps in which only the probes learn: beside weights from elsewhere (--initial) they know nothing yet, and would teach it")
    a.add_argument("--steps", type=int, default=10**9)
    a.add_argument("--threads", type=int, default=1)
    a.add_argument("--seed", type=int, default=RECIPE.training.seed)
    a.add_argument("--initial", default="", help="checkpoint or model folder to take weights (not optimiser state) from; its words keep their rows")
    a.add_argument("--compile", type=int, default=1)
    a.add_argument("--precision", choices=["auto", "bfloat16", "float32"], default="auto",
                   help="of matrix products; auto is what they are faster in on this CPU, and is measured")
    a.add_argument("--log-every", type=int, default=20)
    return a.parse_args()


def mixer(queue, work: str, seed: int, size: int) -> None:
    torch.set_num_threads(1)
    os.nice(2)
    generator = Generator(work, seed)
    parent = multiprocessing.parent_process()
    while True:
        batch = {k: torch.from_numpy(v) for k, v in generator.batch(size).items()}
        while True:
            try:
                queue.put(batch, timeout=20)
                break
            except Full:   # nobody takes it any more: a trainer that was killed cannot end this process
                if not parent.is_alive():
                    return


def delayed(x, first: int):
    return torch.cat([torch.full_like(x[:, :1], first), x[:, :-1]], 1)


def fed_back(batch: dict) -> dict:
    """What the output positions are given: the labels of the position before, damaged a little against exposure bias."""
    speech, text, heard = delayed(batch["speech"], 0), delayed(batch["text"], 0), delayed(batch["heard"], 0)
    live = speech.amax(-1, keepdim=True) > 0
    jitter = torch.randint(-1, 2, speech.shape, dtype=torch.int8) * (torch.rand(speech.shape) < 0.3)
    speech = torch.where(live, (speech.to(torch.int8) + jitter).clamp(0, 15).to(torch.uint8), speech)
    share = torch.rand(len(speech), 1, 1) * 0.3
    blank = live & (torch.rand(live.shape) < share)
    speech = speech * (~blank).to(torch.uint8)
    lost = torch.rand(text.shape) < torch.rand(len(text), 1) * 0.1
    lost_heard = torch.rand(text.shape) < torch.rand(len(text), 1) * 0.1
    return {"text": text.masked_fill(lost, 0), "heard": heard.masked_fill(lost_heard, 0),
            "control": delayed(batch["control"], LISTEN), "speech": speech}


class Probes(torch.nn.Module):
    """Questions of training only, asked at every position: a word in a dialogue, said or heard at one position, is too little
    to learn to look and to listen."""

    def __init__(self, hidden_size: int, vocabulary: int):
        super().__init__()
        self.color = torch.nn.Linear(hidden_size, len(COLORS) + 1)   # at output positions: the colour seen; the last class is "no camera"
        self.shape = torch.nn.Linear(hidden_size, len(SHAPES) + 2)   # the shape seen; 0 is none, the last class "no camera"
        self.jumped = torch.nn.Linear(hidden_size, 2)                # whether it is somewhere else than in the micro-turn before
        self.moved = torch.nn.Linear(hidden_size, 2)                 # how far, down and to the right: the difference of what the tower tells, where whether it has is none
        self.going_on = torch.nn.Linear(hidden_size, len(GOING_ON))  # what was asked for and is not over
        self.glance = torch.nn.Linear(hidden_size, len(COLORS) + len(SHAPES) + 1 + 4)   # of what the vision tower yields: colour, shape, and both places
        self.spoken = torch.nn.Linear(hidden_size, vocabulary)       # at audio positions: the word being said
        self.phone = torch.nn.Linear(hidden_size, len(PHONES))       # there too: the phone being said


def known(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The mean cross entropy of the targets that are known, which are not -1; 0 if none is, as in lessons or without phones."""
    return F.cross_entropy(logits, target, ignore_index=-1, reduction="sum") / (target >= 0).sum().clamp(min=1)


def glance_loss(net: Duplex, probes: Probes, batch: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """What the vision tower tells of images that belong to no dialogue: its loss, and the share of shapes that are right.

    Through six layers, from the few moments that a dialogue asks about what is seen, the tower learns colours but not shapes."""
    told = probes.glance(net.model.vision_tower(patches_of(batch["glances"]))).float()
    color, shape, place = told.split([len(COLORS), len(SHAPES) + 1, 4], -1)
    there = batch["glance_shape"] > 0
    off = F.smooth_l1_loss(place.view(-1, 2, 2), batch["glance_place"] / ROOM[0], reduction="none").mean((1, 2))
    loss = F.cross_entropy(color, batch["glance_color"]) + F.cross_entropy(shape, batch["glance_shape"]) + (off * there).sum() / there.sum().clamp(min=1)
    return loss, (shape.argmax(-1) == batch["glance_shape"])[there].float().mean().detach()


def moved_loss(moved: torch.Tensor, batch: dict) -> torch.Tensor:
    """How wrong it is how far the shape that is seen has moved; moments at which it has weigh more, as they are few."""
    off = F.smooth_l1_loss(moved, batch["moved"] / ROOM[0], reduction="none").mean(-1)
    weight = torch.where(batch["jumped"] > 0, JUMPED, 1.0) * ((batch["shape"] > 0) & (batch["shape"] <= len(SHAPES)))
    return (off * weight).sum() / weight.sum().clamp(min=1)


def losses(net: Duplex, probes: Probes, audio, h, batch: dict, speech_share: float) -> dict[str, torch.Tensor]:
    text, heard, control, weight = batch["text"], batch["heard"], batch["control"], batch["weight"]
    lt, lh, lc = (z.float() for z in net.heads(h))
    def each(logits, target):
        return F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none").view(target.shape)
    speaking = control >= SPEAK
    own = ~batch["told"]
    text_loss = (each(lt, text) * torch.where(text > 0, 2.0, 1.0) * torch.where(text > 0, weight, 1.0))[speaking & own].sum() / control.numel()
    out = {"text": text_loss, "heard": (each(lh, heard) * torch.where(heard > 0, 2.0, 1.0)).mean(), "control": (each(lc, control) * weight).mean()}
    out["color"] = F.cross_entropy(probes.color(h).float().flatten(0, 1), batch["color"].flatten())
    out["shape"] = F.cross_entropy(probes.shape(h).float().flatten(0, 1), batch["shape"].flatten())
    out["jumped"] = F.cross_entropy(probes.jumped(h).float().flatten(0, 1), batch["jumped"].flatten(), weight=torch.tensor([1.0, JUMPED]))
    out["moved"] = moved_loss(probes.moved(h).float(), batch)
    out["going_on"] = known(probes.going_on(h).float().flatten(0, 1), batch["going_on"].flatten())
    out["glance"], glance_right = glance_loss(net, probes, batch)
    asked = probes.spoken(audio).float()
    out["spoken"] = known(asked.flatten(0, 1), batch["spoken"].flatten())
    phone = probes.phone(audio).float()
    out["phone"] = known(phone.flatten(0, 1), batch["phone"].flatten())
    sounding, speaking = (batch["speech"].amax(-1) > 0) & own, speaking & own
    chosen = (sounding & (torch.rand(sounding.shape) < speech_share)) | (speaking & (torch.rand(sounding.shape) < 0.25))
    logits = net.speech_logits(h[chosen]).float()
    out["speech"] = known(logits.flatten(0, 1), batch["speech"][chosen].flatten().long())
    with torch.no_grad():
        out["glance_right"] = glance_right
        out["jumped_right"] = (probes.jumped(h).argmax(-1) == batch["jumped"])[batch["jumped"] > 0].float().mean()
        out["text_right"] = (lt.argmax(-1) == text)[(text > 0) & own].float().mean()
        out["spoken_right"] = (asked.argmax(-1) == batch["spoken"])[batch["spoken"] > 0].float().mean()
        out["phone_right"] = (phone.argmax(-1) == batch["phone"])[batch["phone"] > 0].float().mean()
        out["heard_right"] = (lh.argmax(-1) == heard)[heard > 0].float().mean()
        switch = (control != delayed(control, LISTEN)) & (weight > 0)   # who is told to say something did not decide that it begins
        out["switch_right"] = (lc.argmax(-1) == control)[switch].float().mean()
    return out


def synchronise(net: Duplex, probes: torch.nn.Module, metrics: torch.Tensor, count: int) -> torch.Tensor:
    """Sums gradients, expert loads and metrics over the processes; gradients and metrics become means over `count` parts."""
    routers = [m.gate for m in net.modules() if isinstance(m, MixtureOfExperts)]
    parameters = [*net.parameters(), *probes.parameters()]
    flat = torch.cat([torch.zeros(p.numel()) if p.grad is None else p.grad.flatten() for p in parameters]
                     + [r.load if r.load is not None else torch.zeros(r.c.num_experts) for r in routers] + [metrics])
    if dist.is_initialized():
        dist.all_reduce(flat)
    at = 0
    for p in parameters:
        p.grad = flat[at: at + p.numel()].view_as(p).div_(count)
        at += p.numel()
    for r in routers:
        r.load = flat[at: at + r.c.num_experts] / count
        at += r.c.num_experts
        r.balance()
    return flat[at:] / count


def rates(a: argparse.Namespace, step: int, minutes: float) -> tuple[float, float]:
    """The rates of AdamW for the model and for the probes."""
    cosine = a.rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1, minutes / a.minutes))))
    warm = min(1, max(0, step + 1 - a.probes_first) / a.warmup)
    return cosine * warm, cosine if a.probes_first else cosine * warm


def next_batch(queue, mixing) -> dict[str, torch.Tensor]:
    """The next batch. Without the process that mixes them there would be none to wait for."""
    while True:
        try:
            return queue.get(timeout=60)
        except Empty:
            if not alive(mixing):
                raise RuntimeError("the process that mixes dialogues has ended; its error is above") from None


def alive(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def sizes() -> Config:
    """The sizes of the recipe. Raises ValueError for a field that `Config` does not have."""
    try:
        return Config(vocab_size=len(VOCABULARY), **RECIPE.model)
    except TypeError as error:
        raise ValueError(f"the recipe's [model]: {error}") from None


JUMPED = 10.0   # weight of the few positions at which something jumped

METRICS = ["loss", "text", "heard", "control", "speech", "color", "shape", "jumped", "moved", "going_on", "glance", "spoken", "phone", "text_right", "heard_right", "spoken_right", "phone_right", "glance_right", "jumped_right", "switch_right"]


def run(rank: int, a: argparse.Namespace, queue, ticket, shared, mixing: int) -> None:
    """One training process. All processes hold the same weights and take parts of each batch as they become free."""
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    low = a.precision == "bfloat16"
    folder = Path(a.work) / a.run
    config = sizes()
    net = Duplex(config)
    probes = Probes(config.hidden_size, len(VOCABULARY))
    state = Training(net, probes, a.rate, torch.bfloat16 if low else torch.float32)
    optimizer, muon = state.optimizer, state.muon
    path = folder / "checkpoint.pt"
    if path.exists():
        state.resume(torch.load(path), path)
        if state.minutes >= a.minutes or state.step >= a.steps:   # every process finds the same, so none waits for another
            if rank == 0:
                print(f"{path} is done: {state.step} steps in {state.minutes:.1f} min; more --minutes go on from it", flush=True)
            return
    elif a.initial:
        initial_weights(net, a.initial)
    step, spent = state.step, state.minutes
    if rank == 0:
        clips = {file: len(json.loads((Path(a.work) / f"{file}.json").read_text())) for file in bank_files(Path(a.work), "bank-train")}
        with (folder / "starts.jsonl").open("a") as starts:
            starts.write(json.dumps({"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "step": step, "arguments": vars(a), "recipe": RECIPE.to_dict(), "clips": clips}) + "\n")
    first, routers = step, [m.gate for m in net.modules() if isinstance(m, MixtureOfExperts)]
    if rank == 0:
        print(f"{sum(p.numel() for p in net.parameters()) / 1e6:.2f} M parameters, step {step}, {spent:.1f} min", flush=True)
    if a.processes > 1:
        dist.init_process_group("gloo", init_method=f"file://{folder.resolve()}/rendezvous", rank=rank, world_size=a.processes)
    torch.manual_seed(a.seed + 7 * rank + step)
    if a.compile:
        torch._dynamo.config.recompile_limit = 32   # the blocks of global attention have a shape each
        for layer in net.layers:
            layer.compile_parts()
    started = time.time()
    window, marked, log = [], time.time(), (folder / "log.jsonl").open("a") if rank == 0 else None

    def minutes() -> float:
        return spent + (time.time() - started) / 60

    while True:
        if rank == 0:
            shared[:] = [*rates(a, step, minutes()), float(minutes() >= a.minutes or step + 1 >= a.steps)]
        metrics = torch.zeros(len(METRICS))
        optimizer.zero_grad(set_to_none=True)
        load = [torch.zeros(config.num_experts) for _ in routers]
        while True:
            with ticket.get_lock():
                if ticket.value >= a.parts * (step - first + 1):
                    break
                ticket.value += 1
            batch = next_batch(queue, mixing)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=low):
                audio, h = net(batch["audio"], batch["camera"], batch["images"], **fed_back(batch))
                part = losses(net, probes, audio, h, batch, speech_share=0.5)
                w = RECIPE.loss
                part["loss"] = (w.text * part["text"] + w.heard * part["heard"] + w.speech * part["speech"] + w.control * part["control"]
                                + w.color * part["color"] + w.shape * part["shape"] + w.jumped * part["jumped"]
                                + w.moved * part["moved"] + w.going_on * part["going_on"] + w.glance * part["glance"] + w.spoken * part["spoken"] + w.phone * part["phone"])
            part["loss"].backward()
            # a part without a word, or without a switch, has no share of right ones
            metrics += torch.stack([part[m].detach().float().nan_to_num() if m.endswith("_right") else part[m].detach().float() for m in METRICS])
            for total, r in zip(load, routers):
                total += r.load
        for total, r in zip(load, routers):
            r.load = total
        metrics = synchronise(net, probes, metrics, a.parts)
        for group, rate in zip(optimizer.param_groups, (shared[0], shared[0], shared[1]), strict=True):
            group["lr"] = rate
        norm = torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        if not torch.isfinite(norm):   # every process sees the same norm, and none saves what it would make of the weights
            raise FloatingPointError(f"step {step}: the gradient is {norm}; the checkpoint is of an earlier step, go on from it with a lower --rate")
        optimizer.step()
        muon.step(a.muon_rate / a.rate * shared[0])
        last = bool(shared[2])
        step += 1
        if rank == 0:
            window.append(torch.cat([metrics, norm[None]]))
            if step % a.log_every == 0:
                now = time.time()
                row = {k: round(v, 4) for k, v in zip([*METRICS, "gradient"], torch.stack(window).mean(0).tolist())}
                row |= {"step": step, "minutes": round(minutes(), 2), "rate": round(shared[0], 6), "queued": queue.qsize(),
                        "positions_per_s": round(a.log_every * a.parts * a.part * Generator.TURNS * config.turn_positions / (now - marked)),
                        }
                if routers:
                    row |= {"max_load": round(max(float(r.load.max()) for r in routers), 3), "min_load": round(min(float(r.load.min()) for r in routers), 3)}
                window, marked = [], now
                print(json.dumps(row), flush=True)
                log.write(json.dumps(row) + "\n")
                log.flush()
            if step % 200 == 0 or last:
                state.step, state.minutes = step, minutes()
                state.save(path)
        if a.processes > 1:
            dist.barrier()   # nobody reads the shared values of the next step early
        if last:
            break
    if rank == 0:
        print(f"end: {step} steps", flush=True)


def main() -> None:
    a = arguments()
    if a.precision == "auto":
        a.precision = faster()   # once, so that all processes have the same
    sizes()   # a recipe that is wrong ends it before anything is started
    folder = Path(a.work) / a.run
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rendezvous").unlink(missing_ok=True)
    context = multiprocessing.get_context("spawn")
    queue, ticket, shared = context.Queue(2 * a.parts), context.Value("l", 0), context.Array("d", 3)
    mixing = context.Process(target=mixer, args=(queue, a.work, int(time.time()) if (folder / "checkpoint.pt").exists() else a.seed, a.part), daemon=True)
    mixing.start()
    others = [context.Process(target=run, args=(r, a, queue, ticket, shared, mixing.pid), daemon=True) for r in range(1, a.processes)]
    for p in others:
        p.start()
    run(0, a, queue, ticket, shared, mixing.pid)
    mixing.terminate()


if __name__ == "__main__":
    main()
