import json

import numpy as np
import pytest

from microturn_training.curves import read, smooth


def test_logs_of_runs_that_went_on_from_one_another_are_one(tmp_path):
    for name, steps in (("a", [20, 40]), ("b", [20])):
        (tmp_path / name).write_text("\n".join(json.dumps({"step": step, "text": 1 / step}) for step in steps))
    columns = read([tmp_path / "a", tmp_path / "b"])
    assert columns["step"].tolist() == [20, 40, 60]
    assert columns["text"].tolist() == [1 / 20, 1 / 40, 1 / 20]
    assert np.isnan(columns["min_load"]).all()


def test_steps_that_a_resumed_run_did_twice_count_once(tmp_path):
    rows = [(200, 1.0), (220, 2.0), (240, 3.0), (220, 4.0), (240, 5.0), (260, 6.0)]
    (tmp_path / "a").write_text("\n".join(json.dumps({"step": step, "text": text}) for step, text in rows))
    columns = read([tmp_path / "a"])
    assert columns["step"].tolist() == [200, 220, 240, 260]
    assert columns["text"].tolist() == [1, 4, 5, 6]


def test_an_empty_log_is_refused(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(ValueError, match="empty"):
        read([tmp_path / "a"])


def test_means_at_the_ends_take_the_values_there_are():
    assert smooth(np.array([2.0, 2, 2, 2]), 3).tolist() == [2, 2, 2, 2]
    assert smooth(np.array([0.0, 3, 6]), 3).tolist() == [1.5, 3, 4.5]


def test_means_leave_out_what_is_not_known():
    gap = np.nan
    assert smooth(np.array([1.0, gap, 3, 5]), 3).tolist() == [1, 2, 4, 4]
    assert np.isnan(smooth(np.array([1.0, gap, gap, gap, 5]), 3)).tolist() == [False, False, True, False, False]
