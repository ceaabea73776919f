"""What passes through to Lightning, what is refused, and several processes that train as one would."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
import torch
from lightning.pytorch.callbacks import LearningRateMonitor

from tests.conftest import LONGEST, ROOT, SHORT
from toy_duration_predictor.data.windows import ShuffledBatches
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.training import train as module
from toy_duration_predictor.training.config import EvaluateConfig, TrainConfig, validated
from toy_duration_predictor.training.run_folder import run_folder
from toy_duration_predictor.training.train import train

CALLBACK = "+callbacks.x._target_=lightning.pytorch.callbacks."
LOGGER = "+loggers.x._target_=lightning.pytorch.loggers."


@pytest.fixture
def trainers(monkeypatch):
    """The trainers that a run makes: the one that tests, and the one that trains."""
    made = []
    for name in ("make_trainer", "make_fit_trainer"):
        make = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, make=make, **k: made.append(make(*a, **k)) or made[-1])
    return made


def test_arguments_callbacks_and_loggers_reach_lightning(config, tmp_path, trainers):
    metrics = train(
        config(
            *SHORT,
            "+trainer.gradient_clip_val=0.5",
            "+trainer.limit_train_batches=2",
            f"{CALLBACK}LearningRateMonitor",
            "+callbacks.x.logging_interval=step",
            f"{LOGGER}CSVLogger",
            f"+loggers.x.save_dir={tmp_path / 'csv'}",
        )
    )
    tester, trainer = trainers
    assert trainer.gradient_clip_val == 0.5
    assert trainer.global_step == 2
    assert tester.limit_test_batches == 1.0
    monitor = next(each for each in trainer.callbacks if isinstance(each, LearningRateMonitor))
    assert monitor.logging_interval == "step"
    assert "val/mae" in next((tmp_path / "csv").rglob("metrics.csv")).read_text()
    assert metrics["test/mae"] > 0


def test_what_can_change_a_number_is_another_run(config):
    def folder(*overrides):
        return run_folder(validated(config(*SHORT, *overrides), TrainConfig), "0")

    same = (
        ["+trainer.log_every_n_steps=1"],
        ["+trainer.enable_model_summary=true"],
        [f"{LOGGER}CSVLogger", "+loggers.x.save_dir=."],
    )
    other = (
        ["+trainer.gradient_clip_val=1"],
        ["+trainer.gradient_clip_val=2"],
        ["+trainer.devices=2"],
        [f"{CALLBACK}LearningRateMonitor"],
    )
    assert {folder(*overrides) for overrides in same} == {folder()}
    assert len({folder(), *(folder(*overrides) for overrides in other)}) == 1 + len(other)


CLASSES = "give a class of toy_duration_predictor, torch, torchmetrics or lightning."


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["+trainer.gradient_clip=1"],
            "There is no setting 'trainer.gradient_clip'; did you mean 'gradient_clip_val'?",
        ),
        (["+trainer.progres=1"], "There is no setting 'trainer.progres'; did you mean 'progress'?"),
        (["+trainer.max_epochs=3"], "trainer.max_epochs cannot be set: training.max_epochs and training.patience say"),
        (["+trainer.callbacks=3"], "trainer.callbacks cannot be set: give each as +callbacks.NAME._target_=CLASS."),
        (["+trainer.logger=true"], "trainer.logger cannot be set: give each as +loggers.NAME._target_=CLASS."),
        (["+trainer.fast_dev_run=true"], "cannot be set: for a short trial use training.max_epochs=1"),
        (["+callbacks.x=1"], "configuration: callbacks.x=1 cannot be used"),
        (["+callbacks.x.patience=3"], "callbacks.x has no class; give it as +callbacks.x._target_=CLASS."),
        ([f"{CALLBACK}LearningRate"], "LearningRate: there is no such class"),
        ([f"{CALLBACK}_partial"], "there is no such class"),
        # What is no class of these packages, however it is spelt.
        (["+callbacks.x._target_=os.system"], f"callbacks.x._target_=os.system cannot be used: {CLASSES}"),
        (["+callbacks.x._target_=torch.os.system"], f"torch.os.system cannot be used: {CLASSES}"),
        (["+callbacks.x._target_=torch.os.PathLike"], f"torch.os.PathLike cannot be used: {CLASSES}"),
        (["+callbacks.x._target_=torch.load"], f"torch.load cannot be used: {CLASSES}"),
        (["+callbacks.x._target_=torch.hub.load"], f"torch.hub.load cannot be used: {CLASSES}"),
        (["+callbacks.x._target_=torchevil.X"], f"torchevil.X cannot be used: {CLASSES}"),
        (["+callbacks.x._target_=torch"], f"_target_=torch cannot be used: {CLASSES}"),
        (["+callbacks.x._target_="], f"_target_= cannot be used: {CLASSES}"),
        (["+callbacks.x._target_=[torch]"], f"cannot be used: {CLASSES}"),
        (["+callbacks.x._target_=toy_duration_predictor.cli.subprocess"], "there is no such class"),
        (["+callbacks.x._target_=toy_duration_predictor.cli.main"], f"cannot be used: {CLASSES}"),
        # A class of these packages, and of no kind that is asked for.
        (
            ["+callbacks.x._target_=torch.nn.Linear"],
            "callbacks.x._target_=torch.nn.Linear cannot be used: it is no Call",
        ),
        ([f"+callbacks.x._target_={LOGGER.partition('=')[2]}CSVLogger"], "it is no Callback."),
        ([f"+loggers.x._target_={CALLBACK.partition('=')[2]}Timer"], "it is no Logger."),
        # The same within arguments, and within lists of them.
        ([f"{CALLBACK}LambdaCallback", "+callbacks.x.on_fit_start._target_=os.system"], f"cannot be used: {CLASSES}"),
        (
            [f"{CALLBACK}Timer", "+callbacks.x.duration={a: [{_target_: torch.os.system, command: ls}]}"],
            f"callbacks.x.duration.a._target_=torch.os.system cannot be used: {CLASSES}",
        ),
        (
            [
                f"{CALLBACK}Timer",
                "+callbacks.x.duration._target_=torch.distributed.elastic.multiprocessing.subprocess_handler.SubprocessHandler",
            ],
            "SubprocessHandler cannot be used: it is no Callback or Logger or Module",
        ),
        ([f"{CALLBACK}Timer", "+callbacks.x.duration._target_=torch.package.PackageImporter"], "it is no Callback or"),
        # What Hydra would do beside making an object.
        ([f"{CALLBACK}Timer", "+callbacks.x._partial_=true"], "callbacks.x._partial_ cannot be used"),
        ([f"{CALLBACK}Timer", "+callbacks.x._recursive_=false"], "callbacks.x._recursive_ cannot be used"),
        ([f"{CALLBACK}Timer", r"+callbacks.x.duration='\${oc.env:HOME}'"], "cannot be used: write the value out."),
    ],
)
def test_anything_else_is_refused(config, overrides, message):
    with pytest.raises(InputError) as error:
        validated(config(*SHORT, *overrides), TrainConfig)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["+trainer.gradient_clip_val=x"], "adds to the trainer cannot be used: `gradient_clip_val` should be an int"),
        ([f"{CALLBACK}LearningRateMonitor", "+callbacks.x.lr=1"], "callbacks.x cannot be made with these arguments: "),
        ([f"{CALLBACK}Timer"], "adds to the trainer cannot be used: Found more than one stateful callback"),
        ([LOGGER.removesuffix("s.") + "s.logger.Logger"], "loggers.x cannot be made with these arguments"),
    ],
)
def test_what_lightning_refuses_leaves_nothing_behind(config, tmp_path, overrides, message):
    with pytest.raises(InputError) as error:
        train(config(*SHORT, *overrides))
    assert message in str(error.value)
    assert not (tmp_path / "logs").exists()


def test_an_evaluation_takes_the_hardware_only(config):
    with pytest.raises(InputError, match=r"there is no setting 'trainer\.gradient_clip_val'"):
        validated(config("run=x", "+trainer.gradient_clip_val=1", name="evaluate"), EvaluateConfig)


@pytest.mark.parametrize(("windows", "processes"), [(12, 1), (12, 2), (13, 2), (13, 3), (1, 4)])
def test_processes_share_out_the_windows(monkeypatch, windows, processes):
    def batches():
        return ShuffledBatches(windows, batch_size=2, seed=0, move=5, tell_style=True, requantize=True)

    alone = {
        draw.window[i]: (draw.move[i], draw.draw[i], draw.behind[i])
        for draw in batches()
        for i in range(len(draw.window))
    }
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: processes)
    shares = []
    for rank in range(processes):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        drawn = list(batches())
        assert len(drawn) == len(batches())
        shares.append([window for draw in drawn for window in draw.window])
        for draw in drawn:
            for window, *changes in zip(*draw, strict=True):
                assert alone[window] == tuple(changes)
    assert {len(share) for share in shares} == {-(-windows // processes)}
    assert set().union(*shares) == set(range(windows))


TWO = (
    "experiment=model_b",
    "data.songs=40",
    "model.width=8",
    "model.layers=1",
    "model.dropout=0",
    "training.window=16",
    "training.batch_size=8",
    "trainer.threads=1",
    "+trainer.devices=2",
)


def last_weights(logs):
    """Returns the last weights of each run, by its seed; all are finished."""
    found = {}
    for run in logs.glob("model_b-*"):
        seed = json.loads((run / "metrics.json").read_text())["seed"]
        found[seed] = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    return found


@pytest.mark.slow
def test_two_processes_train_as_one_does(script, tmp_path):
    """On batches of half the size: the mean of their gradients is that of the whole batch."""
    whole = ("training.batch_size=16", "++trainer.devices=1", "logs=one")
    one = script("train.py", *TWO, "training.max_epochs=2", *whole, cwd=tmp_path)
    two = script("train.py", *TWO, "training.max_epochs=2", "logs=two", cwd=tmp_path)
    assert one.returncode == two.returncode == 0, two.stderr
    assert two.stderr.count("Run folder: ") == two.stderr.count("epoch 2/2") == 1
    [states, of_two] = (last_weights(tmp_path / logs)[0] for logs in ("one", "two"))
    assert not torch.equal(states["network.out.weight"], torch.zeros_like(states["network.out.weight"]))
    torch.testing.assert_close(states, of_two, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_torchrun_and_sweeps_start_two_processes_as_well(script, tmp_path):
    """To the same weights, to the last digit."""
    short = (*TWO, "training.max_epochs=1")
    sweep = script("train.py", "-m", "seed=0,1", *short, "logs=sweep", cwd=tmp_path)
    assert sweep.returncode == 0, sweep.stderr
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", ROOT / "scripts" / "train.py"]
    subprocess.run(
        [*torchrun, *short, "seed=1", "logs=one"], cwd=tmp_path, check=True, capture_output=True, timeout=LONGEST
    )
    swept, one = last_weights(tmp_path / "sweep"), last_weights(tmp_path / "one")
    assert list(one) == [1]
    assert set(swept) == {0, 1}
    torch.testing.assert_close(swept[1], one[1], rtol=0, atol=0)


@pytest.mark.slow
def test_ctrl_c_ends_both_processes(script, tmp_path):
    """In a sentence; and the same command goes on."""
    settings = (*TWO, "training.max_epochs=40", "training.patience=40", "logs=logs")
    said = tmp_path / "said"
    with said.open("w") as file:
        command = [sys.executable, ROOT / "scripts" / "train.py", *settings]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=file, stderr=file, start_new_session=True)
        while "epoch 2/" not in said.read_text():
            assert process.poll() is None, said.read_text()
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(LONGEST) == 130
    ended = time.monotonic()
    with suppress(ProcessLookupError):  # no process is left of the group
        while time.monotonic() < ended + LONGEST:
            os.killpg(process.pid, 0)
            time.sleep(0.1)
        pytest.fail("a process is left")
    lines = said.read_text().splitlines()
    assert lines[-1].startswith("SIGINT in epoch ")
    assert "The same command goes on after the last whole epoch" in lines[-1]
    assert not any("Traceback" in line for line in lines)
    again = script("train.py", *settings, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "Going on after epoch " in again.stderr
    assert list(last_weights(tmp_path / "logs")) == [0]


def test_processes_that_were_not_asked_for_are_refused(script, tmp_path):
    """As `srun --ntasks-per-node=2` would start them."""
    done = script("train.py", *SHORT, cwd=tmp_path, RANK="1", LOCAL_RANK="1")
    assert done.returncode == 1
    assert done.stderr == "Several processes were started for a run that trains in one; start one, or give devices.\n"
    assert not (tmp_path / "logs").exists()
