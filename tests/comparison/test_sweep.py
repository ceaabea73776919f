"""What a sweep ends in: its table, its best settings, its failed trials."""

import json
import runpy

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from tests.conftest import FEW_SONGS, ONE_EPOCH, ROOT, SMALL
from toy_duration_predictor.comparison.report_sweep import find, sections
from toy_duration_predictor.comparison.sweep import Trial


def trial(number, error, metric="val/quantized_mae", songs="one", pairing="quantized", **given):
    """A finished trial; or a failed one if it has no error."""
    given = {name.replace("_", "."): str(value) for name, value in given.items()}
    if error is None:
        return Trial(number, given, "failed", "it diverged.", "", metric, {}, {})
    metrics = {metric: error, "data/validated": songs, "train/seconds": 2.0}
    return Trial(number, given, "finished", "", "f", metric, {"data": {"pairing": pairing}}, metrics)


def best(trials):
    found = find(trials)
    return found.best and found.best.settings


def test_the_best_of_single_trials():
    trials = [trial(0, 3.0, model_width=8), trial(1, 2.0, model_width=16), trial(2, None, model_width=32)]
    assert best(trials) == {"model.width": "16"}
    (table,) = sections(trials, find(trials))
    assert table.heads == ("trial", "width", "val/quantized_mae", "seconds", "state", "")
    assert table.rows[1] == ("1", "16", "2.000", "2", "finished", "best")
    assert table.rows[2] == ("2", "32", "", "", "failed", "")
    assert table.remark == "Trial 2 failed: it diverged."


def test_settings_are_compared_by_their_means_over_seeds():
    """The best single trial is of the worse settings."""
    errors = {("8", 0): 1.0, ("8", 1): 9.0, ("16", 0): 3.0, ("16", 1): 4.0}
    trials = [trial(i, e, model_width=w, seed=s) for i, ((w, s), e) in enumerate(errors.items())]
    assert best(trials) == {"model.width": "16"}
    _, means = sections(trials, find(trials))
    assert means.rows[0] == ("16", "2", "3.500", "0.707", "2", "best")


def test_settings_with_fewer_trials_are_not_the_best():
    trials = [trial(0, 1.0, model_width=8, seed=0), trial(1, None, model_width=8, seed=1)]
    trials += [trial(2 + seed, 3.0, model_width=16, seed=seed) for seed in range(2)]
    assert best(trials) == {"model.width": "16"}


def test_folds_are_repetitions():
    trials = [
        trial(i, 3.0 + i, model_width=w, data_split=f"fold{f}", songs=f"of fold {f}")
        for i, (w, f) in enumerate([(8, 1), (8, 2), (16, 1), (16, 2)])
    ]
    assert best(trials) == {"model.width": "8"}


def test_a_higher_skill_is_better():
    trials = [trial(i, 0.1 * i, metric="val/skill", model_width=i) for i in range(3)]
    assert best(trials) == {"model.width": "2"}


@pytest.mark.parametrize(
    ("trials", "remark"),
    [
        ([trial(0, 1.0, data="a", songs="a"), trial(1, 2.0, data="b", songs="b")], "the validation songs differ"),
        (
            [trial(i, 1.0, metric="val/mae", pairing=p, experiment=p) for i, p in enumerate(("sung", "quantized"))],
            "val/mae is not the same thing where data.pairing differs",
        ),
        ([trial(0, None, seed=0)], "No trial has a val/quantized_mae"),
    ],
)
def test_what_cannot_be_compared_is_not(trials, remark):
    assert remark in find(trials).remark
    assert best(trials) is None


def test_a_failing_trial_does_not_end_the_sweep(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    script = str(ROOT / "scripts" / "train.py")
    swept = ["training.learning_rate=7,0.01", "-m", "seed=3"]  # -m may stand anywhere
    monkeypatch.setattr("sys.argv", [script, *swept, *SMALL, *FEW_SONGS, ONE_EPOCH])
    with pytest.raises(SystemExit) as status:
        runpy.run_path(script, run_name="__main__")
    assert status.value.code == 1
    said = capsys.readouterr()
    assert "Trial 0 failed: configuration: training.learning_rate=7" in said.out
    (report,) = tmp_path.glob("logs/sweeps/*/report.json")
    facts = json.loads(report.read_text())
    assert [trial["state"] for trial in facts["trials"]] == ["failed", "finished"]
    assert facts["trials"][1]["metrics"]["val/quantized_mae"] > 0
    events = EventAccumulator(facts["trials"][1]["folder"]).Reload()
    experiment = events.SummaryMetadata(metadata.EXPERIMENT_TAG).plugin_data.content
    infos = metadata.parse_experiment_plugin_data(experiment).hparam_infos
    # Some of every run, and then what the command names; not the hardware.
    shown = [info.display_name for info in infos]
    assert shown[:4] == ["seed", "model", "epochs", "learning rate"]
    named = {setting.partition("=")[0] for setting in (*SMALL, *FEW_SONGS)}
    assert set(shown[4:]) == named - {"training.max_epochs", "trainer.threads"}
    assert {path.name for path in report.parent.iterdir()} == {
        "multirun.yaml", "report.html", "report.json", "report.md", "trials"
    }  # fmt: skip


def test_an_interruption_ends_the_sweep(monkeypatch, tmp_path, capsys):
    from toy_duration_predictor.training.task import DurationTask

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(DurationTask, "training_step", interrupted)
    script = str(ROOT / "scripts" / "train.py")
    monkeypatch.setattr("sys.argv", [script, "-m", "seed=0,1", *SMALL, *FEW_SONGS, ONE_EPOCH])
    with pytest.raises(SystemExit) as status:
        runpy.run_path(script, run_name="__main__")
    assert status.value.code in (1, 130)
    assert "Traceback" not in capsys.readouterr().err
    (record,) = tmp_path.glob("logs/sweeps/*/trials/*.json")
    assert json.loads(record.read_text())["state"] == "interrupted"


@pytest.mark.slow
def test_trials_side_by_side(script, tmp_path):
    """In processes of their own: none is lost by the failure of another."""
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    several = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "training.learning_rate=0.01,7,0.02"]
    done = script("train.py", "-m", *several, *SMALL, *FEW_SONGS, ONE_EPOCH, cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (report,) = tmp_path.glob("logs/sweeps/*/report.json")
    facts = json.loads(report.read_text())
    assert [trial["state"] for trial in facts["trials"]] == ["finished", "failed", "finished"]
    assert facts["best"]["training.learning_rate"] in ("0.01", "0.02")
