"""Requests in any words: what they are made of, and what they must not be."""
import random
import re
from pathlib import Path

from microturn_training import domain, foreign, typed, wishes
from microturn_training.acoustic_data import ALPHABET, spelled
from microturn_training.bank import BANK_FILES

JUDGED = Path(__file__).parents[2] / "benchmarks" / "src" / "behaviour" / "wishes.ts"


def some(count: int) -> list[str]:
    rng = random.Random(2)
    return [wishes.wish(rng) for _ in range(count)]


def test_a_wish_is_said_in_letters_and_is_never_a_request_or_ends_with_one():
    for text in some(600):
        assert set(text) <= set(ALPHABET) - set("_,.?") and "  " not in text
        assert not any(domain.is_request(text[at:]) for at in [0, *(found.end() for found in re.finditer(" ", text))])
        assert len(text.split()) <= 12


def test_every_pattern_is_filled():
    for pattern in wishes.PATTERNS:
        assert set(re.findall(r"[A-Z#]", pattern)) <= set("WNAVDPLTUHYG#"), pattern
        assert re.fullmatch(r"[a-z' ]+", wishes.filled(pattern, random.Random(1))), pattern


def test_most_words_are_none_of_the_vocabulary():
    words = {word for text in some(600) for word in text.split()}
    assert len(words) > 1000 and len(words & domain.TOKEN.keys()) < len(words) / 3


def test_a_sentence_kept_for_evaluation_is_none_with_words_around_it_either(monkeypatch):
    monkeypatch.setattr(wishes, "PATTERNS", [domain.OUT_OF_DOMAIN_HELD[1], "what are W"])
    monkeypatch.setattr(wishes, "OPENERS", ["please"])
    assert all("what are" in text for text in some(40))


def test_no_wish_by_which_handing_over_is_judged_is_ever_heard():
    lines = re.findall(r'^  "(.*)",$', JUDGED.read_text(), re.MULTILINE)
    assert len(lines) == 60
    judged = [" ".join(re.findall(r"[a-z']+", re.sub(r"\d+", lambda n: f" {spelled(int(n[0]))} ", text.lower().replace(",", "")))) for text in lines]
    planned = {text for plan in (wishes.plan(random.Random(9)), typed.plan(random.Random(8))) for _, text, *_ in plan}
    rng = random.Random(5)
    planned |= {foreign.sentence(rng) for _ in range(3000)} | set(domain.texts("ood", False))
    assert len(planned) > 8000
    assert not [(text, one) for text in planned for one in judged if domain.contains(text, [one]) or (len(text.split()) > 3 and domain.contains(one, [text]))]


def test_wishes_are_foreign_speech_of_training():
    assert wishes.BANK in BANK_FILES["bank-train"]
    assert {key for key, *_ in wishes.plan(random.Random(9))} == {"ood"}
