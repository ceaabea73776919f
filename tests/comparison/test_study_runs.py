"""Several processes that share out the runs of a study."""

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.conftest import ONE_EPOCH, SMALL
from toy_duration_predictor.comparison.study_runs import share_out
from toy_duration_predictor.training.failure import Occupied


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


# Without its epochs and threads.
EACH = f"each=[{','.join(map(repr, (*SMALL[:-2], ONE_EPOCH)))}]"
FEW = ("seeds=2", "data.songs=24", "resamples=100", "trainer.threads=1", EACH)
WAYS = ("ways=[forwarded,rounded]", *FEW)


def trained(logs):
    """Returns how many runs there are; each was trained once."""
    said = [path.read_text() for path in logs.glob("*/train.log")]
    assert all(log.count("epoch 1/1") == 1 for log in said)
    return len(said)


@pytest.mark.slow
def test_the_same_command_several_times_at_once(script, tmp_path):
    with ThreadPoolExecutor(2) as threads:
        commands = [
            threads.submit(
                partial(script, "quantizers.py", *WAYS, f"out={out}", f"logs={tmp_path / 'logs'}", cwd=tmp_path)
            )
            for out in ("one", "two")
        ]
    for command in commands:
        assert command.result().returncode == 0, command.result().stderr
    assert trained(tmp_path / "logs") == 4
    # Tables are at other places, and the same; speeds differ.
    one, two = (json.loads((tmp_path / out / "report.json").read_text()) for out in ("one", "two"))
    assert one["judged"] == two["judged"]
    assert one["figures"] == two["figures"]


@pytest.mark.slow
def test_workers_of_a_launcher(script, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    several = ("-m", "worker=0,1", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    done = script("quantizers.py", *several, *WAYS, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Report: ") == 2
    assert trained(tmp_path / "logs") == 4
    assert {path.name for path in tmp_path.iterdir()} == {"logs"}
