"""Several processes that share out the runs of a study."""

import pytest

from toy_duration_predictor.comparison.study_runs import share_out
from toy_duration_predictor.training.run_folder import Occupied


def test_what_another_process_does_comes_last_and_results_are_in_order():
    done = []

    def do(task, wait):
        if task in "ac" and not wait:
            raise Occupied
        done.append((task, wait))
        return task.upper()

    assert share_out("abcd", do) == ["A", "B", "C", "D"]
    assert done == [("b", False), ("d", False), ("a", True), ("c", True)]


def test_another_error_ends_all():
    with pytest.raises(ZeroDivisionError):
        share_out([0, 1], lambda task, wait: 1 / task)
