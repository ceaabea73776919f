"""What a sweep ends in: its table, its best settings, its failed trials."""

import json
import runpy

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from tests.conftest import FEW_SONGS, ONE_EPOCH, ROOT, SMALL
from toy_duration_predictor.comparison.reports.sweep import find, sections
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
    _, table = sections(trials, find(trials))
    assert table.heads == ("trial", "width", "val/quantized_mae", "seconds", "state", "")
    assert table.rows[1] == ("1", "16", "2.000", "2", "finished", "best")
    assert table.rows[2] == ("2", "32", "", "", "failed", "")
    assert table.remark == "Trial 2 failed: it diverged."


def test_settings_are_compared_by_their_means_over_seeds():
    """The best single trial is of the worse settings."""
    errors = {("8", 0): 1.0, ("8", 1): 9.0, ("16", 0): 3.0, ("16", 1): 4.0}
    trials = [trial(i, e, model_width=w, seed=s) for i, ((w, s), e) in enumerate(errors.items())]
    assert best(trials) == {"model.width": "16"}
    _, _, means = sections(trials, find(trials))
    assert means.rows[0] == ("16", "2", "3.500", "0.707", "2", "best")


def in_ms(trial):
    """The same trial as runs leave it: a tick is 1.5 ms, and copying is off by 20 ticks."""
    error = trial.metrics["val/quantized_mae"]
    more = {"val/quantized_mae_ms": 1.5 * error, "val/quantized_skill": 1 - error / 20}
    return trial._replace(metrics={**trial.metrics, **more})


def said(trials):
    return sections(trials, find(trials))[0].remark


def test_the_report_begins_with_what_was_found_in_ms_and_whether_it_is_sure():
    seeds = range(6)
    trials = [trial(s, 10.0 + s, model_width=8, seed=s) for s in seeds]
    trials += [trial(6 + s, 8.0 + 0.9 * s, model_width=16, seed=s) for s in seeds]
    assert said([in_ms(each) for each in trials]) == (
        "Of 2 settings, the best by val/quantized_mae is model.width=16 (mean of 6 trials): durations of the "
        "validation songs are 15.4 ms from what was sung, on average, 51 % of the copy's error. It is better than the "
        "next best, model.width=8: supported; it is 3.4 ms better (p-value 0.031). The settings were chosen by these "
        "songs; report once what scripts/compare.py says of test songs."
    )
    # Of the same trials by an older version, whose errors are known in ticks alone.
    assert "are 10.2 ticks from what was sung, on average. It is better than" in said(trials)
    assert "it is 2.2 ticks better (p-value 0.031)" in said(trials)
    # A third width makes two comparisons, and the p-value twice as large.
    trials += [trial(12 + s, 20.0 + s, model_width=4, seed=s) for s in seeds]
    assert "model.width=8: not enough to tell; it is 2.2 ticks better (p-value 0.062)." in said(trials)
    five = [each for each in trials if each.given["seed"] != "5"]
    assert "(p-value 0.12). With 5 repetitions nothing can be supported; run at least six." in said(five)


def test_what_else_a_sweep_may_begin_with():
    alone = [trial(0, 3.0, model_width=8), trial(1, 2.0, model_width=16), trial(2, None, model_width=32)]
    assert said(alone).startswith("1 trial of 3 did not finish. Of 2 settings, the best by val/quantized_mae is ")
    assert "not enough to tell; it is 1.0 ticks better (p-value 1). With 1 repetition nothing" in said(alone)
    seeds = [trial(seed, 3.0 + seed, seed=seed) for seed in range(3)]
    assert "The settings were not tried with the same seeds and splits" in said(seeds)
    fewer = [trial(s, 3.0, model_width=8, seed=s) for s in (0, 1)] + [trial(2, 2.0, model_width=16, seed=0)]
    assert "No other settings have as many finished trials." in said(fewer)
    skills = [trial(i, 0.25 * i, metric="val/skill", model_width=i) for i in range(3)]
    assert "the best by val/skill is model.width=2: val/skill is 0.5. It is better than the next best, " in said(skills)
    assert "it is 0.25 better (" in said(skills)
    assert said([trial(0, 2.5)]).startswith("All trials have the same settings: durations of the validation songs are")


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
    assert remark in said(trials)
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
    assert "In short\n1 trial of 2 did not finish. All trials have the same settings: durations" in said.out
    assert "What the words mean" not in said.out  # it is on the page
    (report,) = tmp_path.glob("logs/sweeps/*/report.json")
    facts = json.loads(report.read_text())
    assert [trial["state"] for trial in facts["trials"]] == ["failed", "finished"]
    metrics = facts["trials"][1]["metrics"]
    assert f"are {metrics['val/quantized_mae_ms']:.1f} ms from what was sung" in " ".join(said.out.split())
    share = 100 * (1 - metrics["val/quantized_skill"])
    assert f"on average, {share:.0f} % of the copy's error." in " ".join(said.out.split())
    assert "<h2>What the words mean</h2>" in report.with_suffix(".html").read_text()
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


def test_a_sweep_over_nothing_says_so(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    script = str(ROOT / "scripts" / "train.py")
    monkeypatch.setattr("sys.argv", [script, "-m", "seed=range(0)"])
    with pytest.raises(SystemExit) as status:
        runpy.run_path(script, run_name="__main__")
    assert status.value.code == 1
    assert "This sweep has no trial; give each setting a value or more" in capsys.readouterr().err


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
