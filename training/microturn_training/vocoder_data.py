"""What the vocoder learns from: sentences of the assistant's voice, their `dmel-speech` levels and their pitch.

Everything is synthesised here with Flite's `slt` voice (16 kHz); nothing is downloaded. Times are samples at 16 kHz.
"""

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from . import domain
from .dmel import DMEL_SPEECH
from .sound import read_wav, scale, trim
from .synthesis import ASSISTANT_RMS, speak
from .voices import ASSISTANT, Voice

SAMPLE_RATE = 16000
HOP = DMEL_SPEECH.hop
PITCH_HOP = 100  # spacing of the pitch track
HELD_EVERY = 8  # every eighth sentence is kept for evaluation


# --- voice -------------------------------------------------------------------------------------------------------


def say(text):
    """The assistant's voice saying `text`, float32, trimmed and scaled like every answer of the assistant."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "clip.wav")
        speak(Voice("flite", ASSISTANT), text, path)
        return scale(trim(read_wav(path)), ASSISTANT_RMS).astype(np.float32)


def pitch_track(pcm, low=90, high=340, width=480):
    """Pitch in Hz at samples 0, 100, 200 ..., 0 where unvoiced: the peak of the normalised autocorrelation."""
    shortest, longest = SAMPLE_RATE // high, SAMPLE_RATE // low
    span = width + longest + 2
    padded = np.pad(np.asarray(pcm, np.float64), (span // 2, span))
    blocks = np.lib.stride_tricks.sliding_window_view(padded, span)[::PITCH_HOP][: len(pcm) // PITCH_HOP + 1]
    head = blocks[:, :width]
    spectrum = np.conj(np.fft.rfft(head, 2048)) * np.fft.rfft(blocks, 2048)
    product = np.fft.irfft(spectrum, 2048)[:, : longest + 2]
    energy = np.cumsum(np.pad(blocks**2, ((0, 0), (1, 0))), 1)
    shifted = energy[:, width : width + longest + 2] - energy[:, : longest + 2]
    score = product / np.sqrt(shifted[:, :1] * shifted + 1e-9)
    track = np.zeros(len(score))
    for i, (row, power) in enumerate(zip(score, shifted[:, 0])):
        best = row[shortest : longest + 1].max()
        if power < width * 1e-5 or best < 0.6:
            continue
        lag = shortest + int(np.flatnonzero(row[shortest : longest + 1] > 0.9 * best)[0])
        while lag < longest and row[lag + 1] > row[lag]:
            lag += 1
        left, middle, right = row[lag - 1 : lag + 2]
        bend = left - 2 * middle + right
        track[i] = SAMPLE_RATE / (lag + (0.5 * (left - right) / bend if bend < 0 else 0))
    return without_jumps(track)


def without_jumps(track, reach=4):
    """Marks as unvoiced what stands more than 25 % away from the median of its voiced neighbours (octave errors)."""
    clean = track.copy()
    for i in np.flatnonzero(track):
        near = track[max(0, i - reach) : i + reach + 1]
        near = near[near > 0]
        if len(near) < 3 or abs(track[i] / np.median(near) - 1) > 0.25:
            clean[i] = 0
    return clean


# --- sentences ---------------------------------------------------------------------------------------------------

PEOPLE = """Alice|my neighbour|the young doctor|George|our teacher|a tall stranger|the pilot|Miss Hughes|the cook|every child|
Victor|her cousin|the shoemaker|a quiet judge|the captain|your mother|Joyce|the engineer|no one|the whole village""".replace("\n", "").split("|")
DEEDS = """carried|watched|measured|forgot|polished|borrowed|described|pushed|chose|catches|joined|thought about|
argues over|washed|brought|sketched|usually avoids|enjoys|threw away|gathered|judged|would rather fix""".replace("\n", "").split("|")
QUALITIES = """yellow|heavy|strange|golden|smooth|broken|purple|thick|cheap|huge|moist|vague|joyful|northern|
awful|rough|shiny|thin|voiceless|square|quiet|ancient""".replace("\n", "").split("|")
THINGS = """bridge|garage|violin|kitchen shelf|feather|wooden boat|oyster|treasure map|thermos|jacket|wheelbarrow|pleasure garden|
envelope|mushroom soup|yacht|zipper|church bell|goose|bathtub|laptop|ladder|television|watch|judge's hat|lion|cloth|
boiler|azure vase|youth choir|hook""".replace("\n", "").split("|")
PLACES = """near the river|beneath the old oak|on Thursday morning|without a word|across the valley|before the storm|
in the cold cellar|with both hands|at half past three|through the noisy crowd|after the joke|behind our house|
under a cloudy sky|by the north gate|for the fifth time|in July|around the world|just to be sure|
while it was raining|above the shore""".replace("\n", "").split("|")
QUESTIONS = """where did you put|who measured|could you show me|why would anyone want|how much is|when shall we paint|
which way leads to|have you ever seen|do they still sell|what happened to""".replace("\n", "").split("|")
LOOSE = """The quick brown fox jumps over the lazy dog.|She sells sea shells by the sea shore.|
A thin whistle of steam rose from the kettle.|Please choose a chair and join us.|Both of them breathe through the mouth.|
It is usually a pleasure to measure the beige garage.|Would you rather go by boat, by bus, or on foot?|
He hung the young king's ring on a long string.|Nothing is as smooth as those leather gloves.|
Yes, I heard you, go on.|The weather is cloudy, with a chance of thunder.|I am sorry, could you say that again?|
Your timer is set for twenty minutes.|We have just enough sugar for the pudding.|Wait a moment while I look it up.|
Turn left at the church, then walk for half a mile.|Oil and water do not mix.|The toy belongs to the boy.|
How now, brown cow?|Few people knew about the new view.|Put the book on the hook and look.|
Father's car is parked far from the bar.|The bird heard the first word.|Ships in the harbour flash their lights.|
That is a good question.|Let me think about it.|One hundred and sixty seven point five.|
My phone number is nine oh four, three eight two, seven one six.|Eighty eight thieves thought of thirty three things.""".replace("\n", "").split("|")


def free_sentences(count=480, seed=1):
    """`count` different sentences outside the assistant's answers, drawn from word lists that cover the sounds of English."""
    rng = np.random.default_rng(seed)

    def pick(words):
        return words[rng.integers(len(words))]

    def some():
        thing = f"{pick(QUALITIES)} {pick(THINGS)}"
        return f"{pick(['the', 'an' if thing[0] in 'aeiou' else 'a', 'this', 'your', 'another'])} {thing}"

    shapes = (
        lambda: f"{pick(PEOPLE)} {pick(DEEDS)} {some()} {pick(PLACES)}",
        lambda: f"{pick(QUESTIONS)} {some()}?",
        lambda: f"{pick(PLACES)}, {pick(PEOPLE)} {pick(DEEDS)} {some()}",
        lambda: f"{pick(PEOPLE)} {pick(DEEDS)} {some()}, and {pick(PEOPLE)} {pick(DEEDS)} {some()}",
        lambda: f"{pick(domain.NUMBERS)} {pick(THINGS)}s and {pick(domain.NUMBERS)} {pick(THINGS)}s {pick(PLACES)}",
        lambda: f"{pick(QUALITIES)}, {pick(QUALITIES)} and {pick(QUALITIES)}",
        lambda: f"no, not {some()}, {some()}!",
    )
    made = dict.fromkeys(LOOSE)
    while len(made) < count:
        made[pick(shapes)()] = None
    return list(made)[:count]


# --- the set -----------------------------------------------------------------------------------------------------


def example(text):
    """One sentence: PCM cut to whole frames, its levels `[frames, 80]` and its pitch track."""
    pcm = say(text)
    pcm = np.pad(pcm, (0, -len(pcm) % HOP))
    return {"text": text, "pcm": pcm, "levels": DMEL_SPEECH.levels(pcm), "pitch": pitch_track(pcm)}


def build(path, workers=2):
    """Synthesises all sentences once and keeps them in `path` (npz); later calls read it back."""
    if os.path.exists(path):
        return list(np.load(path, allow_pickle=True)["examples"])
    answers, free = list(domain.answers().values()), free_sentences()
    with ThreadPoolExecutor(workers) as pool:
        examples = list(pool.map(example, answers + free))
    for i, item in enumerate(examples):
        item["closed"] = i < len(answers)
        item["held"] = i % HELD_EVERY == 0
    os.makedirs(os.path.dirname(path), exist_ok=True)
    np.savez(path, examples=np.array(examples, dtype=object))
    return examples
