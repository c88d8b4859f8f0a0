"""The mean of checkpoints."""
import pytest
import torch

from microturn_training.mean import mean, part


def checkpoint(value: float, **more) -> dict:
    return {"net": {"a": torch.full((2,), float(value)), "steps": torch.tensor(7)}, "config": {"hidden_size": 8, "vocab_size": 3}, "vocabulary": ["<pad>", "one", "two"],
            "step": int(value), "optimizer": {}, "muon": [], **more}


def test_weights_are_averaged_by_shares_and_everything_else_is_the_last_ones():
    both = mean([(checkpoint(1), 0.25), (checkpoint(5), 0.75)])
    assert both["net"]["a"].tolist() == [4, 4] and both["net"]["steps"] == 7
    assert both["step"] == 5 and "optimizer" not in both and "muon" not in both


def test_some_weights_may_be_those_of_the_last():
    def two(value: float) -> dict:
        return checkpoint(value) | {"net": {"heard.a": torch.full((2,), float(value)), "said.a": torch.full((2,), float(value))}}
    both = mean([(two(1), 0.5), (two(5), 0.5)], ["heard"])["net"]
    assert both["heard.a"].tolist() == [5, 5] and both["said.a"].tolist() == [3, 3]
    with pytest.raises(ValueError, match="'seen' in its name"):
        mean([(two(1), 0.5), (two(5), 0.5)], ["seen"])


def test_what_has_no_mean_is_refused():
    with pytest.raises(ValueError, match="add up to 1, got 0.5, 0.6"):
        mean([(checkpoint(1), 0.5), (checkpoint(2), 0.6)])
    with pytest.raises(ValueError, match="other words"):
        mean([(checkpoint(1), 0.5), (checkpoint(2, vocabulary=["<pad>", "two", "one"]), 0.5)])
    with pytest.raises(ValueError, match="other sizes"):
        mean([(checkpoint(1), 0.5), (checkpoint(2, config={"hidden_size": 9, "vocab_size": 3}), 0.5)])


def test_a_part_is_a_file_and_its_share():
    assert part("a=b.pt=0.4")[1] == 0.4 and str(part("a=b.pt=0.4")[0]) == "a=b.pt"
    with pytest.raises(Exception, match="FILE=SHARE"):
        part("a.pt")
