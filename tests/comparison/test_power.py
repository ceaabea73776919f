import json
from functools import partial

import pytest

from tests.conftest import ONE_EPOCH, SMALL, composed
from toy_duration_predictor.comparison import power as module
from toy_duration_predictor.comparison.intervals import Interval
from toy_duration_predictor.comparison.power import Outcome, cell, power, trial
from toy_duration_predictor.comparison.reports.power import sections
from toy_duration_predictor.comparison.reports.words import closer
from toy_duration_predictor.comparison.sensitivity import Sensitivity
from toy_duration_predictor.training.task import DurationTask

EACH = f"each=[{','.join(map(repr, (*SMALL[:-1], ONE_EPOCH)))}]"


def compose(overrides):
    return composed(*overrides)


def settings(tmp_path, *overrides):
    few = ("songs=[24]", "repetitions=1", "resamples=200", "trainer.threads=1", EACH)
    made = composed(*few, *overrides, name="power")
    # A folder whose name has a meaning in the words of an override.
    made.logs, made.out = str(tmp_path / "it's, {1}"), str(tmp_path / "power")
    return made


def test_a_study_end_to_end_and_again(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "within", lambda *_: False)  # nothing is planted
    study = partial(power, settings(tmp_path, "effects=[0,2]"), compose)
    cells = study()
    assert [(each.measure, each.effect, each.songs) for each in cells] == [
        (measure, effect, 24) for measure in ("onset", "ioi", "duration") for effect in (0, 2)
    ]
    assert all(sum(each.words.values()) == 1 for each in cells)
    assert len(list((tmp_path / "it's, {1}").glob("model_b*"))) == 4
    found = json.loads((tmp_path / "power" / "report.json").read_text())
    assert len(found) == 6
    assert (tmp_path / "power" / "report.html").read_text().count("<svg") == 3
    text = (tmp_path / "power" / "report.md").read_text()
    assert "| 2 | 24 |" in text
    assert text.split("\n## ")[1].startswith("In short\n\nOf 1 set of 24 songs whose singers are all the same person, ")
    assert f"with the singer, onsets of Model B are {closer(found[1]['ms'], 'ms')}." in text
    # What is finished is not trained again.
    monkeypatch.setattr(DurationTask, "training_step", lambda *_: 1 / 0)
    assert study() == cells


@pytest.mark.parametrize(("found", "word"), [(0.01, "no practical difference"), (0.9, "not enough to tell")])
def test_nothing_found_means_something_where_something_was_found(tmp_path, monkeypatch, found, word):
    """Both models are the same here, so that their difference lies within any region."""
    asked = []

    def planted(table, predictions, measure, unit, worth, train, resamples):
        asked.append((measure, unit, len(table)))
        if measure == "onset":
            [run] = train(table.select(range(12)), measure)
            assert (run.arm, run.split, run.metrics["data/source"], run.metrics["data/songs"]) == (
                "model_b",
                "grouped",
                "parquet",
                12,
            )
        return Sensitivity(0.1, worth, Interval(worth, worth / 2, 2 * worth), found, 1.0, "not enough to tell")

    monkeypatch.setattr(module, "sensitivity", planted)
    monkeypatch.setattr(module, "ANONYMOUS", "model_b")
    config = module.validated(settings(tmp_path), module.PowerConfig)
    outcomes = trial(1.0, 24, 0, config, compose)
    assert asked == [(measure, "beats", 24) for measure in ("onset", "ioi", "duration")]
    assert set(outcomes.values()) == {Outcome(word, 0.0, 0.0)}


def test_both_errors_are_counted():
    words = ["supported"] * 2 + ["worse"] + ["no practical difference"] * 3 + ["not enough to tell"] * 94
    outcomes = [Outcome(word, 0.02, 0.5) for word in words]
    nothing, something = (cell("onset", effect, 63, outcomes) for effect in (0.0, 0.5))
    assert nothing.wrong.estimate == nothing.supported == something.supported == 0.02
    assert something.wrong.estimate == 0.04
    # Wilson's interval of 4 in 100, by its formula.
    z, n, p = 1.959964, 100, 0.04
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (p * (1 - p) / n + z**2 / (4 * n**2)) ** 0.5
    assert something.wrong[1:] == pytest.approx((middle - half, middle + half))
    assert something.share == pytest.approx(0.02)
    assert something.ms == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("wrong", "count", "word"),
    [(0, 75, "supported"), (0, 55, "not enough to tell"), (4, 75, "not enough to tell"), (20, 75, "worse")],
)
def test_the_report_begins_with_whether_verdicts_can_be_trusted(wrong, count, word):
    """None wrong of 75 means at most 5 %, by Wilson's interval."""
    words = ["supported"] * wrong + ["not enough to tell"] * (count - wrong)
    nothing = cell("onset", 0.0, 63, [Outcome(each, 0.0, 0.0) for each in words])
    words = ["no practical difference"] * wrong + ["supported"] * (count - wrong)
    something = cell("onset", 1.0, 63, [Outcome(each, 0.02, 0.3) for each in words])
    short = sections([nothing, something], count)[0].remark
    assert f"Of {count} sets of 63 songs whose singers are all the same person, {wrong} had the verdict 'sup" in short
    assert (
        f"with a singer effect of 1, {count - wrong} had the verdict 'supported' on onsets, and {wrong} a wrong one, "
        f"'no practical difference' or 'worse': " in short
    )
    assert "; with the singer, onsets of Model B are 0.30 ms closer." in short
    assert f"That at most 5 % of verdicts are wrong: {word}." in short
