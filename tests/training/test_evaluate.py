import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from toy_duration_predictor.data.quantize import carried
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.training.evaluate import evaluate
from toy_duration_predictor.training.task import DurationTask


def evaluation(config, run, table, tmp_path, *overrides):
    table.to_parquet(tmp_path / "other.parquet")
    path = f"data.path={tmp_path}/other.parquet"
    return evaluate(config(f"run={run}", "data=parquet", path, *overrides, name="evaluate"))


def test_the_runs_own_test_rows_give_its_own_metrics(config, shared_songs, own_run, tmp_path):
    of_run = json.loads((own_run / "metrics.json").read_text())
    rows = [row["row"] for row in pq.read_table(own_run / "predictions.parquet").to_pylist()]
    metrics = evaluation(config, own_run, shared_songs.select(rows), tmp_path)
    tested = {name for name in of_run if name.startswith("test/")}
    assert {k: metrics[k] for k in tested} == pytest.approx({k: of_run[k] for k in tested}, rel=1e-5)


def test_every_row_is_tested(config, shared_songs, own_run, tmp_path, capsys):
    metrics = evaluation(config, own_run, shared_songs, tmp_path)
    assert capsys.readouterr().out.startswith("model_b, mean absolute errors on other.parquet")
    predictions = pq.read_table(f"{metrics['run/folder']}/predictions.parquet")
    assert predictions["row"].to_pylist() == list(range(20))
    assert metrics["data/songs"] == 20
    assert json.loads(Path(metrics["run/folder"], "metrics.json").read_text())["test/mae"] == metrics["test/mae"]


def test_unknown_singers_are_refused_or_skipped(config, shared_songs, own_run, tmp_path):
    other = shared_songs.map(lambda row, i: {"singer_id": 99 if i in (0, 4) else row["singer_id"]}, with_indices=True)
    with pytest.raises(InputError, match=r"does not know singers \[99\], only \[1, 2, 3, .*unknown=skip"):
        evaluation(config, own_run, other, tmp_path)
    metrics = evaluation(config, own_run, other, tmp_path, "unknown=skip")
    assert (metrics["data/songs"], metrics["data/songs_skipped"]) == (18, 2)
    rows = pq.read_table(f"{metrics['run/folder']}/predictions.parquet")["row"].to_pylist()
    assert rows == [row for row in range(20) if row not in (0, 4)]

    strangers = shared_songs.map(lambda row: {"singer_id": 99})
    with pytest.raises(InputError, match="No song of this table is by a singer that the run knows"):
        evaluation(config, own_run, strangers, tmp_path, "unknown=skip")


def test_a_singer_alone_keeps_the_runs_index(config, shared_songs, own_run, tmp_path):
    """Singer 18 has index 17 in the run, and would have index 0 in a table of their own."""
    everyone = evaluation(config, own_run, shared_songs, tmp_path)
    rows = pq.read_table(f"{everyone['run/folder']}/predictions.parquet").to_pylist()
    alone = evaluation(config, own_run, shared_songs.filter(lambda row: row["singer_id"] == 18), tmp_path)
    of_18 = pq.read_table(f"{alone['run/folder']}/predictions.parquet").to_pylist()
    expected = [row["predicted"] for row in rows if row["singer_id"] == 18]
    for one, other in zip(of_18, expected, strict=True):
        assert one["predicted"] == pytest.approx(other, rel=1e-5)


def test_bad_runs_are_refused(config, shared_songs, tmp_path):
    with pytest.raises(InputError, match=r"has no checkpoints/best\.ckpt; give the folder of a trained run"):
        evaluation(config, tmp_path, shared_songs, tmp_path)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "best.ckpt").write_text("not a checkpoint")
    with pytest.raises(InputError, match="cannot be read as a checkpoint"):
        evaluation(config, tmp_path, shared_songs, tmp_path)


def test_a_checkpoint_runs_no_code(config, shared_songs, own_run, tmp_path):
    """Lightning would call the function that a checkpoint names as its `_instantiator`."""
    best = Path(own_run, "checkpoints", "best.ckpt")
    checkpoint = torch.load(best, weights_only=True)
    checkpoint["hyper_parameters"]["_instantiator"] = "lightning.pytorch.cli.instantiate_module"
    torch.save(checkpoint, best)
    with pytest.raises(InputError, match=r"best\.ckpt names code to run, under '_instantiator'"):
        evaluation(config, own_run, shared_songs, tmp_path)


def test_a_run_of_other_code_says_so(config, shared_songs, own_run, tmp_path, capsys):
    sources = Path(own_run, "sources.json")
    sources.write_text(sources.read_text().replace("models/phase.py", "models/before.py"))
    evaluation(config, own_run, shared_songs, tmp_path)
    said = "The code has changed since this run was trained: models/before.py, models/phase.py."
    assert said in capsys.readouterr().err
    # Weights that other code cannot take are refused with the reason.
    best = Path(own_run, "checkpoints", "best.ckpt")
    torch.save({**torch.load(best, weights_only=True), "state_dict": {}}, best)
    with pytest.raises(InputError, match=r"cannot be read .*the code has changed since: models/before\.py, models/ph"):
        evaluation(config, own_run, shared_songs, tmp_path)


def test_a_finished_evaluation_is_recognised(config, shared_songs, own_run, tmp_path, monkeypatch):
    first = evaluation(config, own_run, shared_songs, tmp_path)
    monkeypatch.setattr(DurationTask, "test_step", lambda *_: 1 / 0)
    assert evaluation(config, own_run, shared_songs, tmp_path) == first
    with pytest.raises(ZeroDivisionError):
        evaluation(config, own_run, shared_songs, tmp_path, "force=true")


def test_an_unfinished_run_is_refused(config, shared_songs, own_run, tmp_path):
    (own_run / "metrics.json").unlink()
    with pytest.raises(InputError, match="is not finished; the command that began it goes on"):
        evaluation(config, own_run, shared_songs, tmp_path)


def test_another_table_is_taken_by_its_own_kind(config, shared_songs, own_run, tmp_path):
    """Of carried values, though the run was trained on sung durations."""
    spoilt = shared_songs.map(
        lambda row: {**row, "durations": carried(np.array(row["durations"]), row["ticks_per_beat"] // 8)}
    )
    found = evaluation(config, own_run, spoilt, tmp_path)
    assert "test/onset_mae" not in found
    assert all(pq.read_table(f"{found['run/folder']}/predictions.parquet")["carried"].to_pylist())
    said = evaluation(config, own_run, spoilt, tmp_path, "data.durations=sung")
    assert said["run/folder"] != found["run/folder"]
    assert "test/onset_mae" in said
    with pytest.raises(InputError, match=r"said to be carried values.* 20 of 20 rows cannot be"):
        evaluation(config, own_run, shared_songs, tmp_path, "data.durations=carried")
