import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import Dataset
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.conftest import ONE_EPOCH, SMALL, as_it_was, composed, flat
from toy_duration_predictor.comparison import ablation, baselines, gather, questions
from toy_duration_predictor.comparison import compare as comparing
from toy_duration_predictor.comparison.baselines import BASELINES
from toy_duration_predictor.comparison.compare import _plan, compare
from toy_duration_predictor.comparison.config import CompareConfig
from toy_duration_predictor.comparison.intervals import Interval
from toy_duration_predictor.comparison.learning_curves import learning_curve
from toy_duration_predictor.comparison.reports.terms import terms
from toy_duration_predictor.comparison.sensitivity import Sensitivity, plant
from toy_duration_predictor.data.quantize import carried
from toy_duration_predictor.data.simulate import simulate_songs
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.sections import Section
from toy_duration_predictor.training.commands import ending_in_a_sentence
from toy_duration_predictor.training.config import validated
from toy_duration_predictor.training.task import DurationTask
from toy_duration_predictor.training.timing_errors import MEASURES
from toy_duration_predictor.training.train import train

EACH = [ONE_EPOCH if setting.startswith("training.max") else setting for setting in SMALL]
# Without the sizes of the default network.
QUICK = [setting for setting in EACH if not setting.startswith("model.")]
SETTINGS = (
    "seeds=2",
    "data.songs=40",
    "resamples=100",
    "trainer.threads=1",
    f"each=[{','.join(repr(s) for s in EACH[:-1])}]",
)


def compared(logs, *overrides):
    """Runs a small comparison; returns the report's folder."""
    settings = composed(f"logs={logs}", *SETTINGS, *overrides, name="compare")
    return compare(settings, lambda each: composed(*each))


def report(out):
    return json.loads((out / "report.json").read_text())


@pytest.fixture
def run_compare(tmp_path):
    return lambda *overrides: compared(tmp_path / "logs", *overrides)


@pytest.fixture
def no_baselines(monkeypatch):
    """Only those that every report names: fitting trees takes seconds."""
    monkeypatch.setattr(gather, "BASELINES", {name: BASELINES[name] for name in ("copy", "value")})
    monkeypatch.setattr(baselines, "BASELINES", gather.BASELINES)
    monkeypatch.setattr(baselines, "LOOKUPS", ("value",))
    monkeypatch.setattr(baselines, "TREES", ("value",))
    monkeypatch.setattr(ablation, "CONTEXTS", ())


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """Run folders that the tests of this file share: whoever asks for the same run finds it finished."""
    return tmp_path_factory.mktemp("compared") / "logs"


@pytest.fixture(scope="module")
def out(logs):
    """The report of three arms in two repetitions."""
    with as_it_was():
        return compared(logs)


@pytest.fixture(scope="module")
def found(out):
    return report(out)


@pytest.fixture(scope="module")
def first(found):
    """The metrics of each arm's first run."""
    runs = found["provenance"]["runs"]
    return {arm: json.loads(Path(folders[0], "metrics.json").read_text()) for arm, folders in runs.items()}


def test_the_numbers_of_a_report_are_those_of_the_predictions(found):
    """By numpy."""
    runs = found["provenance"]["runs"]
    assert {arm: len(folders) for arm, folders in runs.items()} == dict.fromkeys(
        ("model_a", "model_b", "model_b_anonymous"), 2
    )
    assert list(found["errors"]) == ["onset", "ioi", "duration", "notes", "rests"]
    assert list(found["questions"]) == list(found["ablations"]) == list(MEASURES)
    for arm, folders in runs.items():
        tables = [pq.read_table(Path(folder, "predictions.parquet")) for folder in folders]
        errors = [np.abs(flat(t["predicted"].to_pylist()) - flat(t["sung"].to_pylist())).mean() for t in tables]
        assert found["errors"]["duration"][arm]["units"]["ticks"] == pytest.approx(np.mean(errors))
        metrics = [json.loads(Path(folder, "metrics.json").read_text()) for folder in folders]
        for measure, name in (("onset", "onset_mae"), ("ioi", "ioi_mae"), ("duration", "mae"), ("rests", "mae_rests")):
            of, copied = found["errors"][measure][arm], found["errors"][measure]["copy"]
            of_runs = [each[f"test/{name}_beats"] for each in metrics]
            assert of["repetitions"] == pytest.approx(of_runs, rel=1e-5)
            assert of["mae"]["estimate"] == pytest.approx(np.mean(of_runs), rel=1e-5)
            assert of["units"]["ms"] == pytest.approx(np.mean([each[f"test/{name}_ms"] for each in metrics]), rel=1e-5)
            assert copied["mae"]["estimate"] == pytest.approx(metrics[0][f"test/copy_{name}_beats"], rel=1e-5)
            assert of["share_of_copy"] == pytest.approx(of["mae"]["estimate"] / copied["mae"]["estimate"])
    for measure in MEASURES:
        maes = {name: errors["mae"]["estimate"] for name, errors in found["errors"][measure].items()}
        copied, ablations = maes["copy"], found["ablations"][measure]
        maes |= {name: errors["mae"] for name, errors in ablations.items()}
        answers = found["questions"][measure]
        assert set(answers["answers"]) == {"Q1", "Q2", "Q3"}
        assert answers["no_difference"] == pytest.approx(0.01 * copied)
        for part in answers["parts"]:
            assert part["difference"]["estimate"] == pytest.approx(maes[part["rival"]] - maes["model_b"])
        for errors in ablations.values():
            assert errors["difference"]["estimate"] == pytest.approx(errors["mae"] - maes["model_b"])
            assert errors["share_of_copy"] == pytest.approx(errors["mae"] / copied)


def test_the_views_of_a_report_add_up_to_its_errors(found):
    for measure in MEASURES:
        errors, best = found["errors"][measure], found["best"][measure]
        names = {best["lookup"], best["trees"], "model_b"}
        resolutions = found["by_resolution"][measure]
        assert sum(of["songs"] for of in resolutions) == found["provenance"]["test_songs"]
        assert all(set(of["shares"]) == names for of in resolutions)
        shares = found["gaps"]["shares"][measure]
        assert {name: of["with_short_rests"] for name, of in shares.items()} == pytest.approx(
            {name: errors[name]["share_of_copy"] for name in names}
        )
    assert found["gaps"]["songs"] == found["provenance"]["test_songs"]


def test_what_is_beyond_the_mean_error_adds_up_to_it(found, first):
    for arm, metrics in first.items():
        ways = {(way["padding"], way["clamp"]): way["model"] for way in found["published_metric"][arm]}
        assert ways[True, True] == pytest.approx(metrics["test/mae_published"], rel=1e-5)
    for name in ("error_by_length", "error_by_phrase_position", "error_by_singer"):
        groups = found["timing"][name]
        errors = sum(group["notes"] * group["model"] for group in groups) / sum(group["notes"] for group in groups)
        assert errors == pytest.approx(first["model_b"]["test/mae"], rel=1e-5)
    assert found["recognition"]["accuracy"].keys() == found["errors"]["duration"].keys() | {"the singers"}
    assert found["between_singers"]["test_songs"]["copy"]["estimate"] > 0
    # Samples are as lively as singing; medians are not.
    spread = {name: found["timing"]["figures"][name]["spread"] for name in ("model_b", "model_b, sampled")}
    assert spread["model_b"] < spread["model_b, sampled"]
    assert set(found["calibration"]["coverage"]) == {"0.5", "0.8", "0.9", "0.95"}


def test_a_report_has_all_its_parts(out, found):
    page, text = (out / "report.html").read_text(), (out / "report.md").read_text()
    assert page.count("<svg") == 8
    titles = re.findall("<h2>(.*?)</h2>", page)
    assert titles[:3] == ["In short", "The timing", "The answers"]
    assert titles[-1] == "What the words mean"
    # All but the first, before which the list stands.
    assert re.findall(r'<a href="#s\d+">(.*?)</a>', page) == titles[1:]
    assert {"By resolution", "Without rests under 0.3 s", "What the published metric changes", "Calibration"} <= {
        *titles
    }
    first = [line.split(" | ")[0] for line in text.split("\n## ")[2].splitlines() if line.startswith("| ")]
    assert first[2:] == [
        "| onsets",
        "| inter-onset intervals",
        "| durations",
        "| durations of notes",
        "| durations of rests",
    ]
    assert "Friberg and Sundberg, 1995" in text
    assert "so nothing can be supported here; run at least six" in " ".join(text.split())
    events = EventAccumulator(str(out)).Reload()
    for measure, of_measure in found["errors"].items():
        for name, errors in of_measure.items():
            scalars = [each.value for each in events.Scalars(f"{measure}/{name}")]
            assert scalars == [pytest.approx(errors["mae"]["estimate"])]
    assert len(events.Tags()["images"]) == 8
    shown = events.Tensors("report/text_summary")[0].tensor_proto.string_val[0].decode()
    assert shown == text


def test_a_report_begins_with_what_was_found_in_ms(out, found):
    text = (out / "report.md").read_text()
    short = text.split("\n## ")[1]
    assert short.startswith("In short\n\n")
    assert "\n" not in short.removeprefix("In short\n\n").strip()  # one paragraph
    onset = found["errors"]["onset"]
    assert f"{onset['copy']['units']['ms']:.1f} ms from where they were sung" in short
    assert f"{onset['model_b']['units']['ms']:.1f} ms off" in short
    ratio = onset["copy"]["units"]["ms"] / onset["copy"]["mae"]["estimate"]
    answers = text.split("\n## The answers")[1]
    for part in found["questions"]["onset"]["parts"]:
        difference = ratio * part["difference"]["estimate"]
        shown = f"{abs(difference):.{1 if abs(difference) >= 1 else 2}f} ms"
        assert f"{shown} {'closer' if difference >= 0 else 'further off'}" in short
        assert f"{'+' if difference >= 0 else '-'}{shown}" in answers
    for answer in found["questions"]["onset"]["answers"].values():
        assert f": {answer['verdict']}; Model B is" in short
        assert f"| {answer['verdict']}: " in answers
    assert "With 2 repetitions nothing can be supported; run at least six." in short


def test_every_name_in_a_report_is_explained_in_it(out, found):
    """Arms, baselines, ablations, verdicts, and the terms of statistics among the headings and remarks."""
    text = (out / "report.md").read_text()
    body, _, words = text.partition("\n## What the words mean")
    names = {name for of_measure in found["errors"].values() for name in of_measure}
    names |= {re.sub(r"\d+$", "n", name) for of_measure in found["ablations"].values() for name in of_measure}
    names |= set(questions.VERDICTS)
    terms = re.findall(r"^\| (.*?) \|", words, re.MULTILINE)
    assert names <= {name.strip() for term in terms for name in term.split(",")}
    jargon = ("CRPS", "Wasserstein", "Kolmogorov-Smirnov", "nats", "Holm", "sign-flip", "BCa", "power",
              "autocorrelation", "fingerprint", "padding", "clamped", "repetition", "split", "epoch", "deviation",
              "phrase", "balanced", "style", "lookup", "inter-onset interval", "quantized", "tick", "sung")  # fmt: skip
    for word in jargon:
        assert word.lower() in body.lower(), word  # so that the list stays one of words that are used
        assert word.lower() in words.lower(), word


def test_words_that_a_report_does_not_use_are_not_explained():
    page = [Section("Onsets", remark="With context 12. No mistones, and no two-sample test.")]
    assert [name for name, _ in terms(page).rows] == ["onset", "context n"]


def test_rendering_needs_no_library_that_computes():
    """Nor torch, unless it writes events."""
    code = "import sys, toy_duration_predictor.comparison.reports.comparison; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "scipy", "sklearn", "pandas", "lightning"} & set(loaded)


def test_learning_curves_are_those_of_the_log(found):
    """To the digits that the log has; Model A has none, as the copy baseline is perfect where it validates."""
    for arm, folders in found["provenance"]["runs"].items():
        for folder, curve in zip(folders, found["learning_curves"][arm], strict=True):
            text = Path(folder, "train.log").read_text()
            logged = re.findall(r"epoch (\d+)/.*val/skill (-?[\d.]+)", text)
            points = zip(curve["epochs"], curve["skill"], strict=True)
            assert [(str(epoch), f"{skill:.4f}") for epoch, skill in points] == logged
            assert bool(logged) == (arm != "model_a")


def test_the_learning_curve_of_a_run_that_went_on(config, monkeypatch):
    """It has several event files, which are one curve."""
    settings = config("experiment=model_b", *SMALL, "data.songs=20")
    step, calls = DurationTask.training_step, []

    def interrupted(task, *arguments):
        if task.current_epoch == 2:
            calls.append(task)
            raise KeyError("as a power failure would")
        return step(task, *arguments)

    monkeypatch.setattr(DurationTask, "training_step", interrupted)
    with pytest.raises(KeyError):
        train(settings)
    monkeypatch.setattr(DurationTask, "training_step", step)
    folder = Path(train(settings)["run/folder"])
    assert calls
    assert len(list(folder.glob("events.*"))) > 2
    curve = learning_curve(folder)
    logged = re.findall(r"epoch (\d+)/.*val/skill (-?[\d.]+)", (folder / "train.log").read_text())
    assert [(str(e), f"{s:.4f}") for e, s in zip(*curve, strict=True)] == logged
    assert curve.epochs == [1, 2, 3]


@pytest.mark.slow
def test_finished_runs_are_recognised(out, logs, monkeypatch):
    monkeypatch.setattr(DurationTask, "training_step", lambda *_: 1 / 0)
    assert compared(logs) == out
    assert len(list(out.glob("events.*"))) == 1


def test_finished_runs_may_be_reported_on_alone(found, logs, monkeypatch, tmp_path):
    monkeypatch.setattr(DurationTask, "training_step", lambda *_: 1 / 0)
    alone = compared(logs, f"runs='{logs}/model_*'", f"out={tmp_path / 'again'}")
    assert report(alone) == found
    with pytest.raises(InputError, match="no finished run fits"):
        compared(logs, "runs=nowhere/*")
    folders = found["provenance"]["runs"]
    for arm in ("model_a", "model_b"):
        for folder in map(Path, folders[arm]):
            (tmp_path / folder.name).symlink_to(folder)
    (tmp_path / Path(folders["model_a"][0]).name).unlink()
    with pytest.raises(InputError, match="model_a and model_b have not been run with the same seeds and splits"):
        compared(logs, f"runs='{tmp_path}/model_*'")


@pytest.mark.parametrize(
    ("vary", "repetitions"),
    [
        ("seed", {(0, "auto", 42), (1, "auto", 42)}),
        ("split", {(0, "auto", 42), (0, "auto", 43)}),
        ("both", {(0, "auto", 42), (1, "auto", 43)}),
        ("fold", {(seed, f"fold{number}", 42) for seed in (0, 1) for number in range(1, 6)}),
    ],
)
def test_seed_and_split_may_vary(vary, repetitions):
    settings = validated(composed("seeds=2", f"vary={vary}", "arms=[model_b,model_a]", name="compare"), CompareConfig)
    plan = _plan(settings, lambda each: composed(*each))
    assert len(plan) == 2 * len(repetitions)
    for arm in settings.arms:
        runs = [run for run in plan if run.name == arm]
        assert {(run.seed, run.data.split, run.data.split_seed) for run in runs} == repetitions


@pytest.mark.slow
def test_folds_test_every_song_once_a_seed(run_compare, no_baselines):
    out = run_compare("vary=fold", "arms=[model_b]", "seeds=1", "data.songs=20")
    found = report(out)
    tables = [pq.read_table(Path(folder, "predictions.parquet")) for folder in found["provenance"]["runs"]["model_b"]]
    assert len(tables) == 5
    assert sorted(row for table in tables for row in table["row"].to_pylist()) == list(range(20))
    for name, column in (("model_b", "predicted"), ("copy", "quantized")):
        errors = np.concatenate([np.abs(flat(t[column].to_pylist()) - flat(t["sung"].to_pylist())) for t in tables])
        assert found["errors"]["duration"][name]["units"]["ticks"] == pytest.approx(errors.mean())


def test_an_effect_is_planted_where_no_difference_is_at_stake(run_compare, no_baselines, monkeypatch):
    """As if every difference were small. A level of 0.5 is all that two repetitions can reach."""
    monkeypatch.setattr(questions, "LEVEL", 0.5)
    for module in (gather, questions):
        monkeypatch.setattr(module, "within", lambda *_: True)
    asked = []

    def planted(table, predictions, measure, unit, worth, train, resamples):
        asked.append(measure)
        runs = train(plant(table, 0.02, unit), measure)
        expected = [(arm, seed) for seed in (0, 1) for arm in ("model_b", "model_b_anonymous")]
        assert [(run.arm, run.seed) for run in runs] == expected
        return Sensitivity(0.02, worth, Interval(worth, 0.5 * worth, 2 * worth), 0.01, 0.01, "supported")

    monkeypatch.setattr(gather, "sensitivity", planted)
    out = run_compare("arms=[model_b,model_b_anonymous]", "data.songs=24")
    found = report(out)
    # It takes as much training as the comparison, so it is looked for by the first measure alone.
    assert asked == list(found["sensitivity"]) == ["onset"]
    words = {m: {part["verdict"] for part in found["questions"][m]["parts"]} for m in MEASURES}
    assert words == {
        "onset": {"no practical difference"},
        "ioi": {"not enough to tell"},
        "duration": {"not enough to tell"},
    }
    assert "<h2>Would an effect have been found?</h2>" in (out / "report.html").read_text()
    assert len(list((out / "planted").glob("model_b*"))) == 4


@pytest.mark.parametrize(
    ("overrides", "planted"), [((), True), (("sensitivity=false",), False), (("runs='LOGS/model_*'",), False)]
)
def test_nothing_is_planted_without_training(out, logs, monkeypatch, overrides, planted):
    given = []

    def gathered(runs, resamples, train_planted):
        given.append(train_planted)
        raise InputError("enough")

    monkeypatch.setattr(comparing, "gather", gathered)
    with pytest.raises(InputError, match="enough"):
        compared(logs, *(each.replace("LOGS", str(logs)) for each in overrides))
    assert (given[0] is not None) == planted


def test_carried_values_have_no_onsets_and_the_report_says_why(run_compare, no_baselines, tmp_path):
    rows = [
        {**row, "durations": carried(np.array(row["durations"]), row["ticks_per_beat"] // 8).tolist()}
        for row in simulate_songs(24)
    ]
    Dataset.from_list(rows).to_parquet(tmp_path / "carried.parquet")
    data = ("data=parquet", f"data.path={tmp_path}/carried.parquet")
    each = f"each=[{','.join(map(repr, EACH))}]"
    small = ("seeds=1", "resamples=100", "trainer.threads=1", "arms=[model_b]", each, f"logs={tmp_path / 'logs'}")
    out = compare(composed(*small, *data, name="compare"), lambda each: composed(*each))
    found = report(out)
    assert found["carried"]
    assert list(found["errors"]) == ["duration", "notes", "rests"]
    assert list(found["questions"]) == list(found["ablations"]) == list(found["by_resolution"]) == ["duration"]
    assert found["gaps"] is None
    text = (out / "report.md").read_text()
    assert "tdp audit TABLE --repair OUT" in text


def test_any_experiment_may_be_an_arm_and_is_tested_on_the_same_songs(run_compare, no_baselines):
    """The published arm would split by row, and model_b splits by song."""
    each = f"each=[{','.join(map(repr, QUICK))}]"
    out = run_compare("arms=[model_b,published_b]", "seeds=1", "data.songs=20", each)
    found = report(out)
    assert set(found["provenance"]["runs"]) == {"model_b", "published_b"}
    answers = found["questions"]["onset"]
    assert answers["answers"]["published_b"]["claim"] == "Model B beats published_b"
    part = answers["parts"][-1]
    error = {arm: found["errors"]["onset"][arm]["mae"]["estimate"] for arm in ("model_b", "published_b")}
    assert part["rival"] == "published_b"
    assert part["difference"]["estimate"] == pytest.approx(error["published_b"] - error["model_b"])
    rows = [
        set(pq.read_table(Path(run, "predictions.parquet"))["row"].to_pylist())
        for [run] in found["provenance"]["runs"].values()
    ]
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
    with pytest.raises(InputError, match="experiment=model_a and experiment=model_b have the same name, mine"):
        run_compare("arms=[model_b,model_a]", "each=['name=mine']")
    with pytest.raises(InputError, match="An arm has the name 'copy', by which the report calls a baseline"):
        run_compare("arms=[model_b]", "each=['name=copy']")
    with pytest.raises(InputError, match="experiment=model_b has no name; give its YAML a line 'name: model_b'"):
        run_compare("arms=[model_b]", "each=['~name']")
    assert not (tmp_path / "logs").exists()


def test_runs_that_do_not_belong_together_are_refused(run_compare, config, tmp_path):
    def trained(arm, *settings):
        where = (f"logs={tmp_path / 'logs'}", "data.songs=20")
        return train(config(f"experiment={arm}", *EACH, *where, *settings))

    trained("model_a")
    with pytest.raises(InputError, match="No arm among model_a has the name model_b"):
        run_compare(f"runs='{tmp_path}/logs/*'")
    trained("model_b", "data.split=published")
    with pytest.raises(InputError, match=r"were not tested on the same songs; give both the same data\.split"):
        run_compare(f"runs='{tmp_path}/logs/*'")
