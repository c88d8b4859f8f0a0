"""What tests share: a bank made of tones instead of voices."""
import json

import numpy as np
import pytest

from microturn_training import domain


@pytest.fixture(scope="session")
def bank(tmp_path_factory):
    """Every request is 0.5 s of tone, every answer 0.8 s, and what is told 3 s."""
    folder = tmp_path_factory.mktemp("bank")
    tone = (3000 * np.sin(np.arange(48000) * 0.3)).astype(np.int16)
    requests = {k: domain.texts(k, False)[0] for k in domain.keys()}
    for name, texts, length in (("bank-train", requests, 8000), ("bank-natural", requests, 8000), ("bank-assistant", domain.answers(), 12800),
                                ("bank-told", {"told:0": "the quick zebra jumps", "told:1": "and so on"}, 48000)):
        np.save(folder / f"{name}.npy", np.tile(tone[:length], len(texts)))
        (folder / f"{name}.json").write_text(json.dumps([
            {"key": k, "text": t, "voice": "tone", "held": False, "length": length, "gap": None,
             "words": [int(length * (i + 1) / len(domain.words(t))) for i in range(len(domain.words(t)))], "starts": [0.1 * i for i in range(len(domain.words(t)))]} for k, t in texts.items()]))
    return folder
