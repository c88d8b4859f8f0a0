"""Training when something goes wrong: it ends, and says why."""
import os
import subprocess
import sys
from queue import Empty

import pytest

from microturn_training import train


class Dry:
    def get(self, timeout):
        raise Empty


def test_ends_when_the_process_that_mixes_dialogues_has_ended():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with pytest.raises(RuntimeError, match="mixes dialogues has ended"):
        train.next_batch(Dry(), child.pid)


def test_knows_a_process_that_ended_and_was_not_waited_for():
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    child.stdout.read()   # closed at its end
    while train.alive(child.pid):
        pass
    assert train.alive(os.getpid())
    child.wait()


def test_knows_sizes_that_differ_from_those_of_a_checkpoint():
    saved = {"experts_per_token": 2, "patch_layers": [(1, 5, 32)]}
    assert train.different(saved, {"experts_per_token": 2, "patch_layers": [[1, 5, 32]]}) == []
    assert train.different(saved, {"experts_per_token": 1, "patch_layers": [[1, 5, 32]], "more": 0}) == ["experts_per_token", "more"]


def test_a_checkpoint_older_than_a_field_has_its_default():
    saved = train.sizes().to_dict()
    del saved["text_slots"]
    assert train.different(train.known_sizes(saved), train.sizes().to_dict()) == []
    assert train.different(train.known_sizes(saved | {"num_layers": 4}), train.sizes().to_dict()) == ["num_layers"]
    with pytest.raises(ValueError, match="there is no size shoe_size"):
        train.known_sizes(saved | {"shoe_size": 44})
