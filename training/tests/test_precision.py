"""Which precision training takes."""
import pytest
import torch

from microturn_training import precision


@pytest.mark.parametrize("low, full, expected", [(1.0, 2.0, "bfloat16"), (1.7, 1.0, "float32"), (0.95, 1.0, "float32")])
def test_bfloat16_is_taken_only_where_it_is_clearly_faster(low, full, expected):
    assert precision.faster(True, {torch.bfloat16: low, torch.float32: full}.__getitem__) == expected


def test_without_instructions_for_it_bfloat16_is_not_tried():
    assert precision.faster(False, {}.__getitem__) == "float32"


def test_what_is_measured_takes_time_and_leaves_threads_as_they_were():
    threads = torch.get_num_threads()
    assert 0 < precision.seconds(torch.float32, 2) < 60
    assert torch.get_num_threads() == threads
