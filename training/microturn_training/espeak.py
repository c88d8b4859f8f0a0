"""espeak-ng through its library, because only the library tells when each word starts."""
from __future__ import annotations

import ctypes
import wave

import numpy as np

from . import domain
from .voices import Voice

SYNCHRONOUS, WORD, RATE_PARAMETER, PITCH_PARAMETER, CHARACTER, UTF8, IPA = 2, 1, 1, 3, 1, 1, 2


class Event(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint), ("text_position", ctypes.c_int), ("length", ctypes.c_int),
                ("audio_position", ctypes.c_int), ("sample", ctypes.c_int), ("user_data", ctypes.c_void_p), ("id", ctypes.c_char * 8)]


class VoiceSelect(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("languages", ctypes.c_char_p), ("identifier", ctypes.c_char_p), ("gender", ctypes.c_ubyte),
                ("age", ctypes.c_ubyte), ("variant", ctypes.c_ubyte), ("xx1", ctypes.c_ubyte), ("score", ctypes.c_int), ("spare", ctypes.c_void_p)]


class Library:
    """One per process."""

    def __init__(self):
        self.lib = ctypes.CDLL("libespeak-ng.so.1")
        self.rate = self.lib.espeak_Initialize(SYNCHRONOUS, 0, None, 0)
        if self.rate <= 0:
            raise OSError("espeak-ng: cannot find its voices; install the Debian package espeak-ng")
        self.samples: list[np.ndarray] = []
        self.words: list[tuple[int, int]] = []   # (character position, sample)
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event))
        self.callback = kind(self._receive)
        self.lib.espeak_SetSynthCallback(self.callback)

    def _receive(self, samples, count, events) -> int:
        if samples and count > 0:
            self.samples.append(np.ctypeslib.as_array(samples, (count,)).copy())
        i = 0
        while events[i].type != 0:
            if events[i].type == WORD:
                self.words.append((events[i].text_position - 1, events[i].sample))
            i += 1
        return 0

    def speak(self, name: str, words_per_minute: int, pitch: int, text: str) -> np.ndarray:
        if self.lib.espeak_SetVoiceByName(name.encode()) != 0:
            self.lib.espeak_SetVoiceByProperties(ctypes.byref(VoiceSelect(languages=name.encode())))
        self.lib.espeak_SetParameter(RATE_PARAMETER, words_per_minute, 0)
        self.lib.espeak_SetParameter(PITCH_PARAMETER, pitch, 0)
        self.samples.clear()
        self.words.clear()
        data = ctypes.create_string_buffer(text.encode())
        if self.lib.espeak_Synth(data, ctypes.c_size_t(len(data)), 0, CHARACTER, 0, UTF8, None, None) != 0 or not self.samples:
            raise ValueError(f"espeak-ng: cannot say {text!r} with {name}")
        return np.concatenate(self.samples)


    def phonemes(self, text: str, language: str) -> str:
        self.lib.espeak_SetVoiceByName(language.encode())
        self.lib.espeak_TextToPhonemes.restype = ctypes.c_char_p
        buffer, out = ctypes.create_string_buffer(text.encode(), len(text.encode()) + 16), []   # it looks ahead
        at = ctypes.c_void_p(ctypes.addressof(buffer))
        while at.value:
            out.append(self.lib.espeak_TextToPhonemes(ctypes.byref(at), UTF8, IPA).decode())
        return " ".join(out).strip()


_library: Library | None = None


def library() -> Library:
    global _library
    _library = _library or Library()
    return _library


def phonemes(text: str, language: str) -> str:
    """IPA of a text, words apart."""
    return library().phonemes(text, language)


def speak(voice: Voice, text: str, path: str) -> list[float]:
    """Writes `text` as a WAV; returns the second at which each word ends."""
    x = library().speak(voice.name, int(165 * voice.speed), voice.pitch or 50, text)
    with wave.open(path, "wb") as f:
        f.setnchannels(1)
        f.setsampwidth(2)
        f.setframerate(library().rate)
        f.writeframes(x.astype("<i2").tobytes())
    # a word without an event (espeak joins some) gets its place between its neighbours by length
    at, known = 0, {0: 0, len(text): len(x)}
    known |= dict(_library.words)
    places, times = zip(*sorted(known.items()))
    ends = []
    for word in domain.words(text):
        at = text.index(word, at) + len(word)
        following = at + len(text[at:]) - len(text[at:].lstrip(", "))
        ends.append(float(np.interp(following, places, times)) / library().rate)
    return ends
