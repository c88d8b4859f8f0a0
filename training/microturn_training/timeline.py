"""The time line of a session, and when things happen on it.

Time is counted in samples of 16 kHz from the start of the session: a micro-turn is 3200, an output position 800, a speech
frame 400. Output position `o` (4 per micro-turn) has heard the audio up to the end of its micro-turn and is *played* one
micro-turn later. Every label is a fixed function of what was said and when: a start that jitters could not be learnt.
"""
from __future__ import annotations

from .recipe import RECIPE

RATE, TURN, POSITION, FRAME = 16000, 3200, 800, 400
OUTPUTS = 4                        # output positions per micro-turn
REPLY_AFTER = RECIPE.timing.reply_after * RATE // 1000
HEARD_AFTER = RECIPE.timing.heard_after * RATE // 1000
SPOKEN_AFTER = RECIPE.timing.spoken_after * RATE // 1000
PHONE_AFTER = RECIPE.timing.phone_after * RATE // 1000
STOP_AFTER = RECIPE.timing.stop_after * RATE // 1000
YIELD_AFTER = RECIPE.timing.yield_after * RATE // 1000
COUNT_PACE = RECIPE.timing.count_pace * RATE // 1000 // POSITION   # output positions
STORY_GAP = RECIPE.timing.story_gap * RATE // 1000 // POSITION


def reply_turn(end: int) -> int:
    """The micro-turn in which the reply to a request whose last audible sample is `end` starts."""
    return (end + REPLY_AFTER) // TURN


def heard_turn(word_end: int) -> int:
    return (word_end + HEARD_AFTER) // TURN


def stop_turn(onset: int, end: int) -> int:
    """The first silent micro-turn after a "stop": its first sounds cannot be told from those of another request."""
    return min(yield_turn(onset), (end + STOP_AFTER) // TURN)


def yield_turn(onset: int) -> int:
    """The first silent micro-turn after another request began at sample `onset`."""
    return (onset + YIELD_AFTER) // TURN
