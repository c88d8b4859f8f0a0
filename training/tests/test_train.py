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
