import itertools
import json
import os
import runpy
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from datasets import Dataset
from omegaconf import OmegaConf

from tests.conftest import FEW_SONGS, ONE_EPOCH, ROOT, RUN, SHORT, SMALL, flat
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.files import alone, unsealed
from toy_duration_predictor.training.callbacks import LogEpochs
from toy_duration_predictor.training.commands import Interrupted
from toy_duration_predictor.training.failure import Occupied
from toy_duration_predictor.training.run_folder import read_metrics
from toy_duration_predictor.training.task import DurationTask
from toy_duration_predictor.training.train import train


class TrainedError(Exception):
    """Raised by a training step that should not have been taken."""


def no_step(*_):
    raise TrainedError


def weights(folder, name):
    return torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)["state_dict"]


def same_weights(one, other):
    assert one.keys() == other.keys()
    return all(torch.equal(one[key], other[key]) for key in one)


def test_the_run_folder(config, tmp_path):
    metrics = train(config(*RUN))
    folder = next((tmp_path / "logs").iterdir())
    assert str(folder) == metrics["run/folder"]
    assert folder.name.startswith("model_b-phase-simulated-seed0-")
    names = {path.name for path in folder.iterdir()}
    assert {"config.yaml", "sources.json", "metrics.json", "predictions.parquet", "checkpoints", "train.log"} <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    assert not any(name.startswith(".") for name in names)
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}

    on_disk = json.loads((folder / "metrics.json").read_text())
    assert {**unsealed(on_disk), "run/folder": str(folder)} == metrics
    promised = (
        "test/mae test/mae_published test/copy_mae test/copy_mae_published test/skill test/rmse test/mae_beats "
        "data/fingerprint data/source data/notes_train seed train/seconds train/epochs train/notes_per_second "
        "git/commit code/digest"
    )
    assert set(promised.split()) <= on_disk.keys()
    # A build may have a local part, such as +cu130, that its metadata does not know.
    assert str(torch.__version__).startswith(on_disk["version/torch"])
    assert OmegaConf.load(folder / "config.yaml").data.pairing == "quantized"
    assert "epoch 3/3" in (folder / "train.log").read_text()


def test_scores_from_notation_programs_are_learned(config, tmp_path, capsys):
    """Singers of triplets and grace notes, a little faster or slower than the score, are far from it in the end."""
    rng = np.random.default_rng(0)
    rows = []
    for row in range(60):
        score = rng.choice([160, 240, 320, 480, 960, 7], size=80, p=[0.2, 0.3, 0.1, 0.25, 0.1, 0.05])
        score[1::4] = 0  # no rest is written after every second note, and one is sung
        sung = (1 + 0.01 * (row % 5 - 2)) * score + 20 * rng.standard_normal(80)
        sung[1::4], sung[::4] = 30 + rng.integers(0, 9, 20), sung[::4] - 34
        rows.append(
            {
                "singer_id": row % 3,
                "ticks_per_beat": 480,
                "tempo": 500_000,
                "pitch": [0 if i % 4 == 1 else 60 for i in range(80)],
                "durations": np.maximum(sung, 1).astype(int),
                "quantized_durations": score,
            }
        )
    path = tmp_path / "scores.parquet"
    Dataset.from_list(rows).to_parquet(str(path))
    sizes = ("model.width=16", "model.layers=2", "training.max_epochs=12", "trainer.threads=1")
    metrics = train(config("experiment=model_b", "data=parquet", f"data.path='{path}'", *sizes))
    assert "are not quantized with their error carried forward" in capsys.readouterr().err
    assert metrics["test/mae_rests"] < 0.3 * metrics["test/copy_mae_rests"]
    assert metrics["test/mae_notes"] < metrics["test/copy_mae_notes"]
    # Nobody can know how fast they will be; but the prediction must not run away.
    assert metrics["test/onset_mae"] < 1.3 * metrics["test/copy_onset_mae"]


def test_metrics_and_predictions_agree(shared_run):
    metrics = read_metrics(shared_run)
    rows = pq.read_table(shared_run / "predictions.parquet").to_pylist()
    table = load_songs("simulated", songs=20)
    for row in rows:
        assert row["sung"] == table[row["row"]]["durations"]
        assert row["quantized"] == table[row["row"]]["quantized_durations"]
        assert row["singer_id"] == table[row["row"]]["singer_id"]
    sung, copied, predicted = (flat([r[c] for r in rows]) for c in ("sung", "quantized", "predicted"))
    assert metrics["test/mae"] == pytest.approx(np.abs(predicted - sung).mean(), rel=1e-5)
    assert metrics["test/copy_mae"] == pytest.approx(np.abs(copied - sung).mean(), rel=1e-5)


def test_the_test_input_is_quantized_for_model_a_too(config, shared_run):
    a, b = train(config(*RUN, "experiment=model_a")), read_metrics(shared_run)
    assert a["test/copy_mae"] == b["test/copy_mae"] > 0
    assert a["data/notes_train"] == b["data/notes_train"]
    assert "val/skill" not in a  # copying is perfect where the input is the target
    # Model A has learned to copy; so on quantized input its error is that of copying, on the same songs as Model B's.
    assert a["val/mae"] == pytest.approx(0, abs=1e-3)
    assert a["val/quantized_mae"] == pytest.approx(b["val/mae"] / (1 - b["val/skill"]), rel=1e-4)
    assert a["val/quantized_onset_mae"] == pytest.approx(b["val/onset_mae"] / (1 - b["val/onset_skill"]), rel=1e-4)
    assert b["val/quantized_mae"] == b["val/mae"]
    assert b["val/quantized_skill"] == b["val/skill"]
    assert b["val/quantized_mae_ms"] == b["val/mae_ms"]
    assert a["val/quantized_mae_ms"] == pytest.approx(b["val/mae_ms"] * a["val/quantized_mae"] / b["val/mae"], rel=0.1)
    assert a["val/quantized_skill"] == pytest.approx(0, abs=1e-3)
    assert a["data/validated"] == b["data/validated"]


def test_same_seed_same_numbers(config, shared_run):
    one, again, other = read_metrics(shared_run), train(config(*RUN)), train(config(*RUN, "seed=1"))
    # A commit that is made meanwhile changes nothing.
    changing = {"train/seconds", "train/notes_per_second", "run/folder", "git/commit"}
    assert {k: v for k, v in one.items() if k not in changing} == {k: v for k, v in again.items() if k not in changing}
    assert one["test/mae"] != other["test/mae"]
    assert shared_run.name == Path(again["run/folder"]).name != Path(other["run/folder"]).name


def test_a_finished_run_is_not_run_twice(config, own_run, monkeypatch, capsys):
    first = {**read_metrics(own_run), "run/folder": str(own_run)}
    monkeypatch.setattr(DurationTask, "training_step", no_step)
    assert train(config(*RUN)) == first
    assert "This run is finished; force=true runs it again." in capsys.readouterr().err
    with pytest.raises(TrainedError):
        train(config(*RUN, "force=true"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("at", [0, 3, 7])
def test_an_interrupted_run_goes_on_to_the_same_weights(config, shared_run, tmp_path, monkeypatch, capsys, number, at):
    """The signal comes in the first epoch, at its beginning or within, or in the second: an epoch has five batches."""
    step = DurationTask.training_step

    def interrupted_step(task, batch, batch_idx):
        if task.global_step == at:
            os.kill(os.getpid(), number)
        return step(task, batch, batch_idx)

    monkeypatch.setattr(DurationTask, "training_step", interrupted_step)
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(Interrupted, match="The same command goes on after the last whole epoch, from ") as error:
        train(config(*RUN))
    assert error.value.signal_number == number
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers
    folder = next((tmp_path / "logs").iterdir())
    assert (folder / "checkpoints" / "last.ckpt").is_file()
    assert not (folder / "metrics.json").exists()

    monkeypatch.setattr(DurationTask, "training_step", step)
    resumed, whole = train(config(*RUN)), read_metrics(shared_run)
    assert f"Going on after epoch {at // 5}," in capsys.readouterr().err
    for name in ("best", "last"):
        assert same_weights(weights(folder, name), weights(shared_run, name))
    assert resumed["test/mae"] == whole["test/mae"]
    assert resumed["train/epochs"] == whole["train/epochs"] == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("epoch", [0, 2])
def test_a_signal_between_epochs_is_heeded(config, shared_run, monkeypatch, number, epoch):
    """Also after the last one, where the training is done and the test is not."""
    log_epoch = LogEpochs.on_train_epoch_end

    def interrupted(callback, trainer, module):
        log_epoch(callback, trainer, module)
        if trainer.current_epoch == epoch:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(LogEpochs, "on_train_epoch_end", interrupted)
    with pytest.raises(Interrupted) as error:
        train(config(*RUN))
    assert error.value.signal_number == number
    monkeypatch.undo()
    assert train(config(*RUN))["test/mae"] == read_metrics(shared_run)["test/mae"]


def test_a_run_interrupted_after_its_training_is_only_tested(config, monkeypatch):
    """By early stopping: the training must not go on for another epoch."""
    settings = (
        *RUN,
        "training.max_epochs=50",
        "training.patience=1",
        "training.schedule=constant",
        "training.learning_rate=0.5",
    )
    monkeypatch.setattr("toy_duration_predictor.training.train._test", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(config(*settings))
    monkeypatch.undo()
    monkeypatch.setattr(DurationTask, "training_step", no_step)
    assert train(config(*settings))["train/epochs"] < 50


def test_a_run_whose_folder_was_moved_goes_on(config, tmp_path, monkeypatch):
    """It still knows that its first epoch was the best one."""
    settings = (*RUN, "training.max_epochs=2", "training.schedule=constant", "training.learning_rate=0.3")
    whole = Path(train(config(*settings, f"logs={tmp_path}/whole"))["run/folder"])
    best = torch.load(whole / "checkpoints" / "best.ckpt", weights_only=True)["epoch"]
    assert best == 0
    step = DurationTask.training_step
    monkeypatch.setattr(
        DurationTask, "training_step", lambda task, *a: step(task, *a) if task.global_step < 7 else 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        train(config(*settings, f"logs={tmp_path}/here"))
    monkeypatch.undo()
    (tmp_path / "here").rename(tmp_path / "there")
    moved = Path(train(config(*settings, f"logs={tmp_path}/there"))["run/folder"])
    for name in ("best", "last"):
        assert same_weights(weights(moved, name), weights(whole, name))
    assert (moved / "predictions.parquet").read_bytes() == (whole / "predictions.parquet").read_bytes()


@pytest.mark.parametrize("times", [itertools.repeat(-1000.0), itertools.count(1e9, -1000.0)])
def test_a_clock_that_is_wrong(config, shared_run, monkeypatch, times):
    """It stands before 1970, or is set back all the time."""
    monkeypatch.setattr("time.time", lambda: next(times))
    metrics = train(config(*RUN))
    assert metrics["test/mae"] == read_metrics(shared_run)["test/mae"]
    assert all(np.isfinite(value) for value in metrics.values() if isinstance(value, float))


def test_a_training_that_took_no_time(config, monkeypatch):
    monkeypatch.setattr("lightning.pytorch.callbacks.timer.time.monotonic", lambda: 5.0)
    metrics = train(config(*SHORT))
    assert metrics["train/seconds"] == 0
    assert "train/notes_per_second" not in metrics


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the system does not say what is mapped")
def test_the_songs_of_a_run_do_not_stay_mapped(config):
    def open_and_mapped():
        return len(list(Path("/proc/self/fd").iterdir())), Path("/proc/self/maps").read_text().count("(deleted)")

    train(config(*SHORT))
    before = open_and_mapped()
    train(config(*SHORT, "seed=1"))
    assert open_and_mapped() == before


def test_resume_never_starts_anew(config, monkeypatch, tmp_path):
    monkeypatch.setattr("toy_duration_predictor.training.train._test", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(config(*SHORT))
    monkeypatch.undo()
    steps = []
    step = DurationTask.training_step
    monkeypatch.setattr(DurationTask, "training_step", lambda *a: steps.append(1) or step(*a))
    train(config(*SHORT))
    assert not steps
    train(config(*SHORT, "resume=never", "force=true"))
    assert steps


def test_spoilt_checkpoints_are_refused(config, monkeypatch, tmp_path):
    monkeypatch.setattr("toy_duration_predictor.training.train._test", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(config(*SHORT))
    for name in ("last", "previous"):
        checkpoint = next(tmp_path.glob(f"logs/*/checkpoints/{name}.ckpt"))
        checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"last\.ckpt cannot be read .*resume=never"):
        train(config(*SHORT))


def test_settings_and_songs_decide_the_folder(config, shared_songs, tmp_path):
    for name in ("one.parquet", "two.parquet"):
        shared_songs.to_parquet(tmp_path / name)
    small = (*SMALL, ONE_EPOCH, "data=parquet")
    one = train(config(*small, f"data.path={tmp_path}/one.parquet"))
    assert train(config(*small, f"data.path={tmp_path}/two.parquet"))["run/folder"] == one["run/folder"]
    assert (
        train(config(*small, f"data.path={tmp_path}/one.parquet", "model.dropout=0.1"))["run/folder"]
        != one["run/folder"]
    )
    shared_songs.select(range(19)).to_parquet(tmp_path / "two.parquet")
    assert train(config(*small, f"data.path={tmp_path}/two.parquet"))["run/folder"] != one["run/folder"]
    # So does what a recipe beside the table says.
    (tmp_path / "one.parquet.json").write_text('{"recipe": {"published": false}, "songs": 20}')
    said = train(config(*small, f"data.path={tmp_path}/one.parquet"))
    assert said["run/folder"] != one["run/folder"]
    assert "durations: sung" in (Path(said["run/folder"]) / "config.yaml").read_text()


def test_predictions_that_diverge_end_the_run(config, monkeypatch, tmp_path):
    forward = DurationTask.forward
    monkeypatch.setattr(DurationTask, "forward", lambda task, batch: forward(task, batch) * float("nan"))
    where = r"the validation after epoch 1, batch 1, with songs of rows \[\d+, \d+\]"
    with pytest.raises(InputError, match=rf"diverged in {where}; try a lower training\.learning_rate"):
        train(config(*SHORT))
    assert "diverged in the validation" in next(tmp_path.glob("logs/*/failed.json")).read_text()
    monkeypatch.undo()
    assert not (Path(train(config(*SHORT, "resume=never"))["run/folder"]) / "failed.json").exists()


def test_a_loss_that_diverges_ends_the_run_until_it_begins_anew(config, monkeypatch, tmp_path):
    loss = DurationTask.loss
    monkeypatch.setattr(DurationTask, "loss", lambda task, *a: loss(task, *a) / (task.global_step != 7))
    with pytest.raises(InputError, match=r"diverged in epoch 2, batch 3, with songs of rows \[") as first:
        train(config(*RUN))
    monkeypatch.setattr(DurationTask, "loss", loss)
    with pytest.raises(InputError) as again:
        train(config(*RUN))
    assert str(again.value) == str(first.value)
    assert train(config(*RUN, "resume=never"))["train/epochs"] == 3
    assert not list(tmp_path.glob("logs/*/failed.json"))


def test_a_run_in_a_thread_has_the_same_numbers(config, shared_run):
    with ThreadPoolExecutor(1) as threads:
        metrics = threads.submit(train, config(*RUN)).result()
    assert metrics["test/mae"] == read_metrics(shared_run)["test/mae"]


@pytest.mark.parametrize("spoil", [lambda last: last.write_bytes(b"cut"), Path.unlink])
def test_the_checkpoint_before_takes_the_place_of_one_that_cannot_be_read(
    config, shared_run, tmp_path, monkeypatch, spoil
):
    """As after a fault of the disk, or a kill between the two moves."""
    monkeypatch.setattr("toy_duration_predictor.training.train._test", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(config(*RUN))
    monkeypatch.undo()
    folder = next((tmp_path / "logs").iterdir())
    spoil(folder / "checkpoints" / "last.ckpt")
    (folder / "checkpoints" / ".last.ckpt.123").touch()  # what a kill leaves
    steps = []
    step = DurationTask.training_step
    monkeypatch.setattr(DurationTask, "training_step", lambda *a: steps.append(1) or step(*a))
    assert train(config(*RUN))["test/mae"] == read_metrics(shared_run)["test/mae"]
    assert len(steps) == 5  # the last epoch
    for name in ("best", "last"):
        assert same_weights(weights(folder, name), weights(shared_run, name))
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}


def test_a_second_run_waits_and_finds_the_first_one_finished(config, own_run, monkeypatch, capsys):
    metrics = own_run / "metrics.json"
    finished = metrics.read_text()
    metrics.unlink()
    monkeypatch.setattr(DurationTask, "training_step", no_step)
    with ThreadPoolExecutor(1) as threads:
        with alone(own_run, lambda: None):
            second = threads.submit(train, config(*RUN))
            while "waiting for its end" not in capsys.readouterr().err:
                assert not second.done()
            metrics.write_text(finished)
        assert second.result()["test/mae"] == read_metrics(own_run)["test/mae"]
    assert not (own_run / ".lock").exists()


def test_a_run_that_is_not_to_wait_does_not(config, own_run):
    (own_run / "metrics.json").unlink()
    before = {path.name for path in own_run.rglob("*")}
    with alone(own_run, lambda: None), pytest.raises(Occupied):
        train(config(*RUN), wait=False)
    # It is no failure of the run's.
    assert {path.name for path in own_run.rglob("*")} == before


def test_a_place_that_cannot_be_written_is_refused(config, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        train(config(*RUN, f"logs={tmp_path}/file"))


def test_hardware_that_is_not_there_is_refused(config, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(InputError, match="trainer=cuda cannot be used on this machine"):
        train(config(*RUN, "trainer=gpu"))
    assert not (tmp_path / "logs").exists()


def test_a_sweep_runs_and_goes_on(monkeypatch, tmp_path, capsys):
    """As a user calls it, from a folder with a space in its name."""
    folder = tmp_path / "my runs"
    folder.mkdir()
    monkeypatch.chdir(folder)
    script = str(ROOT / "scripts" / "train.py")
    monkeypatch.setattr("sys.argv", [script, "sweep=pairings", "seed=0", *SMALL, *FEW_SONGS, ONE_EPOCH])
    runpy.run_path(script, run_name="__main__")
    runs = sorted(path.name.rsplit("-", 2)[0] for path in (folder / "logs").glob("model_*"))
    assert runs == [f"model_{x}-phase-simulated-seed0" for x in "ab"]
    capsys.readouterr()
    monkeypatch.setattr(DurationTask, "training_step", no_step)
    runpy.run_path(script, run_name="__main__")
    assert capsys.readouterr().err.count("This run is finished") == 2
