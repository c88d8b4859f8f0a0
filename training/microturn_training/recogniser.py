"""What somebody says, as letters, by a recogniser that is not ours: Moonshine tiny (Jeffries et al. 2024, arXiv:2410.15608; English model MIT), from the
package `moonshine-voice`, of which version 0.0.59 is the last but few that hold it.
"""
from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from . import acoustic_data
from .sound import RATE

SILENCE = RATE // 2   # before and after each sentence, samples


def letters_of(text: str) -> str:
    """A text as it is compared, and as training has it: small letters and single spaces, numbers in words."""
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text.lower()).replace("o'clock", "o clock").replace("%", " percent").replace("$", " dollars ")
    text = re.sub(r"(\d+)(?:st|nd|rd|th)\b", lambda n: acoustic_data.ordinal(acoustic_data.spelled(int(n[1]))), text)
    text = re.sub(r"(?<=\d)\.(\d+)", lambda n: " point " + " ".join(n[1]), text)
    text = re.sub(r"\d+", lambda n: acoustic_data.spelled(int(n[0])) if int(n[0]) < 10**15 else n[0], text)
    return " ".join(re.sub(r"[^a-z' ]", " ", text).split())


class Recogniser:
    def __init__(self):
        from moonshine_voice import ModelArch, Transcriber
        from moonshine_voice.utils import get_assets_path
        self.transcriber = Transcriber(model_path=str(Path(get_assets_path()) / "tiny-en"), model_arch=ModelArch.TINY)

    def hear(self, x: np.ndarray) -> str:
        x = np.pad(x / (np.abs(x).max() + 1e-9) * 0.6, SILENCE)
        lines = self.transcriber.transcribe_without_streaming(x.astype(np.float32).tolist(), RATE).lines
        return " ".join(line.text for line in lines)
