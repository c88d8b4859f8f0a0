"""Going on from a checkpoint that is older than the words, probes and sizes of today."""
import pytest
import torch

from microturn_training import checkpoint, train
from microturn_training.mean import mean
from microturn_training.model import Config, Duplex

SMALL = dict(hidden_size=16, num_layers=2, global_layers=[1], dense_layers=[0], num_heads=2, num_kv_heads=1, head_dim=8, rel_dim=4, dense_width=16, num_experts=2,
             experts_per_token=1, expert_width=8, patch_layers=[[1, 5, 4], [1, 2, 4], [1, 4, 4], [2, 1, 16]])


def training(monkeypatch, words, probes=train.Probes):
    monkeypatch.setattr(checkpoint, "VOCABULARY", words)
    torch.manual_seed(len(words))
    return checkpoint.Training(Duplex(Config(vocab_size=len(words), **SMALL)), probes(16, len(words)), 1e-3, torch.float32)


def a_step(state):
    torch.manual_seed(1)
    for p in [*state.net.parameters(), *state.probes.parameters()]:
        p.grad = torch.randn_like(p)
    state.optimizer.step()
    state.muon.step(1e-3)
    state.step += 1


def of(state, name):
    """A parameter and its moment in AdamW."""
    p = dict(zip(state.names, (p for group in state.optimizer.param_groups for p in group["params"])))[name]
    return p.detach(), state.optimizer.state[p]["exp_avg"]


def test_goes_on_as_if_it_had_not_stopped(monkeypatch, tmp_path):
    words = ["<pad>", "a", "b"]
    one = training(monkeypatch, words)
    a_step(one)
    one.save(tmp_path / "checkpoint.pt")
    two = training(monkeypatch, words)
    two.resume(torch.load(tmp_path / "checkpoint.pt"), tmp_path)
    assert two.step == 1
    for state in (one, two):
        a_step(state)
    assert all(torch.equal(a, b) for a, b in zip([*one.net.parameters(), *one.probes.parameters()], [*two.net.parameters(), *two.probes.parameters()]))


def test_does_not_go_on_from_a_mean(monkeypatch, tmp_path):
    state = training(monkeypatch, ["<pad>", "a", "b"])
    a_step(state)
    state.save(tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match="is a mean.*--initial"):
        state.resume(mean([(torch.load(tmp_path / "checkpoint.pt"), 1.0)]), tmp_path)


def test_words_take_their_rows_and_their_memory_along(monkeypatch, tmp_path):
    class Fewer(torch.nn.Module):   # the probes of an older version
        def __init__(self, size, words):
            super().__init__()
            self.color, self.spoken = torch.nn.Linear(size, 7), torch.nn.Linear(size, words)

    old = training(monkeypatch, ["<pad>", "a", "c"], Fewer)
    a_step(old)
    old.save(tmp_path / "checkpoint.pt")
    for names in (old.names, None):   # checkpoints did not always tell the order of their states
        saved = torch.load(tmp_path / "checkpoint.pt")
        new = training(monkeypatch, ["<pad>", "a", "b", "c"])
        new.resume(saved | {"names": names}, tmp_path)
        for name in sorted(checkpoint.WORDS):
            (w, m), (was, memory) = of(new, name), of(old, name)
            assert torch.equal(w[[0, 1, 3]], was) and torch.equal(m[[0, 1, 3]], memory) and not m[2].any()
        for name in set(old.names) - checkpoint.WORDS:
            assert all(torch.equal(a, b) for a, b in zip(of(new, name), of(old, name)))
        assert not of(new, "probes.phone.weight")[1].any()
        a_step(new)


def test_knows_sizes_that_differ_from_those_of_a_checkpoint(monkeypatch, tmp_path):
    saved = {"experts_per_token": 2, "patch_layers": [(1, 5, 32)]}
    assert checkpoint.different(saved, {"experts_per_token": 2, "patch_layers": [[1, 5, 32]]}) == []
    assert checkpoint.different(saved, {"experts_per_token": 1, "patch_layers": [[1, 5, 32]], "more": 0}) == ["experts_per_token", "more"]
    state = training(monkeypatch, ["<pad>", "a"])
    with pytest.raises(ValueError, match=r"other sizes \(num_layers\)"):
        state.resume({"config": state.net.c.to_dict() | {"num_layers": 4}}, tmp_path)


def test_a_checkpoint_older_than_a_field_has_its_default():
    saved = train.sizes().to_dict()
    del saved["text_slots"]
    assert checkpoint.different(checkpoint.known_sizes(saved), train.sizes().to_dict()) == []
    assert checkpoint.different(checkpoint.known_sizes(saved | {"num_layers": 4}), train.sizes().to_dict()) == ["num_layers"]
    with pytest.raises(ValueError, match="there is no size shoe_size"):
        checkpoint.known_sizes(saved | {"shoe_size": 44})
