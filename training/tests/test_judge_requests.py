"""Who understood what was asked: figures of requests whose mistakes can be counted by hand."""
import pytest

from microturn_training.judge_requests import rates, wrong_words


def test_words_that_are_wrong_missing_or_too_many_count_for_each_who_heard():
    requests = [
        {"asked": "is the library open", "heard": "[?] the [?] is", "recognised": "Is the library open?"},
        {"asked": "book a table for 12", "heard": "book a table for twelve two", "recognised": "Book a cable for twelve."},
    ]
    assert rates(requests) == {
        "requests": 2,
        "heard: word error rate": pytest.approx(4 / 9, abs=1e-4), "heard: exact": 0,
        "recognised: word error rate": pytest.approx(1 / 9, abs=1e-4), "recognised: exact": 0.5,
    }


def test_a_word_that_is_not_known_is_a_word():
    assert wrong_words("read my mail", "read my mail [?]") == 1 and wrong_words("read my mail", "read my [?]") == 1


def test_a_figure_is_a_number_or_its_digits():
    assert wrong_words("eight nine seven", "897") == 0
    assert wrong_words("eight hundred ninety seven", "897.") == 0
    assert wrong_words("eight nine six", "8, 9, 7") == 1
