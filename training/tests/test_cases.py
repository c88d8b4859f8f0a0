"""Evaluation cases: a filler inside a request, and the silences around it."""
import random

import numpy as np

from microturn_training import domain
from microturn_training.case_scene import lengthened
from microturn_training.fillers import FILLERS, around_filler, broken, plan_held_fillers, words_to_filler
from microturn_training.synthesis import HELD_ENGINES, RATE


def clip(*words: tuple[float, float]) -> np.ndarray:
    """Tones where words are."""
    x = np.zeros(int((words[-1][1] + 0.01) * RATE), np.float32)
    for start, end in words:
        x[int(start * RATE):int(end * RATE)] = 0.1 * np.sin(np.arange(int(end * RATE) - int(start * RATE)) * 0.3)
    return x


def meta(gap: tuple[float, float] | None, *ends: float) -> dict:
    """Of a clip whose filler is the second word."""
    return {"gap": gap and [int(gap[0] * RATE), int(gap[1] * RATE), 2], "words": [int(end * RATE) for end in ends]}


def near(found: tuple[int, int], start: float, end: float) -> bool:
    return abs(found[0] - start * RATE) < 160 and abs(found[1] - end * RATE) < 160


def test_a_filler_is_between_two_silences_also_where_the_clip_names_the_one_before_it():
    x = clip((0.01, 0.4), (0.6, 0.8), (1.0, 1.5))
    for gap in ((0.4, 0.6), (0.8, 1.0)):
        before, after = around_filler(x, meta(gap, 0.45, 0.85, 1.5))
        assert near(before, 0.4, 0.6) and near(after, 0.8, 1.0)


def test_a_filler_may_follow_its_word_at_once_but_a_silence_must_follow_it():
    x = clip((0.01, 0.7), (0.9, 1.5))
    before, after = around_filler(x, meta((0.7, 0.9), 0.4, 0.7, 1.5))
    assert before is None and near(after, 0.7, 0.9)
    assert around_filler(x, meta((0.7, 0.9), 0.72, 0.9, 1.5)) is None   # the silence is before it
    assert around_filler(x, meta(None, 0.4, 0.7, 1.5)) is None


def test_a_longer_silence_moves_what_follows_it():
    x = clip((0.01, 0.4), (0.6, 0.8))
    longer = lengthened(x, int(0.4 * RATE), int(0.6 * RATE), 0.5)
    assert len(longer) == len(x) + RATE // 2 and (longer[int(1.1 * RATE):] == x[int(0.6 * RATE):]).all()


def test_a_voice_that_runs_on_is_broken_off_at_the_quietest_point_near_the_end_of_a_word():
    x = clip((0.01, 0.5), (0.52, 1.0))
    whole = x.copy()
    at, again = broken(x, int(0.49 * RATE))
    assert at == again and abs(at - 0.51 * RATE) < 160
    assert (x[:at - 160] == whole[:at - 160]).all() and (x[at + 160:] == whole[at + 160:]).all()
    loud = np.sin(np.arange(RATE) * 0.3).astype(np.float32)
    at, _ = broken(loud, RATE // 2)
    assert loud[at - 1] == 0 and loud[at] == 0


def test_a_filler_comes_where_its_request_cannot_be_over_yet():
    for key, text, _, held, split in plan_held_fillers(random.Random(1), HELD_ENGINES):
        words = domain.words(text)
        assert words[split - 1] in FILLERS and split == words_to_filler(text)
        assert not domain.is_request(" ".join(words[:split - 1]))
        assert " ".join(words[:split - 1] + words[split:]) in domain.texts(key, held)
