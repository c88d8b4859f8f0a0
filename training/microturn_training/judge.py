"""How well the vocoder's speech can be understood: an independent recogniser hears the original, the copy and Griffin-Lim.

Recogniser: PocketSphinx with its general US English acoustic model (Debian packages pocketsphinx, pocketsphinx-en-us). It is
asked twice: which of a closed set of sentences was said, and which words out of a vocabulary in any order.
"""

import argparse
import io
import json
import os
import re
import subprocess
import tempfile
import time
import wave

import numpy as np
import torch

from . import vocoder
from . import vocoder_data as data
from .dmel import DMEL_SPEECH, mel_filters

WINDOW = np.hanning(2 * data.HOP + 1)[:-1]
MODEL = "/usr/share/pocketsphinx/model/en-us"


# --- recogniser --------------------------------------------------------------------------------------------------


def words_of(text):
    return re.sub(r"[^a-z' ]", " ", text.lower()).split()


def known_words():
    with open(f"{MODEL}/cmudict-en-us.dict") as lines:
        return {line.split()[0] for line in lines}


def write_wave(path, pcm):
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(data.SAMPLE_RATE)
        file.writeframes((np.clip(pcm, -1, 1) * 32767).astype("<i2").tobytes())


def recognise(clips, rule):
    """The words heard in each clip under the JSGF `rule`; an empty string where nothing matched."""
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/rule.gram", "w") as file:
            file.write(f"#JSGF V1.0;\ngrammar said;\npublic <said> = {rule};\n")
        for i, pcm in enumerate(clips):
            noise = np.random.default_rng(i).normal(0, 1e-3, len(pcm) + 9600)
            write_wave(f"{folder}/{i:05d}.wav", np.pad(pcm / (np.abs(pcm).max() + 1e-9) * 0.6, 4800) + noise)
        with open(f"{folder}/list", "w") as file:
            file.writelines(f"{i:05d}\n" for i in range(len(clips)))
        command = ["pocketsphinx_batch", "-adcin", "yes", "-adchdr", "44", "-cepdir", folder, "-cepext", ".wav"]
        command += ["-ctl", f"{folder}/list", "-hyp", f"{folder}/heard", "-logfn", f"{folder}/log"]
        command += ["-hmm", f"{MODEL}/en-us", "-dict", f"{MODEL}/cmudict-en-us.dict", "-jsgf", f"{folder}/rule.gram"]
        command += ["-maxhmmpf", "30000", "-beam", "1e-80", "-wbeam", "1e-60", "-wip", "1e-8", "-lw", "2.0"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        heard = [""] * len(clips)
        with open(f"{folder}/heard") as lines:
            for line in lines:
                match = re.match(r"(.*)\((\d+)\s[^)]*\)$", line.strip())
                if match:
                    heard[int(match.group(2))] = re.sub(r"\(\d+\)", "", match.group(1)).strip()
    return heard


def word_errors(reference, heard):
    """Least number of words to insert, delete or replace."""
    previous = list(range(len(heard) + 1))
    for i, word in enumerate(reference, 1):
        current = [i]
        for j, other in enumerate(heard, 1):
            current.append(min(previous[j - 1] + (word != other), previous[j] + 1, current[-1] + 1))
        previous = current
    return previous[-1]


def understood(clips, texts, sentences):
    """Closed-set sentence accuracy among `sentences`, and word error rate over their vocabulary in any order."""
    dictionary = known_words()
    said = [" ".join(words_of(t)) for t in texts]
    choices = sorted({" ".join(words_of(t)) for t in sentences})
    choices = [c for c in choices if all(w in dictionary for w in c.split())]
    fit = [i for i, s in enumerate(said) if s in set(choices)]
    clips, said = [clips[i] for i in fit], [said[i] for i in fit]
    closed = recognise(clips, " | ".join(choices))
    free = recognise(clips, "( " + " | ".join(sorted({w for c in choices for w in c.split()})) + " )+")
    errors = sum(word_errors(s.split(), h.split()) for s, h in zip(said, free))
    return {
        "clips": len(clips),
        "sentences": len(choices),
        "sentence accuracy": round(float(np.mean([s == h for s, h in zip(said, closed)])), 3),
        "word error": round(errors / sum(len(s.split()) for s in said), 3),
    }


# --- Griffin-Lim, the vocoder without weights --------------------------------------------------------------------


def transform(pcm):
    blocks = np.lib.stride_tricks.sliding_window_view(np.pad(pcm, (data.HOP, data.HOP)), 2 * data.HOP)[:: data.HOP]
    return np.fft.rfft(blocks * WINDOW, 1024)


def invert(spectrum):
    blocks = np.fft.irfft(spectrum, 1024)[:, : 2 * data.HOP] * WINDOW
    total = np.zeros((len(blocks) + 1) * data.HOP)
    weight = np.zeros_like(total)
    for i, block in enumerate(blocks):
        total[i * data.HOP : (i + 2) * data.HOP] += block
        weight[i * data.HOP : (i + 2) * data.HOP] += WINDOW**2
    return (total / np.maximum(weight, 1e-3))[data.HOP : -data.HOP]


def griffin_lim(levels, iterations=32):
    """PCM from `dmel-speech` levels by phase recovery with momentum (Perraudin et al. 2013); non-causal."""
    levels = np.asarray(levels, float)
    mel = 10 ** (DMEL_SPEECH.low + DMEL_SPEECH.step * levels) * (levels > 0)
    bands = mel_filters(1024).T
    guess = np.maximum(mel @ (bands / np.maximum(bands.sum(0), 1e-6)), 1e-8)
    for _ in range(30):  # multiplicative least squares: magnitudes whose mel energies are the wanted ones
        guess *= ((mel / np.maximum(guess @ bands.T, 1e-8)) @ bands) / np.maximum(bands.sum(0), 1e-6)
    magnitude = np.vstack([guess, np.zeros_like(guess[:1])])
    phase = np.exp(2j * np.pi * np.random.default_rng(0).random(magnitude.shape))
    before = 0
    for _ in range(iterations):
        now = transform(invert(magnitude * phase))[: len(magnitude)]
        phase = now - 0.5 * before
        phase /= np.maximum(np.abs(phase), 1e-9)
        before = now
    return invert(magnitude * phase).astype(np.float32)


# --- evaluation --------------------------------------------------------------------------------------------------


def log_mel(pcm):
    return np.maximum(np.log10(DMEL_SPEECH.mel(pcm)), DMEL_SPEECH.low)


def closeness(made, examples):
    """Mean distance of log mel magnitudes, of spectra, and of loudness, in dB (the second is a plain number)."""
    mel, spectral, loudness = [], [], []
    for pcm, item in zip(made, examples):
        count = min(len(pcm), len(item["pcm"]))
        pcm, real = pcm[:count], item["pcm"][:count]
        mel.append(20 * np.abs(log_mel(pcm) - log_mel(real)).mean())
        spectral.append(vocoder.spectral_loss(torch.tensor(pcm)[None], torch.tensor(real)[None]).item())
        loudness.append(10 * np.log10(np.mean(np.square(pcm, dtype=float)) / np.mean(np.square(real, dtype=float))))
    return {
        "log mel dB": round(float(np.mean(mel)), 2),
        "spectral": round(float(np.mean(spectral)), 3),
        "loudness dB": f"{np.mean(loudness):+.2f} (from {np.min(loudness):+.2f} to {np.max(loudness):+.2f})",
        "peak": round(float(max(np.abs(p).max() for p in made)), 2),
    }


def picture(path, item, made):
    import matplotlib
    from PIL import Image

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(made), 1, figsize=(9, 6.6), sharex=True)
    for axis, (name, pcm) in zip(axes, made.items()):
        axis.specgram(pcm + 1e-9, NFFT=512, Fs=data.SAMPLE_RATE, noverlap=448, vmin=-130, vmax=-30, cmap="magma")
        axis.set_title(name, fontsize=9, loc="left")
        axis.set_ylabel("Hz", fontsize=8)
        axis.tick_params(labelsize=7)
    axes[-1].set_xlabel("seconds", fontsize=8)
    figure.suptitle(f"“{item['text']}”", fontsize=10)
    figure.tight_layout()
    pixels = io.BytesIO()
    figure.savefig(pixels, dpi=75)
    Image.open(pixels).convert("RGB").quantize(64).save(path, optimize=True)


def evaluate(folder, picture_path=None):
    network = vocoder.load(os.path.join(folder, "vocoder.safetensors"))
    examples = data.build(os.path.join(folder, "data.npz"))
    results = {}
    for group, closed in (("answers", True), ("free sentences", False)):
        held = [e for e in examples if e["held"] and e["closed"] == closed]
        started = time.time()
        silence = vocoder.CONTEXT + 2  # a session begins by listening
        ways = {"original": [e["pcm"] for e in held]}
        ways["vocoder"] = [vocoder.render(network, e["levels"], silence=silence) for e in held]
        speed = sum(len(e["pcm"]) for e in held) / data.SAMPLE_RATE / (time.time() - started)
        cold = closeness([vocoder.render(network, e["levels"]) for e in held], held)
        print(f"{group}, vocoder without silence before: {json.dumps(cold)}")
        ways["Griffin-Lim 32"] = [griffin_lim(e["levels"]) for e in held]
        sentences = [e["text"] for e in examples if e["closed"] == closed]
        for way, clips in ways.items():
            row = understood(clips, [e["text"] for e in held], sentences)
            if way != "original":
                row |= closeness(clips, held)
            results[f"{group}, {way}"] = row
            print(f"{group}, {way}: {json.dumps(row)}", flush=True)
        print(f"reference in Python: {speed:.0f} times real time")
        if picture_path and not closed:
            chosen = max(range(len(held)), key=lambda i: -abs(len(held[i]["pcm"]) - 3 * data.SAMPLE_RATE))
            picture(picture_path, held[chosen], {way: clips[chosen] for way, clips in ways.items()})
    with open(os.path.join(folder, "judged.json"), "w") as file:
        json.dump(results, file, indent=1)
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Judge the vocoder of mini.")
    parser.add_argument("--folder", default="work/vocoder")
    parser.add_argument("--picture")
    arguments = parser.parse_args()
    evaluate(arguments.folder, arguments.picture)
