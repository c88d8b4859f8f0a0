"""The acoustic model of `mini`: letters of any text to `dmel-speech` frames in the assistant's voice, without the transformer.

After FastSpeech (Ren et al. 2019, arXiv:1905.09263): letters are encoded, each is given a length in frames, its state is repeated that often,
and the frames are decoded, all at once. Blocks are those of ConvNeXt (Liu et al. 2022, arXiv:2201.03545) with RMSNorm, as in Vocos
(Siuzdak 2023, arXiv:2306.00814). Nothing is drawn at random. The TypeScript twin is `packages/core/src/audio/acoustic-model.ts`.
"""
from __future__ import annotations

import argparse
import json
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from . import acoustic_data as data
from .model import BINS, LEVELS, RmsNorm

FEATURES = 3   # of a frame: where in its letter it is, how long the letter is, where in the text it is
LONGEST = 40   # frames of a letter


@dataclass(frozen=True)
class Shape:
    width: int = 144
    kernel: int = 9        # letters or frames that a convolution spans
    expand: int = 2        # the MLP of a block is so many times as wide
    encoder_blocks: int = 5
    decoder_blocks: int = 3

    def to_config(self) -> dict:
        """The `acoustic` part of `microturn.json`."""
        return {"width": self.width, "kernel": self.kernel, "expand": self.expand, "encoderBlocks": self.encoder_blocks,
                "decoderBlocks": self.decoder_blocks, "alphabet": data.ALPHABET}


class Block(nn.Module):
    """A depthwise convolution over neighbours, then a small MLP at each place, beside the way past both."""

    def __init__(self, s: Shape):
        super().__init__()
        self.conv = nn.Conv1d(s.width, s.width, s.kernel, padding=s.kernel // 2, groups=s.width)
        self.norm = RmsNorm(s.width)
        self.up, self.down = nn.Linear(s.width, s.expand * s.width), nn.Linear(s.expand * s.width, s.width)

    def forward(self, x, mask):
        y = self.conv(x.transpose(1, 2)).transpose(1, 2)
        return (x + self.down(F.gelu(self.up(self.norm(y))))) * mask


class AcousticModel(nn.Module):
    """Letters `[B, L]` to levels `[B, T, 80, 16]` (logits). Places in ALPHABET; -1 is nothing, to fill up a batch."""

    def __init__(self, s: Shape = Shape()):
        super().__init__()
        self.letter = nn.Embedding(len(data.ALPHABET), s.width)
        self.encoder = nn.ModuleList(Block(s) for _ in range(s.encoder_blocks))
        self.length = nn.Linear(s.width, 1)
        self.enter = nn.Linear(FEATURES, s.width)
        self.decoder = nn.ModuleList(Block(s) for _ in range(s.decoder_blocks))
        self.norm = RmsNorm(s.width)
        self.leave = nn.Linear(s.width, BINS * LEVELS)

    def encode(self, letters):
        """States `[B, L, W]` and lengths in frames `[B, L]`, not rounded."""
        mask = (letters >= 0)[..., None].float()
        x = self.letter(letters.clamp(min=0)) * mask
        for block in self.encoder:
            x = block(x, mask)
        return x, F.softplus(self.length(x)[..., 0])

    def decode(self, states, lengths):
        """Logits of the frames `[B, T, 80, 16]` of letters that are `lengths` (whole) frames long, and a mask of the frames that are there."""
        ends = lengths.cumsum(1)
        total = ends[:, -1]
        frame = torch.arange(int(total.max()), device=states.device)[None]
        owner = torch.searchsorted(ends, frame.expand(len(ends), -1).contiguous(), right=True).clamp(max=lengths.shape[1] - 1)
        mask = (frame < total[:, None])[..., None].float()
        long = lengths.gather(1, owner)
        into = frame - (ends.gather(1, owner) - long)
        features = torch.stack([(into + 0.5) / long.clamp(min=1), long / 8, frame / total[:, None].clamp(min=1)], -1)
        x = (states.gather(1, owner[..., None].expand(-1, -1, states.shape[-1])) + self.enter(features.float())) * mask
        for block in self.decoder:
            x = block(x, mask)
        return self.leave(self.norm(x)).unflatten(-1, (BINS, LEVELS)), mask[..., 0] > 0

    @torch.no_grad()
    def logits(self, text: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Lengths `[letters]` of a text in letters of ALPHABET, not rounded, and logits `[frames, 80, 16]`."""
        states, lengths = self.encode(torch.tensor([[data.LETTER[c] for c in f"_{text}_"]]))
        return lengths[0], self.decode(states, whole(lengths))[0][0]

    def speak(self, text: str) -> np.ndarray:
        """Levels `[frames, 80]` of a text in letters of ALPHABET."""
        return self.logits(text)[1].argmax(-1).to(torch.uint8).numpy()

    def named_weights(self) -> dict[str, torch.Tensor]:
        """The exported tensors under the names that docs/models.md gives them, float32."""
        return {f"microturn.acoustic.{k}": v.detach().float().contiguous() for k, v in self.state_dict().items()}


def whole(lengths):
    """Lengths rounded so that what is rounded off is not lost: the ends are rounded."""
    return lengths.clamp(max=LONGEST).cumsum(1).round().long().diff(dim=1, prepend=lengths.new_zeros(len(lengths), 1).long())


def batches(examples: list[dict], size: int, rng: np.random.Generator):
    """All examples once, those of like length together, in random order."""
    order = sorted(range(len(examples)), key=lambda i: len(examples[i]["levels"]) + rng.uniform(0, 12))
    groups = [order[i:i + size] for i in range(0, len(order), size)]
    rng.shuffle(groups)
    for group in groups:
        some = [examples[i] for i in group]
        long, frames = max(len(e["letters"]) for e in some), max(len(e["levels"]) for e in some)
        letters, lengths = np.full((len(some), long), -1), np.zeros((len(some), long), np.int64)
        levels = np.zeros((len(some), frames, BINS), np.int64)
        for row, e in enumerate(some):
            letters[row, :len(e["letters"])], lengths[row, :len(e["letters"])] = e["letters"], e["lengths"]
            levels[row, :len(e["levels"])] = e["levels"]
        yield torch.from_numpy(letters), torch.from_numpy(lengths), torch.from_numpy(levels)


def losses(net: AcousticModel, letters, lengths, levels):
    states, guessed = net.encode(letters)
    there = letters >= 0
    length = F.smooth_l1_loss(guessed[there], lengths[there].float(), beta=1.0)
    logits, mask = net.decode(states, lengths)
    level = F.cross_entropy(logits[mask].flatten(0, 1), levels[mask].flatten())
    return level, length


FIXTURE_TEXT = "the quick zebra's box, jumps over it? yes."


def write_fixture(path: str) -> None:
    """A small random network, rounded to float16, and what it makes of a text, for the TypeScript twin. The best levels are well apart."""
    small = Shape(width=8, kernel=5, expand=2, encoder_blocks=2, decoder_blocks=2)
    best = None
    for seed in range(40):
        torch.manual_seed(seed)
        net = AcousticModel(small)
        with torch.no_grad():
            net.length.bias.fill_(2.5)
            net.leave.weight.normal_(0, 1)
            for name, p in net.named_parameters():
                if name.endswith("norm.weight"):
                    p.uniform_(0.7, 1.4)
        net.load_state_dict({k: v.half().float() for k, v in net.state_dict().items()})
        lengths, logits = net.logits(FIXTURE_TEXT)
        top = logits.topk(2, -1).values
        ends = lengths.cumsum(0)
        apart = min(float((top[..., 0] - top[..., 1]).min()), float((ends - ends.floor() - 0.5).abs().min()))
        if best is None or apart > best[0]:
            best = (apart, net, lengths, logits)
    apart, net, lengths, logits = best
    tensors = {k: v.half().contiguous() for k, v in net.named_weights().items()}
    tensors |= {"lengths": whole(lengths[None])[0].to(torch.uint8), "levels": logits.argmax(-1).to(torch.uint8)}
    origin = f"microturn_training.acoustic.write_fixture, PyTorch {torch.__version__}; the two best levels are at least {apart:.1e} apart"
    save_file(tensors, path, {"origin": origin, "text": FIXTURE_TEXT, "shape": json.dumps(small.to_config())})
    os.chmod(path, 0o644)
    print(f"{path}: {len(logits)} frames, {origin}")


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("--work", type=Path, default=Path("work"))
    a.add_argument("--minutes", type=float, default=17)
    a.add_argument("--size", type=int, default=32)
    a.add_argument("--rate", type=float, default=3e-3)
    a.add_argument("--threads", type=int, default=1)
    a.add_argument("--fixture", help="only writes the fixture of the TypeScript tests there")
    args = a.parse_args()
    if args.fixture:
        write_fixture(args.fixture)
        return
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    folder = args.work / "acoustic"
    examples = data.read(folder / "sentences.npz")
    held, examples = examples[::100], [e for i, e in enumerate(examples) if i % 100]
    net = AcousticModel()
    print(f"{sum(p.numel() for p in net.parameters()) / 1e6:.3f} M parameters, {len(examples)} sentences", flush=True)
    optimizer = torch.optim.AdamW(net.parameters(), args.rate, betas=(0.9, 0.98), weight_decay=0.01)
    step, spent, path = 0, 0.0, folder / "checkpoint.pt"
    if path.exists():
        state = torch.load(path)
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        step, spent = state["step"], state["minutes"]
    if spent >= args.minutes:
        print(f"{path} is done: {step} steps in {spent:.1f} min; more --minutes go on from it", flush=True)
        return
    started, window = time.time(), []
    while spent + (time.time() - started) / 60 < args.minutes:
        for batch in batches(examples, args.size, rng):
            minutes = spent + (time.time() - started) / 60
            if minutes >= args.minutes:
                break
            for group in optimizer.param_groups:
                group["lr"] = args.rate * min(1, (step + 1) / 200) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * minutes / args.minutes)))
            level, length = losses(net, *batch)
            optimizer.zero_grad(set_to_none=True)
            (level + 0.2 * length).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            step += 1
            window.append((level.item(), length.item()))
            if step % 100 == 0:
                with torch.no_grad():
                    kept = np.mean([[x.item() for x in losses(net, *b)] for b in batches(held, 32, np.random.default_rng(0))], 0)
                means = np.mean(window, 0)
                print(json.dumps({"step": step, "minutes": round(minutes, 2), "level": round(means[0], 4), "length": round(means[1], 4),
                                  "held_level": round(kept[0], 4), "held_length": round(kept[1], 4)}), flush=True)
                window = []
            if step % 500 == 0:
                save(path, net, optimizer, step, minutes)
    save(path, net, optimizer, step, args.minutes)


def save(path: Path, net, optimizer, step: int, minutes: float) -> None:
    new = path.with_suffix(".new")
    torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "minutes": minutes}, new)
    os.replace(new, path)


if __name__ == "__main__":
    main()
