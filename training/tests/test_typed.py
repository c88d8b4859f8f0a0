"""What is typed, as the model hears it: which requests are said, and where their words end."""
import json
import random
import shutil

import numpy as np
import pytest
import torch

from microturn_training import acoustic, acoustic_data, domain, synthesis, typed, vocoder
from microturn_training.bank import bank_files
from microturn_training.dialogue import Generator
from microturn_training.sound import RATE


def test_every_request_is_typed_in_phrasings_of_training():
    jobs = typed.plan(random.Random(8))
    assert {key for key, *_ in jobs} == set(domain.keys())
    held = [text for key in domain.keys() if key.partition(":")[0] not in domain.PARTS_OF_REQUESTS for text in domain.texts(key, True)]
    assert not [text for _, text, *_ in jobs if domain.contains(text, held)]
    assert {voice.label for _, _, voice, *_ in jobs} == {"typed:mini"}


def test_words_end_where_their_letters_do():
    text = "wait, two."
    #             _  w  a  i  t  ,  ' ' t  w  o  .  _
    lengths = np.array([4, 1, 2, 3, 4, 9, 2, 5, 6, 7, 8, 4])
    assert typed.word_ends(text, lengths) == pytest.approx([14 / 40, 43 / 40])


LONG = 4   # frames of each letter


@pytest.fixture()
def voice(monkeypatch):
    """A voice that nobody trained, whose letters are all as long, so that no weights are needed."""
    torch.manual_seed(0)
    letters, sound = acoustic.AcousticModel(acoustic.Shape(width=8, encoder_blocks=1, decoder_blocks=1)).eval(), vocoder.VocoderNetwork(width=24).eval()
    with torch.no_grad():
        letters.length.weight.zero_()
        letters.length.bias.fill_(LONG)
        letters.leave.weight.normal_(0, 1)
    monkeypatch.setattr(typed, "voice_of", lambda folder: (letters, sound))
    return letters


def test_a_clip_knows_its_words(voice, tmp_path):
    jobs = [("name", "what is your name", typed.VOICE, False, 0), ("digit:3", "three", typed.VOICE, False, 0)]
    (x, meta), (_, other) = typed.spoken(tmp_path, jobs)
    assert meta["text"] == "what is your name" and other["text"] == "three"   # as a person writes it, without what ends it
    assert len(x) == meta["length"] and x.dtype == np.int16
    frame = RATE // acoustic_data.FRAMES_PER_SECOND
    assert np.diff(meta["words"])[:2] == pytest.approx([LONG * len(" is") * frame, LONG * len(" your") * frame], abs=frame)
    assert abs(meta["words"][0] - LONG * len("_what") * frame) < 2 * frame   # what was trimmed is no longer than what is padded


def test_a_clip_of_which_nothing_is_heard_is_left_out(voice, tmp_path, monkeypatch):
    monkeypatch.setattr(vocoder, "render", lambda *_, **__: np.zeros(8000, np.float32))
    assert typed.spoken(tmp_path, [("digit:3", "three", typed.VOICE, False, 0)]) == [None]


def test_what_is_typed_is_never_said_to_somebody_else(bank, tmp_path):
    folder = shutil.copytree(bank, tmp_path / "typed")
    clips = json.loads((folder / "bank-train.json").read_text())
    synthesis.save(folder, "bank-typed", [(np.ones(800, np.int16), {**next(m for m in clips if m["key"] == key), "voice": "typed:mini", "length": 800}) for key in ("ood", "line") for _ in range(200)])
    user = Generator(folder, 1).user
    assert all(user._heard_in_the_room(key)["voice"] != "typed:mini" for key in ("ood", "line") for _ in range(50))
    assert any(user.meta("ood")["voice"] == "typed:mini" for _ in range(50))


def test_the_bank_is_heard_in_training(tmp_path):
    synthesis.save(tmp_path, "bank-typed", [(np.zeros(800, np.int16), {"key": "name"})])
    assert bank_files(tmp_path, "bank-train") == ["bank-train", "bank-typed"]
