"""Writes the recordings that ship in `fixtures/speech`: only voices whose samples may be given away with their notice."""
from __future__ import annotations

import sys
import tempfile
import wave
from pathlib import Path

import numpy as np

from .sound import RATE, read_wav, scale, to_int16, trim
from .synthesis import USER_RMS, festival_batch, speak
from .voices import Voice

AWB, RMS, KED = Voice("flite", "awb"), Voice("flite", "rms"), Voice("festival", "ked_diphone")

# name -> (seconds, [(start in seconds, voice, text)]); `rms` and `ked_diphone` are voices that training never heard
RECORDINGS = {
    "conversation": (25.0, [(0.8, AWB, "hello"), (4.2, AWB, "what is seven plus eight"), (9.0, AWB, "tell me a story"),
                            (14.2, AWB, "stop"), (17.4, AWB, "count to three"), (21.6, AWB, "thank you")]),
    "barge-in": (11.0, [(0.8, RMS, "count to nine"), (5.2, RMS, "what is your name")]),
    "pause-and-backchannel": (18.0, [(0.8, KED, "please count to"), (3.0, KED, "four"), (8.0, KED, "tell me a story"), (11.2, KED, "uh huh")]),
    "question": (16.0, [(0.8, AWB, "what is the weather like in paris"), (12.0, AWB, "thank you")]),
}
NOISE_DB = -62  # of full scale: a quiet room


def clip(voice: Voice, text: str) -> np.ndarray:
    if voice.engine == "festival":
        done = festival_batch([("", text, voice, False, 0)])[0]
        if done is None:
            raise RuntimeError(f"festival could not say {text!r}; is the voice {voice.name} installed?")
        return done[0].astype(np.float32) / 32767
    with tempfile.NamedTemporaryFile(suffix=".wav") as f:
        speak(voice, text, f.name)
        return scale(trim(read_wav(f.name)), USER_RMS)


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "../fixtures/speech")
    folder.mkdir(parents=True, exist_ok=True)
    for name, (seconds, lines) in RECORDINGS.items():
        x = np.random.default_rng(1).standard_normal(int(seconds * RATE)).astype(np.float32) * 10 ** (NOISE_DB / 20)
        for start, voice, text in lines:
            c = clip(voice, text)
            a = int(start * RATE)
            x[a:a + len(c)] += c
            print(f"{name}: {start:5.2f} .. {start + len(c) / RATE:5.2f} s {voice.label}: {text}")
        with wave.open(str(folder / f"{name}.wav"), "wb") as f:
            f.setnchannels(1)
            f.setsampwidth(2)
            f.setframerate(RATE)
            f.writeframes(to_int16(x).astype("<i2").tobytes())


if __name__ == "__main__":
    main()
