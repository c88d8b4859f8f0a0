"""The acoustic model and what it learns from."""
import json
import random
import re

import numpy as np
import pytest
import torch
from safetensors.torch import safe_open

from microturn_training import acoustic, judge_told, told
from microturn_training import acoustic_data as data

LISTS = {"10": ["river", "again", "don't"], "20": ["cellar"], "35": ["windshield"], "names": ["marion"]}


@pytest.fixture()
def words(monkeypatch):
    """Word lists that are here, wherever the tests run."""
    monkeypatch.setattr(data, "word_lists", lambda: LISTS)
    data.usual.cache_clear()
    yield
    data.usual.cache_clear()


def owners(letters, phones):
    return [letters[i] for i in data.align(letters, phones.split())]


def test_each_phone_belongs_to_the_letter_that_is_heard_in_it():
    assert owners("_through the night._", "th r uw dh ax n ay t pau") == ["t", "r", "o", "t", "e", "n", "i", "t", "."]
    assert owners("_box_", "pau b aa k s pau") == ["_", "b", "o", "x", "x", "_"]
    assert owners("_knife_", "n ay f") == ["n", "i", "f"]


def test_letters_and_phones_keep_their_order():
    r = random.Random(1)
    phones = sorted({p for sounds in data.SOUNDS.values() for p in sounds})
    for _ in range(50):
        letters = "_" + "".join(r.choice("abcdefgh ijklmnop qrstuvwxyz',.?") for _ in range(r.randrange(6, 30))) + "_"
        got = data.align(letters, r.choices(phones, k=r.randrange(1, 30)))
        assert got == sorted(got) and max(got) < len(letters)


@pytest.mark.parametrize("n, text", [(0, "zero"), (13, "thirteen"), (19, "nineteen"), (40, "forty"), (99, "ninety nine"), (100, "one hundred"),
                                     (512, "five hundred twelve"), (8849, "eight thousand eight hundred forty nine"),
                                     (3 * 10**9 + 19, "three billion nineteen")])
def test_numbers_are_spelled(n, text):
    assert data.spelled(n) == text


def test_sentences_are_in_letters_of_the_alphabet_and_have_no_word_that_is_kept(words):
    r = random.Random(2)
    for _ in range(300):
        text = data.sentence(r, LISTS)
        assert set(text) <= set(data.ALPHABET[1:]) and not any(data.held(w) for w in re.findall("[a-z']+", text))
    assert data.held("again") is False   # it is among the most usual
    # nor any that the spoken form of a text is made of
    numbers = [data.spelled(n) for n in (*range(100), 1000, 10**6, 10**9, 10**12)]
    made = [w for text in (*numbers, *map(data.ordinal, numbers), *data.DAYS, *data.MONTHS, *data.SYMBOLS, *"abcdefghijklmnopqrstuvwxyz") for w in text.split()]
    assert not [w for w in made if data.held(w)]
    assert data.ordinal("twenty one") == "twenty first" and data.ordinal("thirty") == "thirtieth" and data.ordinal("nineteen") == "nineteenth"
    assert any(data.held(w) for w in ("blanket", "mayor", "tailor", "stairs", "gentle"))


def test_what_is_judged_can_be_said():
    assert len(told.SENTENCES) == len(set(told.SENTENCES)) >= 100
    assert all(set(t) <= set(data.ALPHABET[1:]) for t in told.SENTENCES)


def test_examples_are_read_as_they_were_written(tmp_path):
    r = np.random.default_rng(3)
    examples = [{"text": t, "letters": r.integers(0, 30, n).astype(np.uint8), "lengths": r.integers(0, 9, n).astype(np.uint8),
                 "levels": r.integers(0, 16, (m, 80)).astype(np.uint8)} for t, n, m in (("a", 3, 5), ("b", 9, 1), ("c", 4, 7))]
    data.write(tmp_path / "x.npz", examples)
    for a, b in zip(examples, data.read(tmp_path / "x.npz"), strict=True):
        assert a["text"] == b["text"] and all((a[k] == b[k]).all() for k in ("letters", "lengths", "levels"))


def small() -> acoustic.AcousticModel:
    torch.manual_seed(0)
    return acoustic.AcousticModel(acoustic.Shape(width=16, kernel=5, encoder_blocks=2, decoder_blocks=2))


def test_rounding_loses_no_time():
    lengths = torch.tensor([[0.4, 0.4, 0.4, 0.4, 3.3], [50.0, 0, 0, 0, 1.0]])
    assert acoustic.whole(lengths).tolist() == [[0, 1, 0, 1, 3], [40, 0, 0, 0, 1]]


def test_what_fills_up_a_batch_changes_nothing():
    net = small()
    long, short = torch.randint(0, 30, (1, 12)), torch.randint(0, 30, (1, 7))
    both = torch.cat([long, torch.nn.functional.pad(short, (0, 5), value=-1)])
    lengths = torch.tensor([[2] * 12, [3] * 7 + [0] * 5])
    states, guessed = net.encode(both)
    alone, guessed_alone = net.encode(short)
    assert torch.allclose(states[1, :7], alone[0], atol=1e-5) and torch.allclose(guessed[1, :7], guessed_alone[0], atol=1e-5)
    logits, mask = net.decode(states, lengths)
    assert mask.sum(1).tolist() == [24, 21]
    assert torch.allclose(logits[1, :21], net.decode(alone, lengths[1:, :7])[0][0], atol=1e-4)


def test_it_learns():
    net, r = small(), np.random.default_rng(4)
    examples = [{"letters": (letters := r.integers(1, 30, 9)), "lengths": np.full(9, 2), "levels": np.repeat(letters % 16, 2)[:, None].repeat(80, 1)} for _ in range(8)]
    optimizer = torch.optim.AdamW(net.parameters(), 1e-2)
    first = None
    for step in range(60):
        (batch,) = acoustic.batches(examples, 8, np.random.default_rng(step))
        level, length = acoustic.losses(net, *batch)
        first = first or (level.item(), length.item())
        optimizer.zero_grad()
        (level + length).backward()
        optimizer.step()
    assert level.item() < 0.5 * first[0] and length.item() < 0.5 * first[1]


def test_the_fixture_of_the_twin_is_what_this_makes():
    with safe_open("../fixtures/acoustic-parity.safetensors", "pt") as f:
        meta, weights = f.metadata(), {k: f.get_tensor(k) for k in f.keys()}
    config = json.loads(meta["shape"])
    net = acoustic.AcousticModel(acoustic.Shape(config["width"], config["kernel"], config["expand"], config["encoderBlocks"], config["decoderBlocks"]))
    net.load_state_dict({k: weights[f"microturn.acoustic.{k}"].float() for k in net.state_dict()})
    assert config["alphabet"] == data.ALPHABET
    assert (net.speak(meta["text"]) == weights["levels"].numpy()).all()


def test_characters_that_are_wrong():
    assert judge_told.letters_of("It's 22, o'clock!") == "it's twenty two o clock"
    assert judge_told.letters_of("8,849 of 1.08 at 9%, the 22nd") == "eight thousand eight hundred forty nine of one point zero eight at nine percent the twenty second"
    assert judge_told.errors("kitten", "sitting") == 3 and judge_told.errors("", "ab") == 2
