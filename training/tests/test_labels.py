"""The arithmetic of the timing labels."""
import random
from dataclasses import replace

import numpy as np
import pytest

from microturn_training import domain, user
from microturn_training.dialogue import DECISION, DELEGATE, LISTEN, SPEAK, Dialogue, Generator, Mix
from microturn_training.domain import END, TOKEN, pause_points
from microturn_training.evaluate import errors
from microturn_training.phones import PHONE, borders
from microturn_training.recipe import RECIPE
from microturn_training.synthesis import gap_at
from microturn_training.timeline import OUTPUTS, TURN, heard_turn, reply_turn, stop_turn, yield_turn


def scripted(bank, script, turns=80, seed=0):
    generator = Generator(bank, seed, turns=turns, mix=Mix(augment=False, snr_db=None, echo=0, late=False))
    return generator, generator.dialogue(script, camera=False)


@pytest.mark.parametrize("end", [0, 1, 3199, 3200, 100000])
def test_a_reply_starts_in_the_first_micro_turn_that_has_heard_200_ms_of_silence(end):
    m = reply_turn(end)
    assert (m + 1) * TURN > end + 3200 >= m * TURN


def test_a_word_is_transcribed_150_ms_after_its_end():
    assert heard_turn(799) == 0 and heard_turn(800) == 1


def test_silence_follows_300_ms_after_what_breaks_in_began_or_100_ms_after_a_short_stop_ended():
    assert stop_turn(0, 1599) == 0 and stop_turn(0, 1600) == 1   # a short one is over before it yields
    assert stop_turn(0, 20000) == yield_turn(0)
    assert yield_turn(1599) == 1 and yield_turn(1600) == 2


def test_a_reply_is_one_token_then_sound_one_position_later_then_end(bank):
    _, d = scripted(bank, [("bye", "none")])
    end = next(e for e in d.events if e["type"] == "user")["end"]
    first = OUTPUTS * reply_turn(end)
    assert d.text[first] == TOKEN["goodbye"] and d.text[:first].max() == 0
    sound = np.flatnonzero(d.speech.max(1))
    assert sound[0] == first + 1
    last = int(np.flatnonzero(d.text == END)[0])
    assert last == sound[-1] + 1
    assert (d.control[first:last + 1] == SPEAK).all()
    assert (np.delete(d.control, np.arange(first, last + 1)) == LISTEN).all()


def test_nothing_sounds_and_nothing_is_said_after_a_stop(bank):
    _, d = scripted(bank, [("story", "stop")], turns=100)
    event = next(e for e in d.events if e["type"] == "stop")
    cut = event["cut"]
    assert cut == OUTPUTS * stop_turn(event["onset"], event["end"])
    assert d.control[cut - 1] == SPEAK
    assert (d.control[cut:cut + 2 * OUTPUTS] == LISTEN).all() and d.speech[cut:cut + 2 * OUTPUTS].max() == 0
    assert d.text[cut + 2 * OUTPUTS] == TOKEN["okay"]


def test_a_backchannel_changes_nothing_in_the_story(bank):
    _, plain = scripted(bank, [("story", "none")], turns=100)
    _, d = scripted(bank, [("story", "back")], turns=100)
    assert any(e.get("during") for e in d.events)
    assert [t for t in d.text if t] == [t for t in plain.text if t]


def test_what_is_left_undone_counts_as_much_as_what_is_done(bank):
    _, d = scripted(bank, [("story", "back")], turns=100)
    onset = next(e for e in d.events if e.get("during"))["onset"]
    undone = OUTPUTS * yield_turn(onset)
    assert d.control[undone] == SPEAK and d.weight[undone] == DECISION
    _, d = scripted(bank, [("bye", "none")])
    start = int(np.flatnonzero(d.control == SPEAK)[0])
    assert d.weight[start] == DECISION and (d.weight[:start] == 1).all()


def test_a_pause_inside_a_request_is_a_decision_to_wait(bank):
    generator, _ = scripted(bank, [("bye", "none")])
    x = np.full(19200, 0.1, np.float32)
    generator.user.clip = lambda key: (x, {"text": "what is", "voice": "tone", "held": False}, [4000, 19200], [[4000, 15200]])
    d = Dialogue(20, False)
    generator.user.say(d, "name", 3200, 1.0)
    decided = np.flatnonzero(d.weight > 1)
    first, last = reply_turn(7200), 18400 // TURN
    assert first == 3
    assert list(decided) == [OUTPUTS * t for t in range(first, last)] and last - first == 2


def test_a_late_reply_is_the_same_reply_later_and_the_moment_it_missed_counts(bank):
    starts = set()
    generator = Generator(bank, 0, mix=Mix(augment=False, snr_db=None, echo=0))
    for _ in range(30):
        d = generator.dialogue([("bye", "none")], camera=False)
        due = OUTPUTS * reply_turn(next(e for e in d.events if e["type"] == "user")["end"])
        start = int(np.flatnonzero(d.control == SPEAK)[0])
        assert (d.weight[due:start + 1:OUTPUTS] == DECISION).all() and (start - due) % OUTPUTS == 0
        assert d.text[start] == TOKEN["goodbye"]
        starts.add(start - due)
    assert 0 in starts and OUTPUTS in starts


def test_a_timer_rings_once_and_the_moments_at_which_a_beat_would_come_again_count(bank):
    _, d = scripted(bank, [("wait:2", "none")])
    rings = [e for e in d.events if e["type"] == "reply" and e["keys"] == ["time"]]
    assert len(rings) == 1
    again = np.arange(rings[0]["start"] + 10 * OUTPUTS, len(d.text), 10 * OUTPUTS)
    assert len(again) >= 3 and (d.weight[again] == DECISION).all() and (d.control[again] == LISTEN).all()


def test_numbers_are_counted_every_800_ms(bank):
    _, d = scripted(bank, [("count:4", "none")])
    at = np.flatnonzero(d.text > END)
    assert [int(x) for x in np.diff(at)] == [16, 16, 16]


def test_the_assistant_is_played_one_micro_turn_after_it_is_computed(bank):
    _, d = scripted(bank, [("bye", "none")])
    first = int(np.flatnonzero(d.control == SPEAK)[0])
    start = int(np.flatnonzero(np.abs(d.played) > 0)[0])
    assert (first + 1 + OUTPUTS) * 800 + 400 <= start <= (first + 1 + OUTPUTS) * 800 + 402


def test_control_is_listen_wherever_there_is_no_text_and_no_sound_for_long(bank):
    generator, _ = scripted(bank, [("bye", "none")])
    for _ in range(5):
        d: Dialogue = generator.dialogue()
        assert np.isin(d.control[(d.text > 0) | (d.speech.max(1) > 0)], [SPEAK, DELEGATE]).all()   # work is handed over in mid-reply


def test_pauses_are_never_put_where_the_request_could_be_over():
    assert pause_points("count to five please") == [1, 2]
    assert pause_points("hey mini what is five plus two now") == [3, 4, 5, 6]   # "hey mini" greets, the end is optional
    assert pause_points("um stop talking") == [1]


def test_foreign_speech_has_pauses_as_often_as_the_recipe_says_and_an_answer_in_one_weighs(bank, monkeypatch):
    for share in (0, 1):
        dialogue = replace(RECIPE.dialogue, foreign_hesitates=share, hesitates=0, fillers=0)
        monkeypatch.setattr(user, "RECIPE", replace(RECIPE, dialogue=dialogue))
        generator = Generator(bank, 5)
        for _ in range(10):
            d = generator.dialogue([("ood", "none"), ("count:3", "none")])
            foreign, request = [e for e in d.events if e["type"] == "user"]
            assert len(foreign["pauses"]) == share and not request["pauses"]
            for a, b in foreign["pauses"]:
                assert foreign["onset"] < a < b < foreign["end"]
                if b - a > 2 * TURN:
                    turn = reply_turn(a)
                    assert (d.weight[OUTPUTS * turn] == DECISION).all() and not d.text[OUTPUTS * turn]


def test_no_phrasing_for_training_is_one_for_evaluation():
    rng = random.Random(0)
    for key in domain.keys():
        held = domain.texts(key, True)
        for text in domain.texts(key, False):
            assert not domain.contains(text, held)
            if key not in ("ood", "back"):
                assert not any(domain.contains(domain.varied(text, rng), held) for _ in range(20))


def test_every_sentence_means_one_thing():
    seen = {}
    for key in domain.keys():
        for held in (False, True):
            for text in domain.texts(key, held):
                assert seen.setdefault(text, key) == key
    assert not [t for held in (False, True) for t in domain.texts("ood", held) if domain.is_request(t)]
    rng = random.Random(0)
    for _ in range(200):
        text = domain.jumble(rng).split()
        assert not any(domain.is_request(" ".join(text[i:])) for i in range(len(text)))


def test_every_word_of_a_held_phrasing_occurs_in_training():
    assert not domain.untrained_words()


def test_the_word_being_said_is_asked_250_ms_later(bank):
    _, d = scripted(bank, [("thanks", "none")])
    user = next(e for e in d.events if e["type"] == "user")
    asked = np.flatnonzero(d.spoken)
    assert asked[0] == (user["onset"] + 4000) // 800
    assert [d.spoken[i] for i in asked if i == asked[0] or d.spoken[i] != d.spoken[i - 1]] == [TOKEN[w] for w in user["text"].split()]


def test_the_phone_being_said_is_asked_150_ms_later(bank):
    generator, _ = scripted(bank, [("thanks", "none")])
    generator.user.phones = {"thank": ["th", "ae"]}
    d = generator.dialogue([("thanks", "none")], camera=False)
    user = next(e for e in d.events if e["type"] == "user")
    assert user["text"].startswith("thank ")
    asked = np.flatnonzero(d.phone)
    assert asked[0] == (user["onset"] + 2400) // 800
    said = [d.phone[i] for i in asked if i == asked[0] or d.phone[i] != d.phone[i - 1]]
    assert said == [PHONE["th"], PHONE["ae"], -1]   # the phones of the other words are not known


def test_the_phones_of_a_word_after_a_pause_begin_after_it(bank):
    generator, d = scripted(bank, [])
    generator.user.phones = {"please": ["p"], "add": ["ae", "d"]}
    d.phone[:] = 0
    meta = {"key": "sum:1,2", "text": "please add", "voice": "tone", "held": False, "length": 16000, "words": [4000, 15840], "gap": None}
    generator.user.clip = lambda key, **_: (np.ones(16000, np.float32), meta, [4000, 15840], [[4000, 10000]])
    generator.user.say(d, "sum:1,2", 32000, 1.0)
    said = d.phone[(32000 + 2400) // 800:(32000 + 15840 + 2400) // 800].tolist()
    silent = said[5:12]
    assert said[:5] == [PHONE["p"]] * 5 and not any(silent)
    assert set(said[13:]) == {PHONE["ae"], PHONE["d"]} and said.count(PHONE["ae"]) > said.count(PHONE["d"]) > 0


def test_a_vowel_is_longer():
    assert borders(["th", "ae", "ng", "k"]) == pytest.approx([1 / 4.5, 2.5 / 4.5, 3.5 / 4.5, 1])


def test_a_digit_is_cut_out_of_a_sentence_as_a_clip_of_one_word(bank):
    generator = Generator(bank, 3)
    assert all(generator.user.spoken_digits)
    for digit in range(3, 10):   # "count to three" has words of 167 ms here; those of a sum are too short to be whole
        x, meta = next(c for c in (generator.user.bare_digit(digit) for _ in range(100)) if c)
        assert meta["text"] == domain.DIGITS[digit] and domain.words(meta["text"]) == [meta["text"]]
        assert meta["length"] == len(x) and meta["words"] == [len(x) - 160] and meta["gap"] is None
        assert 2000 <= len(x) <= 16000 and np.abs(x).max() > 0.05


def test_a_gap_is_found_where_it_is_expected_only():
    x = np.concatenate([np.ones(4000), np.zeros(3000), np.ones(4000)]).astype(np.float32) * 0.1
    a, b = gap_at(x, 4100)
    assert abs(a - 4000) < 200 and abs(b - 7000) < 200
    assert gap_at(x, 10000) is None


def test_word_errors_count_edits():
    assert errors("a b c".split(), "a c".split()) == 1
    assert errors([], ["a"]) == 1 and errors(["a", "b"], []) == 2 and errors("a b".split(), "b a".split()) == 2


def test_a_lesson_tells_what_is_heard_and_nothing_of_what_the_assistant_does(bank):
    generator = Generator(bank, 0, turns=60, mix=Mix(augment=False, snr_db=None, echo=0))
    keys = set()
    for _ in range(40):
        d = generator.lesson()
        said = [e for e in d.events if e["type"] == "user"]
        assert len(said) >= 8 and len(said) == len(d.events)
        assert not d.weight.any() and not d.text.any() and not d.speech.any() and set(d.control) == {LISTEN}
        heard = [domain.VOCABULARY[t] for t in d.heard if t]
        expected = [word for e in said for word in domain.words(e["text"])]
        assert heard == expected[:len(heard)] and len(expected) - len(heard) <= len(domain.words(said[-1]["text"]))   # the last may not be over
        keys |= {e["key"].partition(":")[0] for e in said}
    assert keys == {key.partition(":")[0] for key in generator.bank.by_key}


def test_so_many_dialogues_of_a_batch_are_lessons(bank):
    batch = Generator(bank, 1, turns=30).batch(80)
    lessons = (batch["weight"].max(1) == 0).sum()
    assert 8 < lessons < 36
