"""Training when something goes wrong: it ends, and says why."""
import os
import subprocess
import sys
from queue import Empty
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from microturn_training import train
from microturn_training.dialogue import Generator
from microturn_training.model import Config, Duplex
from microturn_training.sights import glances


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


def test_the_loss_of_glances_falls_to_nothing_when_the_tower_tells_all():
    """A tower that yields the labels themselves, and a probe that reads them."""
    n, probes = 40, train.Probes(256, 8)
    color, shape = torch.randint(len(train.COLORS), (n,)), torch.randint(len(train.SHAPES) + 1, (n,))
    place = torch.randint(-6, 7, (n, 2, 2))
    shapes = len(train.COLORS)   # where those of the shapes begin
    places = slice(shapes + len(train.SHAPES) + 1, shapes + len(train.SHAPES) + 5)
    told = torch.zeros(n, 256)
    told[:, :shapes] = 50 * torch.nn.functional.one_hot(color, shapes)
    told[:, shapes:places.start] = 50 * torch.nn.functional.one_hot(shape, len(train.SHAPES) + 1)
    told[:, places] = place.flatten(1) / train.ROOM[0]
    with torch.no_grad():
        probes.glance.weight.copy_(torch.eye(*probes.glance.weight.shape))
        probes.glance.bias.zero_()
    batch = {"glances": torch.zeros(n, 2, 40, 39, 3, dtype=torch.uint8), "glance_color": color, "glance_shape": shape, "glance_place": place}

    def loss(told):
        net = SimpleNamespace(model=SimpleNamespace(vision_tower=lambda patches: told))
        return train.glance_loss(net, probes, batch)
    value, right = loss(told)
    assert value < 1e-4 and right == 1
    wrong_place = told.clone()
    wrong_place[:, places] += 2
    assert loss(wrong_place)[0] > 1                       # smooth L1 of an error of 2 is 1.5
    elsewhere = wrong_place.clone()
    elsewhere[shape > 0] = told[shape > 0]
    assert loss(elsewhere)[0] < 1e-4                      # where no shape is, none has a place
    assert loss(told.roll(1, 0))[1] < 1


def test_how_far_something_moved_counts_most_where_it_did_and_not_where_nothing_is():
    jumped, shape = torch.tensor([[0, 1, 0, 0]]), torch.tensor([[1, 2, 3, 0]])
    right = torch.tensor([[[0, 0], [7, -7], [0, 0], [0, 0]]])
    batch = {"moved": right, "jumped": jumped, "shape": shape}

    def loss(position):
        said = right / train.ROOM[0]
        if position is not None:
            said[0, position] += 2
        return float(train.moved_loss(said, batch))
    assert loss(None) == loss(3) == 0
    assert loss(1) == pytest.approx(train.JUMPED * loss(0)) and loss(0) > 0


def test_probes_may_learn_before_the_model_does():
    a = SimpleNamespace(rate=1.0, warmup=10, probes_first=0, minutes=60)
    assert train.rates(a, 4, 0) == (0.5, 0.5) and train.rates(a, 30, 0) == (1, 1)
    a.probes_first = 20
    assert train.rates(a, 4, 0) == (0, 1) and train.rates(a, 24, 0) == (0.5, 1)
    assert train.rates(a, 500, 60) == pytest.approx((0.02, 0.02))


def test_a_batch_of_lessons_alone_has_a_loss(bank):
    """Nothing is said in it, so some parts of the loss are of no position at all."""
    generator = Generator(bank, 0, turns=10)
    lessons = [generator.lesson() for _ in range(2)]
    examples = [generator.example(d) for d in lessons]
    batch = {name: torch.from_numpy(np.stack([e[name] for e in examples])) for name in examples[0]}
    batch |= {name: torch.from_numpy(values) for name, values in glances(generator, 4).items()}
    config = Config(vocab_size=len(train.VOCABULARY), hidden_size=32, num_layers=1, global_layers=[0], patch_layers=[(1, 5, 8), (1, 2, 8), (1, 4, 16), (2, 1, 32)])
    net, probes = Duplex(config), train.Probes(32, len(train.VOCABULARY))
    audio, h = net(batch["audio"], batch["camera"], torch.zeros(0, 10, 2, 40, 39, 3, dtype=torch.uint8), **train.fed_back(batch))
    parts = train.losses(net, probes, audio, h, batch, speech_share=0.5)
    assert all(torch.isfinite(parts[name]) for name in ("text", "heard", "control", "speech", "spoken", "phone", "glance"))
    assert parts["text"] == parts["control"] == parts["speech"] == parts["going_on"] == 0
    assert parts["heard"] > 0 and parts["spoken"] > 0
