"""Exchanges that are more than a request and its reply."""
import numpy as np
import pytest

from microturn_training.dialogue import DECISION, DELEGATE, LISTEN, SPEAK, Generator, Mix
from microturn_training.domain import END, GOING_ON, TOKEN, VOCABULARY
from microturn_training.scenes import ALOUD_EVERY, AUDIBLE, sample_of
from microturn_training.senses import cough
from microturn_training.timeline import OUTPUTS, RATE, TURN, reply_turn, stop_turn, yield_turn


@pytest.fixture(scope="module")
def play(bank):
    generator = Generator(bank, 0, turns=160, mix=Mix(augment=False, snr_db=None, echo=0, late=False))
    return lambda key, interrupt="none": generator.dialogue([(key, interrupt)], camera=False)


def said(d, first=0):
    return [VOCABULARY[t] for t in d.text[first:] if t > END]


def users(d):
    return [e for e in d.events if e["type"] == "user"]


DRAWS = 12


def test_what_is_put_right_is_answered_as_it_was_meant_and_a_reply_under_way_is_cut(play):
    kept, cut = 0, 0
    for _ in range(DRAWS):
        d = play("sum:2,3", "corrected")
        first, second = users(d)
        _, _, number = second["corrects"].partition(",")
        assert number != "3" and second["key"] == f"fix:{number}" and second["voice"] == first["voice"]
        replies = [e for e in d.events if e["type"] == "reply"]
        assert replies[-1]["keys"] == [second["corrects"]] and replies[-1]["start"] == OUTPUTS * reply_turn(second["end"])
        quiet = OUTPUTS * min(yield_turn(second["onset"]), reply_turn(second["end"]))
        if second["onset"] >= (reply_turn(first["end"]) + 1) * TURN - AUDIBLE:
            cut += 1
            assert replies[0]["keys"] == ["sum:2,3"] and replies[0]["end"] <= quiet
            assert (d.control[quiet:replies[-1]["start"]] == LISTEN).all()
        else:
            kept += 1
            assert len(replies) == 1
    assert kept and cut


def test_a_story_is_listened_to_aloud_in_its_pauses_at_most_once_in_four_seconds(play):
    aloud = 0
    for _ in range(DRAWS):
        d = play("tale")
        assert [e["key"] for e in users(d)][0] == "tale" and {e["key"] for e in users(d)[1:-1]} == {"line"} and users(d)[-1]["key"] == "fin"
        replies = [e for e in d.events if e["type"] == "reply"]
        assert replies[0]["keys"] == ["okay"] and replies[-1]["keys"] == ["fin"] and {k for e in replies[1:-1] for k in e["keys"]} <= {"aha"}
        starts = [e["start"] for e in replies[:-1]]
        assert all(b - a >= ALOUD_EVERY for a, b in zip(starts, starts[1:]))
        for e in replies[1:-1]:
            aloud += 1
            now = (e["start"] // OUTPUTS + 1) * TURN   # what was heard when it began
            assert any(u["end"] < now for u in users(d)) and not any(u["onset"] < now < u["end"] for u in users(d))
    assert aloud > 3


def test_every_number_is_repeated_at_once_while_the_user_goes_on(play):
    overlapping = 0
    for _ in range(DRAWS):
        d = play("echo")
        digits = [e for e in users(d) if e["key"].startswith("digit")]
        replies = [e for e in d.events if e["type"] == "reply"][1:1 + len(digits)]
        assert len(digits) >= 3 and [e["keys"][0][7:] for e in replies] == [e["key"][6:] for e in digits]
        for u, e in zip(digits, replies):
            assert 0 <= e["start"] - OUTPUTS * reply_turn(u["end"]) <= 20   # positions; the answers of this bank are 0.8 s long
            assert u["voice"] == users(d)[0]["voice"]
            overlapping += any(u["onset"] < sample_of(e["end"]) and u["end"] > sample_of(e["start"]) for u in digits)
        assert users(d)[-1]["key"] == "stop" and said(d)[-1] == "okay"
    assert overlapping > 10


def test_now_comes_every_so_many_seconds_until_stop(play):
    for _ in range(DRAWS):
        d = play("every:3")
        first, *rest = users(d)
        seconds = int(first["key"][6:])
        ticks = [e["start"] for e in d.events if e.get("tick")]
        assert len(ticks) >= 1 and set(np.diff(ticks)) <= {20 * seconds} and all(t % OUTPUTS == 0 for t in ticks)
        okay = next(e for e in d.events if e["type"] == "reply")
        assert ticks[0] == -(-okay["end"] // OUTPUTS) * OUTPUTS + 20 * seconds
        (stop,) = rest
        assert ticks[-1] // OUTPUTS < stop_turn(stop["onset"], stop["end"])
        assert said(d, OUTPUTS * (stop["onset"] // TURN)) == ["okay"]


def test_what_was_timed_is_told_in_whole_seconds(play):
    for _ in range(DRAWS):
        d = play("clock")
        began, asked = users(d)
        reply = [e for e in d.events if e["type"] == "reply"][-1]
        assert abs((asked["onset"] - began["end"]) / RATE - int(reply["keys"][0][8:])) <= 0.27
        assert said(d)[-1] == "seconds"


def test_what_is_foreign_is_handed_over_in_the_second_position_of_the_reply(play):
    d = play("ood")
    at = int(np.flatnonzero(d.control == DELEGATE)[0])
    assert (d.control == DELEGATE).sum() == 1 and d.text[at - 1] == TOKEN["let"] and d.control[at - 1] == SPEAK
    assert at % OUTPUTS == 1 and said(d) == ["let", "me", "look"]


@pytest.mark.parametrize("kind", ["aside", "cough"])
def test_neither_somebody_else_nor_a_cough_ends_a_story(play, kind):
    d, plain = play("story", kind), play("story")
    assert said(d) == said(plain)
    event = next(e for e in d.events if e["type"] == kind)
    assert np.abs(d.user[event["onset"]:event["end"]]).max() > 0
    assert (d.control == SPEAK).sum() == (plain.control == SPEAK).sum()


def test_a_television_is_heard_and_neither_transcribed_nor_asked_about(bank):
    generator = Generator(bank, 0, turns=80, mix=Mix(augment=False, snr_db=None, echo=0, late=False))
    d = generator.dialogue([("greet", "none")], camera=False)
    heard, spoken, before = d.heard.copy(), d.spoken.copy(), d.user.copy()
    generator.user.television(d, 0.1)
    assert (d.heard == heard).all() and (d.spoken == spoken).all()
    assert (np.abs(d.user - before).reshape(-1, TURN).max(1) > 0).mean() > 0.2


def test_no_sentence_of_a_television_is_a_moment_without_weight(bank):
    generator = Generator(bank, 0, turns=80, mix=Mix(augment=False, snr_db=None, echo=0, late=False))
    d = generator.dialogue([("told", "none")], camera=False)
    before = d.weight.copy()
    generator.user.television(d, 0.1)
    assert (d.weight != before).sum() > 10
    assert (before[d.weight != before] == 1).all()   # what told already how much it weighs still does: nobody decides that a text begins


@pytest.mark.parametrize("key, over", [("tale", "fin"), ("echo", "okay"), ("every:3", "okay"), ("wait:2", "time"), ("clock", "elapsed"), ("greet", None)])
def test_what_goes_on_is_labelled_from_its_okay_to_its_end(play, key, over):
    ended = 0
    for _ in range(DRAWS):
        d = play(key)
        replies = [e for e in d.events if e["type"] == "reply"]
        if over is None:
            assert not d.going_on.any()
            continue
        going = np.flatnonzero(d.going_on)
        assert GOING_ON[int(d.going_on[going[0]])] == key and len(set(d.going_on[going])) == 1
        assert going[0] == replies[0]["start"] and len(going) == going[-1] - going[0] + 1
        if replies[-1]["keys"][0].startswith(over) and len(replies) > 1:
            ended += 1
            assert going[-1] == replies[-1]["start"] - 1
        else:
            assert going[-1] == len(d.text) - 1
    assert over is None or ended > DRAWS // 2


def test_uh_huh_may_come_more_than_once_and_what_is_told_goes_on(play):
    counts = set()
    for _ in range(2 * DRAWS):
        d = play("story", "back")
        backs = [e for e in users(d) if e["key"] == "back"]
        assert said(d)[-1] == "night" and all(e.get("during") for e in backs)
        assert all(d.weight[OUTPUTS * yield_turn(e["onset"])] == d.weight[OUTPUTS * reply_turn(e["end"])] == DECISION for e in backs)
        counts.add(len(backs))
    assert {1, 2} <= counts


def test_a_cough_is_short_and_about_as_loud_as_speech():
    x = [cough(np.random.default_rng(seed)) for seed in range(20)]
    assert all(0.1 < len(c) / RATE < 2 and np.isfinite(c).all() for c in x)
    assert 0.02 < np.median([np.sqrt((c ** 2).mean()) for c in x]) < 0.16


def test_what_is_told_is_said_and_may_be_broken_into(play):
    said_whole, cut = 0, 0
    for _ in range(2 * DRAWS):
        d = play("told", None)
        reply = next((e for e in d.events if e["type"] == "reply" and e["keys"][0].startswith("told:")), None)
        if reply is None or reply["end"] == len(d.text):
            continue   # no room for it
        told = np.flatnonzero(d.told)
        assert told[0] == reply["start"] and told[0] % OUTPUTS == 0 and len(told) == told[-1] - told[0] + 1
        assert d.weight[told[0]] == 0 and (d.control[told] == SPEAK).all()
        if reply["cut"] is None:
            said_whole += 1
            assert d.text[told[-1]] == END and d.control[told[-1] + 1] == LISTEN
        else:
            cut += 1
            assert d.control[reply["cut"]] == LISTEN and not d.told[reply["cut"]:].any() and not (d.text[told] == END).any()
    assert said_whole and cut


def test_what_is_told_ends_with_a_listen_however_late_the_user_is_noticed(bank):
    generator = Generator(bank, 3, turns=160, mix=Mix(augment=False, snr_db=None, echo=0, late=True))
    cuts = 0
    for _ in range(150):
        d = generator.dialogue([("told", None)], camera=False)
        for e in d.events:
            if e["type"] == "reply" and e["keys"][0].startswith("told:") and e["cut"] is not None and e["end"] == e["cut"]:
                cuts += 1
                assert d.control[e["cut"]] == LISTEN
    assert cuts > 20
