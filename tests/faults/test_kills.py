"""Runs that are ended by `kill -9`, and given again."""

import random
import time

import pytest

from tests.conftest import SHORT
from tests.faults.processes import check, finish, start

pytestmark = pytest.mark.faults

KILLS, KILLS_WHILE_WRITING = 30, 20

# A checkpoint of 34 MB, in a training of seconds.
BIG = (
    "experiment=model_b",
    "model=bigru",
    "model.hidden_size=680",
    "model.num_layers=1",
    "training.loss=mae",
    "training.window=32",
    "training.batch_size=64",
    "training.max_epochs=2",
    "trainer.threads=1",
    "data.songs=12",
)
# The first one, and two an epoch.
CHECKPOINTS = 1 + 2 * 2


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The folder of a run that nothing happens to, and its seconds."""
    finish(tmp_path_factory.mktemp("first") / "logs", *SHORT)  # from here on, everything is imported
    logs = tmp_path_factory.mktemp("undisturbed") / "logs"
    began = time.monotonic()
    finish(logs, *BIG)
    seconds = time.monotonic() - began
    (folder,) = (path for path in logs.iterdir() if path.is_dir())
    assert (folder / "checkpoints" / "last.ckpt").stat().st_size > 30e6
    return folder, seconds


def beside(logs):
    """Returns the checkpoints that are not in their places."""
    return list(logs.glob("*/checkpoints/.*.ckpt.*"))


def test_a_run_that_was_killed_goes_on(undisturbed, tmp_path):
    folder, seconds = undisturbed
    chance = random.Random(0)
    kills = 0
    while kills < KILLS:
        logs = tmp_path / "logs"
        process = start(logs, *BIG)
        time.sleep(chance.uniform(0, seconds))
        process.kill()
        process.join()
        kills += process.exitcode < 0  # otherwise it was at its end
        finish(logs, *BIG)
        check(logs, folder)


def test_a_run_that_was_killed_while_it_wrote_a_checkpoint_goes_on(undisturbed, tmp_path):
    chance = random.Random(0)
    kills = 0
    while kills < KILLS_WHILE_WRITING:
        logs = tmp_path / "logs"
        process = start(logs, *BIG)
        number, begun, writing = chance.randint(1, CHECKPOINTS), 0, False
        while process.is_alive() and begun < number:
            before, writing = writing, bool(beside(logs))
            begun += writing and not before
            time.sleep(0.0005)
        time.sleep(chance.uniform(0, 0.02))
        process.kill()
        process.join()
        kills += bool(beside(logs))  # otherwise it was too late
        finish(logs, *BIG)
        check(logs, undisturbed[0])
