import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from datasets import Dataset
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.conftest import SMALL, flat
from toy_duration_predictor.data.datamodule import SongsDataModule
from toy_duration_predictor.data.split import split_rows
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.experiment.ablation import ablations, derangement, published_metric
from toy_duration_predictor.experiment.commands import ending_in_a_sentence
from toy_duration_predictor.experiment.compare import compare
from toy_duration_predictor.experiment.evidence import song_errors
from toy_duration_predictor.experiment.run_folder import load_run
from toy_duration_predictor.experiment.train import train
from toy_duration_predictor.task import DurationTask

EACH = ["training.max_epochs=1" if setting.startswith("training.max") else setting for setting in SMALL]
# Without the sizes of the default network.
QUICK = [setting for setting in EACH if not setting.startswith("model.")]
SETTINGS = (
    "seeds=2",
    "data.songs=40",
    "resamples=100",
    "trainer.threads=1",
    f"each=[{','.join(repr(s) for s in EACH[:-1])}]",
)


@pytest.fixture
def run_compare(config, tmp_path):
    def run(*overrides):
        settings = config(f"logs={tmp_path / 'logs'}", *SETTINGS, *overrides, name="compare")
        return compare(settings, lambda each: config(*each))

    return run


def test_a_comparison_end_to_end(run_compare, tmp_path, monkeypatch):
    out = run_compare()
    found = json.loads((out / "report.json").read_text())
    assert set(found["verdicts"]) == {"Q1", "Q2", "Q3"}
    assert {arm: len(runs) for arm, runs in found["runs"].items()} == dict.fromkeys(
        ("model_a", "model_b", "model_b_anonymous"), 2
    )
    # The report's numbers are those of the predictions, by numpy.
    for arm, runs in found["runs"].items():
        tables = [pq.read_table(Path(folder, "predictions.parquet")) for folder in runs]
        errors = [np.abs(flat(t["predicted"].to_pylist()) - flat(t["original"].to_pylist())).mean() for t in tables]
        assert found["mae"][arm]["estimate"] == pytest.approx(np.mean(errors))
    copied = np.abs(flat(tables[0]["quantized"].to_pylist()) - flat(tables[0]["original"].to_pylist())).mean()
    assert found["mae"]["copy"]["estimate"] == pytest.approx(copied)
    for part in found["parts"]:
        rival = found["mae"].get(part["rival"], {}).get("estimate")
        if rival is not None:
            assert part["difference"]["estimate"] == pytest.approx(rival - found["mae"]["model_b"]["estimate"])
    page, text = (out / "report.html").read_text(), (out / "report.md").read_text()
    assert page.count("<svg") == 6
    for title in ("What the published metric changes", "Notes, rests and phrases", "Who sings?", "Calibration"):
        assert f"<h2>{title}</h2>" in page
    # So does what is beyond the mean error.
    first = {arm: json.loads(Path(runs[0], "metrics.json").read_text()) for arm, runs in found["runs"].items()}
    for arm, metrics in first.items():
        ways = {(way["padding"], way["clamp"]): way["model"] for way in found["published_metric"][arm]}
        assert ways[True, True] == pytest.approx(metrics["test/mae_published"], rel=1e-5)
    for groups in (found["error_by_length"], found["error_by_place"]):
        errors = sum(group["notes"] * group["predicted"] for group in groups) / sum(group["notes"] for group in groups)
        assert errors == pytest.approx(first["model_b"]["test/mae"], rel=1e-5)
    assert found["recognition"]["accuracy"].keys() == found["mae"].keys() | {"the singers"}
    assert found["ceiling"]["test songs"]["copying"]["estimate"] > 0
    # What is drawn is as lively as singing; medians are not.
    spread = {name: found["timing"][name]["spread"] for name in ("model_b", "model_b, drawn")}
    assert spread["model_b"] < spread["model_b, drawn"]
    assert set(found["calibration"]["coverage"]) == {"0.5", "0.8", "0.9", "0.95"}

    events = EventAccumulator(str(out)).Reload()
    for name, interval in found["mae"].items():
        assert [each.value for each in events.Scalars(f"mae/{name}")] == [pytest.approx(interval["estimate"])]
    assert len(events.Tags()["images"]) == 6
    shown = events.Tensors("report/text_summary")[0].tensor_proto.string_val[0].decode()
    assert shown == text
    assert "so nothing can be supported here; run at least six" in " ".join(text.split())

    # Finished runs are recognised, and may be reported on alone.
    monkeypatch.setattr(DurationTask, "training_step", lambda *_: 1 / 0)
    run_compare()
    assert len(list(out.glob("events.*"))) == 1
    alone = run_compare(f"runs='{tmp_path}/logs/model_*'", f"out={tmp_path / 'again'}")
    assert json.loads((alone / "report.json").read_text()) == found
    with pytest.raises(InputError, match="no finished run fits"):
        run_compare("runs=nowhere/*")
    folder = Path(found["runs"]["model_a"][0])
    folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(InputError, match="model_a and model_b have not been run with the same seeds and splits"):
        run_compare(f"runs='{tmp_path}/logs/model_*'")


@pytest.mark.parametrize(("vary", "seeds", "splits"), [("split", {0}, {42, 43}), ("both", {0, 1}, {42, 43})])
def test_the_split_may_vary(run_compare, vary, seeds, splits):
    out = run_compare(f"vary={vary}", "arms=[model_b]")
    runs = [Path(folder) for folder in json.loads((out / "report.json").read_text())["runs"]["model_b"]]
    configs = [run.joinpath("config.yaml").read_text() for run in runs]
    assert {seed for seed in (0, 1) if any(f"\nseed: {seed}\n" in text for text in configs)} == seeds
    assert {split for split in (42, 43) if any(f"split_seed: {split}" in text for text in configs)} == splits


def test_folds_test_every_song_once_a_seed(run_compare):
    out = run_compare("vary=fold", "arms=[model_b]", "seeds=1")
    found = json.loads((out / "report.json").read_text())
    tables = [pq.read_table(Path(folder, "predictions.parquet")) for folder in found["runs"]["model_b"]]
    assert len(tables) == 5
    assert sorted(row for table in tables for row in table["row"].to_pylist()) == list(range(40))
    for name, column in (("model_b", "predicted"), ("copy", "quantized")):
        errors = np.concatenate([np.abs(flat(t[column].to_pylist()) - flat(t["original"].to_pylist())) for t in tables])
        assert found["mae"][name]["estimate"] == pytest.approx(errors.mean())


def test_any_experiment_may_be_an_arm_and_is_tested_on_the_same_songs(run_compare):
    """The published arm would split by row, and model_b splits by song."""
    each = f"each=[{','.join(map(repr, QUICK))}]"
    out = run_compare("arms=[model_b,published_b]", "seeds=1", "data.songs=20", each)
    found = json.loads((out / "report.json").read_text())
    assert set(found["runs"]) == {"model_b", "published_b"}
    assert found["mae"]["published_b"]["estimate"] > 0
    rows = [set(pq.read_table(Path(run, "predictions.parquet"))["row"].to_pylist()) for [run] in found["runs"].values()]
    assert rows[0] == rows[1]


def test_arms_are_checked_before_any_is_trained(run_compare, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(DurationTask, "training_step", lambda *_: 1 / 0)
    with pytest.raises(InputError, match="model_b is not among arms="):
        run_compare("arms=[model_a]", "seeds=1")
    with pytest.raises(SystemExit), ending_in_a_sentence():
        run_compare("arms=[model_b,model_c]")
    assert capsys.readouterr().err == "experiment=model_c: there is no such choice; did you mean 'model_b'?\n"
    with pytest.raises(InputError, match=r"training.max_epochs=0 cannot be used"):
        run_compare("each=['training.max_epochs=0']")
    assert not (tmp_path / "logs").exists()


def test_runs_that_do_not_belong_together_are_refused(run_compare, config, tmp_path):
    def trained(arm, *settings):
        where = (f"logs={tmp_path / 'logs'}", "data.songs=20")
        return train(config(f"experiment={arm}", *EACH, *where, *settings))

    trained("model_a")
    with pytest.raises(InputError, match="No run of model_b is among these"):
        run_compare(f"runs='{tmp_path}/logs/*'")
    trained("model_b", "data.split=published")
    with pytest.raises(InputError, match=r"were not tested on the same songs; give both the same data\.split"):
        run_compare(f"runs='{tmp_path}/logs/*'")


@pytest.fixture
def trained(config, songs, tmp_path):
    songs.to_parquet(tmp_path / "songs.parquet")
    metrics = train(config(*SMALL, "data=parquet", f"data.path={tmp_path}/songs.parquet"))
    task = DurationTask.load_from_checkpoint(f"{metrics['run/folder']}/checkpoints/best.ckpt", weights_only=True)
    return task, songs, metrics["run/folder"]


def test_ablations_of_nothing_change_nothing(trained):
    task, songs, folder = trained
    data = SongsDataModule(songs, window=32)
    own = song_errors(pq.read_table(f"{folder}/predictions.parquet"))
    found = ablations(task, songs, data.split.test, seed=0)
    for errors in found.values():
        assert errors.row.tolist() == own.row.tolist()
        assert errors.notes.tolist() == own.notes.tolist()
    # A context as wide as the window's is nearly the whole of it; a single note is not.
    wide, none = (np.abs(found[f"context {n}"].error - own.error).sum() for n in (16, 0))
    assert wide < none
    with torch.no_grad():
        task.network.singer_embedding.weight[:] = 0.5
    blind = ablations(task, songs, data.split.test, seed=0)
    for name in ("singer shuffled", "another singer", "mean singer"):
        assert blind[name].error == pytest.approx(blind["singer shuffled"].error)
        assert found[name].error.tolist() != own.error.tolist()


def test_context_against_a_window_of_its_own(trained):
    """One note by hand: the window of three notes round it."""
    task, songs, _ = trained
    row = 3
    song = songs[row]
    found = ablations(task, songs, np.array([row]), seed=0)["context 1"]
    total = 0.0
    for i, sung in enumerate(song["durations"]):
        low, high = max(i - 1, 0), min(i + 2, len(song["durations"]))
        window = torch.tensor([song["quantized_durations"][low:high]], dtype=torch.float32)
        singer = torch.tensor([task.singers.index(song["singer_id"])])
        with torch.no_grad():
            mask, step = torch.ones_like(window, dtype=torch.bool), torch.tensor([15.0])
            predicted = task.network(window, singer, mask, step)[0, i - low]
        total += abs(predicted.item() - sung)
    assert found.error[0] == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize("settings", [SMALL, (*QUICK, "model=bigru_published", "model.hidden_size=8")])
def test_the_published_metric_against_those_of_the_run(config, songs, tmp_path, settings):
    columns = songs.to_dict()
    columns["durations"][0][0] = 5000  # or there would be nothing to clamp
    columns["quantized_durations"][0][0] = 4500
    table = Dataset.from_dict({name: columns[name] for name in columns if name != "song_id"})
    table.to_parquet(tmp_path / "songs.parquet")
    seed = next(seed for seed in range(99) if 0 in split_rows(table, "published", seed).test)
    data = ("data=parquet", f"data.path={tmp_path}/songs.parquet", f"data.split_seed={seed}")
    metrics = train(config(*settings, *data))
    task = load_run(metrics["run/folder"])
    found = published_metric(task, table, split_rows(table, "published", seed).test)
    ways = {(padding, clamp): (mae, copy_mae) for padding, clamp, mae, copy_mae in found}
    for way, suffix in ((False, False), ""), ((True, True), "_published"):
        assert ways[way] == pytest.approx((metrics[f"test/mae{suffix}"], metrics[f"test/copy_mae{suffix}"]), rel=1e-5)
    # The other two by numpy.
    rows = pq.read_table(f"{metrics['run/folder']}/predictions.parquet").to_pydict()
    quantized, sung, predicted = (flat(rows[name]) for name in ("quantized", "original", "predicted"))
    lower, clamped = quantized.clip(max=1000), sung.clip(max=1000)
    expected = (np.abs(predicted - clamped).mean(), np.abs(lower - clamped).mean())
    assert ways[False, True] == pytest.approx(expected, rel=1e-5)
    windows = sum(-(-len(song) // 32) for song in rows["original"])
    assert ways[True, False][1] == pytest.approx(np.abs(quantized - sung).sum() / (32 * windows), rel=1e-5)
    assert len({mae for mae, _ in ways.values()}) == 4


@pytest.mark.parametrize("n", [1, 2, 3, 10, 50])
def test_a_derangement_moves_everything(n):
    order = derangement(n, seed=n)
    assert sorted(order) == list(range(n))
    assert n == 1 or (order != np.arange(n)).all()
