"""Where the words of a recording begin and end, found by pocketsphinx, which is told what was said."""
from __future__ import annotations

import re

import numpy as np

from .sound import to_int16


class Aligner:
    """Finds words in a recording."""

    def __init__(self):
        from pocketsphinx import Decoder
        self.decoder = Decoder(lm=None, loglevel="FATAL")

    def words(self, x: np.ndarray, text: str) -> list[tuple[str, float, float]] | None:
        """Each word of `text` with the seconds at which it begins and ends; None where it cannot be found."""
        if not len(x):
            return None   # the decoder would not go on after it
        try:
            self.decoder.set_align_text(text)
            self.decoder.start_utt()
            self.decoder.process_raw(to_int16(x).tobytes(), full_utt=True)
            self.decoder.end_utt()
        except (RuntimeError, ValueError):
            return None
        found = [(re.sub(r"\(\d+\)$", "", s.word), s.start_frame / 100, (s.end_frame + 1) / 100) for s in self.decoder.seg() or []
                 if not s.word.startswith(("<", "["))]
        return found if [word for word, _, _ in found] == text.split() else None
