"""What passes through to Lightning, what is refused, and several processes that train as one would."""

import pytest
import torch
from lightning.pytorch.callbacks import LearningRateMonitor

from tests.conftest import SHORT
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


@pytest.mark.slow
def test_two_processes_train_as_one_does(script, tmp_path):
    """On batches of half the size: the mean of their gradients is that of the whole batch."""
    settings = [
        "experiment=model_b",
        "data.songs=40",
        "model.width=8",
        "model.layers=1",
        "model.dropout=0",
        "training.max_epochs=2",
        "training.window=16",
        "trainer.threads=1",
    ]
    one = script("train.py", *settings, "training.batch_size=16", "logs=one", cwd=tmp_path)
    two = script("train.py", *settings, "training.batch_size=8", "logs=two", "+trainer.devices=2", cwd=tmp_path)
    assert one.returncode == two.returncode == 0, two.stderr
    assert two.stderr.count("Run folder: ") == two.stderr.count("epoch 2/2") == 1
    states = []
    for logs in ("one", "two"):
        (last,) = (tmp_path / logs).glob("*/checkpoints/last.ckpt")
        states.append(torch.load(last, weights_only=True)["state_dict"])
        assert (last.parents[1] / "metrics.json").is_file()
    assert not torch.equal(states[0]["network.out.weight"], torch.zeros_like(states[0]["network.out.weight"]))
    torch.testing.assert_close(states[0], states[1], rtol=1e-3, atol=1e-4)
