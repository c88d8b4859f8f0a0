"""The vocoder of `mini`: a causal network turns `dmel-speech` frames into controls, a source-filter model turns those into PCM.

After DDSP (Engel et al. 2020, arXiv:2001.04643): pulses and noise, each shaped by an envelope that a small network predicts.
Geometry, fixed here and in the TypeScript twin (`packages/core/src/audio/vocoder-synthesis.ts`):

* Frame k (25 ms) is complete when sample 400 (k + 1) has come; samples 400 (k - 1) to 400 k are produced then.
* A frame has two sub-frames, centred on samples 400 k - 200 + OFFSET and 400 k + OFFSET. Each holds 132 controls: pitch,
  voicing, 65 log amplitudes of the pulses, 65 of the noise (0 to 8000 Hz in steps of 125 Hz).
* A sub-frame is 400 samples of source under a Hann window, filtered without phase shift (FFT of 512) and added in.
  Envelopes this smooth fit the transform: one of 4096 differs by 43 to 46 dB below the speech. It begins after the sample
  that leaves next, so nothing comes too late.
* Pitch reaches a sub-frame's value at the end of its window, so the source of its second half can be made at once.
"""

import argparse
import json
import math
import os
import time

import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import expit
from torch import nn

from . import vocoder_data as data
from .dmel import mel_filters

SAMPLE_RATE = 16000
HOP = 400
SUB_HOP = 200
FFT = 512
POINTS = 65
CONTROLS = 2 + 2 * POINTS
OFFSET = 100
LOWEST_PITCH, OCTAVES = 60.0, 3.0
TOP_HARMONIC = 7600.0
LOG_FLOOR, LOG_CEILING = -12.0, 1.0
LIMIT = 0.8
BLOCKS, WIDTH, KERNEL = 4, 128, 5
CONTEXT = BLOCKS * (KERNEL - 1)  # frames of the past that a frame can depend on


# --- network -----------------------------------------------------------------------------------------------------


class VocoderNetwork(nn.Module):
    """Levels 0 to 15 `[batch, frames, 80]` to raw controls `[batch, 2 * frames, 132]`, strictly causal."""

    def __init__(self, width=WIDTH):
        super().__init__()
        self.enter = nn.Linear(80, width)
        self.conv = nn.ModuleList(nn.Conv1d(width, width, KERNEL) for _ in range(BLOCKS))
        self.proj = nn.ModuleList(nn.Linear(width, width) for _ in range(BLOCKS))
        self.leave = nn.Linear(width, 2 * CONTROLS)
        with torch.no_grad():
            self.leave.bias.zero_()
            for half in range(2):
                self.leave.bias[half * CONTROLS + 2 : (half + 1) * CONTROLS] = -4.0

    def forward(self, levels):
        hidden = self.enter(levels.float() * (2 / 15) - 1)
        for conv, proj in zip(self.conv, self.proj):
            past = F.pad(hidden.transpose(1, 2), (KERNEL - 1, 0))
            hidden = hidden + proj(F.gelu(conv(past)).transpose(1, 2))
        return self.leave(hidden).reshape(levels.shape[0], -1, CONTROLS)

    def named_weights(self):
        """The exported tensors under the names that docs/models.md gives them, float32."""
        return {exported_name(key): value.detach().float().contiguous() for key, value in self.named_parameters()}

    @classmethod
    def from_weights(cls, weights):
        """The network holding `weights`, a mapping from exported names to tensors."""
        network = cls(weights["microturn.vocoder.in.bias"].shape[0])
        network.load_state_dict({key: weights[exported_name(key)] for key in network.state_dict()})
        return network


RENAMED = {"enter": "in", "leave": "out"}


def exported_name(key):
    part, _, rest = key.partition(".")
    return f"microturn.vocoder.{RENAMED.get(part, part)}.{rest}"


def pitch_of(raw):
    """Raw control to Hz: 60 to 480."""
    return LOWEST_PITCH * 2 ** (OCTAVES * (expit(raw) if isinstance(raw, np.ndarray) else torch.sigmoid(raw)))


# --- differentiable synthesis, for training ----------------------------------------------------------------------


def pulses(phase, pitch):
    """Band-limited pulse train of unit power: all harmonics up to 7600 Hz, the last one faded in. Phase in cycles."""
    ratio = TOP_HARMONIC / pitch
    whole = torch.floor(ratio)
    half = math.pi * phase
    sine = torch.sin(half)
    near = sine.abs() < 1e-4
    series = (torch.sin((2 * whole + 1) * half) / torch.where(near, torch.ones_like(sine), sine) - 1) / 2
    series = torch.where(near, whole, series)
    return (series + (ratio - whole) * torch.cos(2 * (whole + 1) * half)) * torch.sqrt(2 / ratio)


def synthesise(pitch, voicing, harmonic, noise, white, start_phase, gate):
    """Controls to samples, in one differentiable piece.

    pitch, voicing, gate `[batch, J]`, log envelopes `[batch, J, 65]`, white `[batch, 200 (J + 1)]`, start_phase `[batch, 1]`
    in cycles. Result `[batch, 200 (J - 1) + 512]`; its sample 0 is 256 before the centre of sub-frame 0.
    """
    batch, count = pitch.shape
    before = torch.cat([pitch[:, :1], pitch[:, :1], pitch[:, :-1]], 1)[..., None]
    after = torch.cat([pitch[:, :1], pitch], 1)[..., None]
    ramp = torch.arange(1, SUB_HOP + 1, dtype=pitch.dtype) / SUB_HOP
    hertz = (before + (after - before) * ramp).reshape(batch, -1)
    phase = start_phase.double() + torch.cumsum(hertz.double() / SAMPLE_RATE, 1)
    source = torch.stack([pulses((phase - torch.floor(phase)).to(pitch.dtype), hertz), white])
    window = torch.hann_window(HOP, dtype=pitch.dtype)
    spectrum = torch.fft.rfft(source.unfold(2, HOP, SUB_HOP) * window, FFT)

    def response(log_envelope, gain):
        points = torch.exp(log_envelope.clamp(LOG_FLOOR, LOG_CEILING)) * (gain * gate)[..., None]
        return F.interpolate(points, size=FFT // 2 + 1, mode="linear", align_corners=True)

    filtered = spectrum[0] * response(harmonic, voicing) + spectrum[1] * response(noise, torch.ones_like(voicing))
    pieces = torch.roll(torch.fft.irfft(filtered, FFT), (FFT - HOP) // 2, -1)
    length = SUB_HOP * (count - 1) + FFT
    return F.fold(pieces.transpose(1, 2), (1, length), (1, FFT), stride=(1, SUB_HOP))[:, 0, 0]


# --- the reference of what runs in a session ---------------------------------------------------------------------


def white_noise(seed, first, count):
    """Samples `first` to `first + count` of the noise of `seed`: mulberry32 as a counter, uniform, unit variance."""
    with np.errstate(over="ignore"):
        state = np.uint32(seed) + (np.arange(first + 1, first + count + 1, dtype=np.int64)).astype(np.uint32) * np.uint32(0x6D2B79F5)
        mixed = (state ^ (state >> np.uint32(15))) * (state | np.uint32(1))
        mixed = mixed ^ (mixed + (mixed ^ (mixed >> np.uint32(7))) * (mixed | np.uint32(61)))
        mixed = mixed ^ (mixed >> np.uint32(14))
    return (mixed.astype(np.float64) * 2.0**-31 - 1) * math.sqrt(3)


def limit(pcm):
    """Bends what is above 0.8 so that it stays below 1; speech at the assistant's level stays under 0.6."""
    over = np.maximum(np.abs(pcm) - LIMIT, 0)
    return np.where(over > 0, np.sign(pcm) * (LIMIT + (1 - LIMIT) * np.tanh(over / (1 - LIMIT))), pcm)


class Synthesis:
    """Frame by frame, float64, with the state that a session carries. The TypeScript twin does exactly this."""

    def __init__(self, seed=1):
        self.seed, self.sample = seed, 0  # `sample` counts the source, sounding or not
        self.sounding, self.phase, self.pitch = False, 0.0, 0.0
        self.pulses = np.zeros(SUB_HOP)  # the source of the newest half window
        self.noise = np.zeros(SUB_HOP)
        self.tail = np.zeros(HOP + OFFSET + FFT // 2)  # begins at the next sample to leave
        self.window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(HOP) / HOP)

    def source(self, start, end):
        hertz = start + (end - start) * (np.arange(1, SUB_HOP + 1) / SUB_HOP)
        phase = self.phase + np.cumsum(hertz / SAMPLE_RATE)
        self.phase = phase[-1] - math.floor(phase[-1])
        return pulses(torch.as_tensor(phase - np.floor(phase)), torch.as_tensor(hertz)).numpy()

    def push(self, controls, active):
        """Controls `[2, 132]` of one frame; returns the 400 samples that end where the frame before it is centred."""
        for sub, raw in enumerate(np.asarray(controls, np.float64)):
            if active:
                self.add(raw, sub)
            self.sounding = active
            self.sample += SUB_HOP
        out, self.tail = limit(self.tail[:HOP]), np.concatenate([self.tail[HOP:], np.zeros(HOP)])
        return out

    def add(self, raw, sub):
        pitch, voicing = pitch_of(raw[:1])[0], expit(raw[1])
        if not self.sounding:
            self.phase, self.pitch = 0.0, pitch
            self.pulses = self.source(pitch, pitch)
            self.noise = white_noise(self.seed, self.sample, SUB_HOP)
        pulses_before, noise_before = self.pulses, self.noise
        self.pulses = self.source(self.pitch, pitch)
        self.noise = white_noise(self.seed, self.sample + SUB_HOP, SUB_HOP)
        self.pitch = pitch
        grid = np.arange(FFT // 2 + 1) / (FFT // 2 / (POINTS - 1))
        harmonic, noise = (
            np.interp(grid, np.arange(POINTS), np.exp(np.clip(part, LOG_FLOOR, LOG_CEILING)))
            for part in (raw[2 : 2 + POINTS], raw[2 + POINTS :])
        )
        spectrum = np.fft.rfft(np.concatenate([pulses_before, self.pulses]) * self.window, FFT) * harmonic * voicing
        spectrum += np.fft.rfft(np.concatenate([noise_before, self.noise]) * self.window, FFT) * noise
        piece = np.roll(np.fft.irfft(spectrum, FFT), (FFT - HOP) // 2)
        start = SUB_HOP * (1 + sub) + OFFSET - FFT // 2
        self.tail[start : start + FFT] += piece


def render(network, levels, seed=1, silence=0):
    """Copy synthesis: levels `[frames, 80]` to PCM `[400 * frames]`, aligned with the recording they came from.

    `silence` frames go before, as in a session that begins by listening; they are not in the result.
    """
    levels = np.pad(np.asarray(levels), ((silence, 0), (0, 0)))
    with torch.no_grad():
        controls = network(torch.as_tensor(levels)[None]).double().numpy().reshape(len(levels), 2, CONTROLS)
    synthesis = Synthesis(seed)
    blocks = [synthesis.push(c, bool(l.any())) for c, l in zip(controls, levels)]
    blocks.append(limit(synthesis.tail[:HOP]))
    return np.concatenate(blocks)[HOP * (1 + silence) :].astype(np.float32)


# --- training ----------------------------------------------------------------------------------------------------

LEAD, TRAIL, CROP = CONTEXT + 2, 4, 32


def prepare(examples, rng):
    """Training tensors: silence before and after each clip, as in a session."""
    ready = []
    for item in examples:
        gain = 10 ** (rng.uniform(-1.5, 1.5) / 20)
        pcm = np.pad(item["pcm"] * gain, (LEAD * HOP, TRAIL * HOP)).astype(np.float32)
        pad = LEAD * HOP // data.PITCH_HOP
        pitch = np.pad(item["pitch"], (pad, TRAIL * HOP // data.PITCH_HOP)).astype(np.float32)
        # What the assistant really says counts twice.
        weight = len(pcm) * (2.0 if item["closed"] else 1.0)
        ready.append((torch.from_numpy(pcm), torch.from_numpy(data.DMEL_SPEECH.levels(pcm)), torch.from_numpy(pitch), weight))
    return ready


def batch_of(clips, size, rng, cold=False):
    """Crops of CONTEXT + CROP frames: PCM under the last CROP frames, levels, pitch targets per sub-frame.

    Some begin or end within a word, as speech does that is interrupted. If `cold`, all begin in the first frames of the crop.
    """
    pcm, levels, pitch = [], [], []
    weights = np.array([clip[3] for clip in clips])
    for choice in rng.choice(len(clips), size, p=weights / weights.sum()):
        clip = clips[choice]
        first = int(rng.integers(0, max(1, len(clip[1]) - CONTEXT - CROP + 1)))
        last = min(first + CONTEXT + CROP, len(clip[1]))
        missing = CONTEXT + CROP - (last - first)
        a = first + CONTEXT
        begin, end = 0, CONTEXT + CROP
        if cold:
            begin = CONTEXT + rng.integers(0, 6)
        elif rng.random() < 0.2:
            begin = rng.integers(CONTEXT, end - 8)
        if rng.random() < 0.15:
            end = rng.integers(begin + 8, end)
        sound, seen = F.pad(clip[0][a * HOP : last * HOP], (0, missing * HOP)), F.pad(clip[1][first:last], (0, 0, 0, missing))
        pcm.append(sound * part(begin, end))
        levels.append(seen * ((torch.arange(len(seen)) >= begin) & (torch.arange(len(seen)) < end))[:, None])
        places = (HOP * a + OFFSET + SUB_HOP * np.arange(2 * CROP)) // data.PITCH_HOP  # where the pitch is reached
        track = F.pad(clip[2], (0, places[-1] + 1))
        pitch.append(torch.stack([track[places], track[places - SUB_HOP // data.PITCH_HOP]]))
    return torch.stack(pcm), torch.stack(levels), torch.stack(pitch)


def part(begin, end):
    """The fade that the synthesis gives frames `begin` to `end` of a crop, over the samples of its last CROP frames."""
    time_in_crop = torch.arange(CROP * HOP)
    first, last = (HOP * (int(frame) - CONTEXT) + OFFSET for frame in (begin, end - 1))
    return ((time_in_crop - first + HOP) / SUB_HOP).clamp(0, 1) * ((last + SUB_HOP - time_in_crop) / SUB_HOP).clamp(0, 1)


MEL = torch.from_numpy(mel_filters(1024).T).float()


def spectral_loss(made, real):
    """Distance of magnitudes at four resolutions, and of log mel power, which keeps the loudness right."""
    total = 0.0
    for size in (256, 512, 1024, 2048):
        window = torch.hann_window(size)
        a, b = (torch.stft(x, size, size // 4, window=window, return_complex=True).abs() for x in (made, real))
        total = total + 0.5 * (a - b).abs().mean() / (b.mean() + 1e-6)
        total = total + (torch.log(a + 1e-3) - torch.log(b + 1e-3)).abs().mean()
        if size == 1024:
            mel = (torch.log(MEL @ a.square() + 1e-5) - torch.log(MEL @ b.square() + 1e-5)).abs().mean()
    return total / 4 + 0.25 * mel


def losses(network, pcm, levels, pitch, cold=False):
    gate = levels[:, CONTEXT:].amax(-1).gt(0).float().repeat_interleave(2, 1)
    jitter = torch.randint(-1, 2, levels.shape) * (torch.rand(levels.shape) < 0.1)
    heard = (levels.int() + jitter).clamp(0, 15)
    raw = network(heard[:, CONTEXT:]) if cold else network(heard)[:, 2 * CONTEXT :]
    reached, centre = pitch[:, 0], pitch[:, 1]
    voiced = reached.gt(0).float() * gate
    predicted = pitch_of(raw[..., 0])
    pitch_loss = ((torch.log(predicted) - torch.log(reached.clamp(min=80))).abs() * voiced).sum() / voiced.sum().clamp(min=1)
    voicing_loss = (F.binary_cross_entropy_with_logits(raw[..., 1], centre.gt(0).float(), reduction="none") * gate).mean()
    made = synthesise(
        torch.where(reached > 0, reached, predicted.detach()),
        torch.sigmoid(raw[..., 1]),
        raw[..., 2 : 2 + POINTS],
        raw[..., 2 + POINTS :],
        (torch.rand(len(pcm), SUB_HOP * (2 * CROP + 1)) * 2 - 1) * math.sqrt(3),
        torch.rand(len(pcm), 1),
        gate,
    )
    shift = FFT // 2 + SUB_HOP - OFFSET  # of sample 400 a, where the crop of the recording begins
    whole = slice(0 if cold else 2 * HOP, (CROP - 2) * HOP)  # where no neighbour outside the crop is missing
    made = made[:, shift:][:, whole]
    return spectral_loss(made, pcm[:, whole]), pitch_loss, voicing_loss


def train(folder, minutes, start=None, seed=0, threads=1, size=24, peak=2e-3):
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    examples = data.build(os.path.join(folder, "data.npz"))
    clips = prepare([e for e in examples if not e["held"]], rng)
    network = load(start).train() if start else VocoderNetwork()
    optimiser = torch.optim.Adam(network.parameters(), peak, betas=(0.9, 0.98))
    started, step, recent = time.time(), 0, []
    while (passed := (time.time() - started) / (60 * minutes)) < 1:
        warm = min(1, (step + 1) / 50)
        for group in optimiser.param_groups:
            group["lr"] = peak * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * passed)))
        cold = step % 6 == 0  # a session that begins with speech
        spectral, pitch_loss, voicing_loss = losses(network, *batch_of(clips, size, rng, cold), cold)
        optimiser.zero_grad()
        (spectral + 3 * pitch_loss + 0.3 * voicing_loss).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        step += 1
        recent.append((spectral.item(), pitch_loss.item(), voicing_loss.item()))
        if step % 100 == 0:
            mean = np.mean(recent, 0).round(4).tolist()
            recent = []
            line = {"step": step, "minutes": round(passed * minutes, 2), "spectral": mean[0], "pitch": mean[1], "voicing": mean[2]}
            print(f"{100 * passed:3.0f} % {json.dumps(line)}", flush=True)
            with open(os.path.join(folder, "log.jsonl"), "a") as log:
                log.write(json.dumps(line) + "\n")
        if step % 500 == 0:
            save(network, os.path.join(folder, "vocoder-partial.safetensors"))
    save(network, os.path.join(folder, "vocoder.safetensors"))
    return network


def save(network, path):
    from safetensors.torch import save_file

    save_file(network.named_weights(), path)


def load(path):
    from safetensors.torch import load_file

    return VocoderNetwork.from_weights(load_file(path)).eval()


def write_fixture(path, text="yes, the quick brown fox", seed=7):
    """What the TypeScript twin is compared with: a small random network, a sentence with gaps, its controls and its PCM."""
    from safetensors.torch import save_file

    torch.manual_seed(seed)
    network = VocoderNetwork(width=24).eval()
    with torch.no_grad():
        network.leave.weight.mul_(3)  # livelier controls than a fresh network gives
        network.leave.bias[1::CONTROLS] = 1.0
    levels = data.example(text)["levels"]
    levels = np.concatenate([levels[:24], np.zeros((6, 80), np.uint8), levels[24:36], np.zeros((5, 80), np.uint8)])
    with torch.no_grad():
        controls = network(torch.from_numpy(levels)[None]).reshape(len(levels), -1)
    synthesis = Synthesis(seed)
    pcm = [synthesis.push(c, bool(l.any())) for c, l in zip(controls.double().numpy().reshape(-1, 2, CONTROLS), levels)]
    tensors = network.named_weights()
    tensors |= {"levels": torch.from_numpy(levels), "controls": controls, "pcm": torch.from_numpy(np.concatenate(pcm)).float()}
    origin = f"microturn_training.vocoder.write_fixture, PyTorch {torch.__version__}; flite slt: {text}"
    save_file(tensors, path, {"origin": origin, "seed": str(seed), "tolerance": "1e-4 for controls, 1e-5 for PCM"})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train the vocoder of mini.")
    parser.add_argument("--folder", default="work/vocoder")
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--start", help="go on from these weights")
    parser.add_argument("--peak", type=float, default=2e-3, help="highest learning rate")
    parser.add_argument("--fixture", help="write the parity fixture to this file and stop")
    arguments = parser.parse_args()
    if arguments.fixture:
        write_fixture(arguments.fixture)
    else:
        train(arguments.folder, arguments.minutes, arguments.start, threads=arguments.threads, peak=arguments.peak)
