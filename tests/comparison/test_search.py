"""A search: what it may search, that it goes on, and what it leaves."""

import json

import matplotlib as mpl
import pytest

from tests.conftest import FEW_SONGS, composed
from toy_duration_predictor.comparison.reports.settings import better
from toy_duration_predictor.comparison.runs import find_entries
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.training.task import DurationTask

optuna = pytest.importorskip("optuna")
search_module = pytest.importorskip("toy_duration_predictor.comparison.search")

SMALL = ("model.layers=1", "training.window=32", "training.batch_size=32", "training.max_epochs=1")


@pytest.fixture
def search(tmp_path):
    """Runs a search of three trials of one epoch; returns the facts of its report."""

    def run(name="one", *overrides, each=SMALL, space=("training.learning_rate=tag(log, interval(0.001, 0.1))",)):
        config = composed(
            *FEW_SONGS, f"logs={tmp_path / 'logs'}", f"name={name}", "trials=3", "trainer.threads=1", *overrides,
            name="search",
        )  # fmt: skip
        config.each, config.space = [*each], [*space, "model.width=choice(4, 8)"]
        folder = search_module.search(config, lambda given: composed(*given))
        return json.loads((folder / "report.json").read_text())

    return run


def trials(facts):
    return [(trial["params"], trial["values"]) for trial in facts["trials"] if trial["state"] == "finished"]


@pytest.fixture
def study(tmp_path):
    """Opens the study of the search of this name."""

    def load(name="one"):
        return optuna.load_study(study_name=name, storage=f"sqlite:///{tmp_path}/logs/searches/{name}/study.db")

    return load


def test_spaces_in_the_words_of_a_sweep():
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    space = {
        "interval(1, 5)": FloatDistribution(1, 5),
        "tag(log, interval(0.001, 0.1))": FloatDistribution(0.001, 0.1, log=True),
        "int(interval(1, 5))": IntDistribution(1, 5),
        "tag(log, int(interval(1, 5)))": IntDistribution(1, 5, log=True),
        "range(2, 9, 3)": IntDistribution(2, 8, step=3),
        "choice(a, 1.5, true)": CategoricalDistribution(["a", "1.5", "True"]),
        "fold1,fold2": CategoricalDistribution(["fold1", "fold2"]),
    }
    for text, expected in space.items():
        assert search_module.distributions([f"data.key={text}"]) == {"data.key": expected}


@pytest.mark.parametrize("text", ["seed=1", "seed=interval(1", "seed=glob(*)", "seed"])
def test_what_is_no_space_is_refused(text):
    with pytest.raises(InputError, match=r"space: .* cannot be searched .*; give KEY=choice"):
        search_module.distributions([text])


def test_a_search_goes_on_as_if_nothing_had_happened(search, study, monkeypatch, tmp_path):
    whole = search("whole", f"logs={tmp_path / 'other'}")
    assert len(trials(whole)) == 3
    assert whole["best"] == [min(range(3), key=lambda number: whole["trials"][number]["values"])]

    step, taken = DurationTask.training_step, []

    def interrupted(*arguments):
        taken.append(1)
        if len(taken) == 8:  # within the second trial, as an epoch has five batches
            raise KeyboardInterrupt
        return step(*arguments)

    monkeypatch.setattr(DurationTask, "training_step", interrupted)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        search("one")
    monkeypatch.setattr(DurationTask, "training_step", step)
    assert trials(search("one")) == trials(whole)

    # Killed: what it was doing is left as running.
    study("one").ask(search_module.distributions(["model.width=choice(4, 8)"]))
    killed = study("one").trials[-1]
    facts = search("one", "trials=4")
    assert trials(facts)[:3] == trials(whole)
    assert facts["trials"][3]["params"]["model.width"] == killed.params["model.width"]
    assert not study("one").get_trials(states=[optuna.trial.TrialState.RUNNING])


def test_the_report_begins_with_what_was_found_in_ms(search, tmp_path, capsys):
    facts = search("one", "trials=2")
    best, other = sorted(facts["trials"], key=lambda trial: trial["values"][0])
    off = [trial["metrics"]["val/quantized_mae_ms"] for trial in (best, other)]
    short = (tmp_path / "logs/searches/one/report.md").read_text().split("\n## ")[1]
    assert short.startswith(
        f"In short\n\nOf 2 finished trials, the best by val/quantized_mae is number {best['number']}, "
    )
    assert f"model.width={best['params']['model.width']}: durations" in short
    assert f"of the validation songs are {off[0]:.1f} ms from what was sung, on average, " in short
    assert f"{100 * (1 - best['metrics']['val/quantized_skill']):.0f} % of the copy's error." in short
    assert f"It is better than the next best, number {other['number']}: not enough to tell; it is " in short
    assert f"{better(off[1] - off[0], ' ms')}, and each was trained once." in short
    out = " ".join(capsys.readouterr().out.split())
    assert "In short Of 2 finished trials" in out
    assert "What the words mean" not in out


def test_a_trial_whose_process_is_killed_each_time_is_given_up(search, study):
    search("one", "trials=1")
    study("one").enqueue_trial({"model.width": "8"}, {"attempt": 3})
    study("one").ask(search_module.distributions(["model.width=choice(4, 8)"]))
    assert [trial["state"] for trial in search("one", "trials=2")["trials"]] == ["finished", "failed"]


def test_failing_trials_are_survived(search):
    facts = search("one", space=["training.learning_rate=choice(0.01, 7)"])
    states = {trial["params"]["training.learning_rate"]: trial["state"] for trial in facts["trials"]}
    assert states == {"0.01": "finished", "7": "failed"}
    assert {trial.get("reason", "")[:14] for trial in facts["trials"]} == {"", "configuration:"}


def test_pictures_drawn_later_have_their_own_style(search):
    before = dict(mpl.rcParams)
    search()
    assert dict(mpl.rcParams) == before  # Optuna sets one for all


def test_two_objectives_have_a_front(search, tmp_path):
    facts = search("two", "objectives=[val/quantized_mae,train/seconds]")
    values = [trial["values"] for trial in facts["trials"]]
    front = [i for i, v in enumerate(values) if not any(o[0] <= v[0] and o[1] <= v[1] for o in values if o != v)]
    assert sorted(facts["best"]) == front
    page = (tmp_path / "logs" / "searches" / "two" / "report.html").read_text()
    assert page.count("<svg") == 4  # importances and coordinates, of each objective
    # The command has the settings that the first paragraph is about.
    assert f"the best by val/quantized_mae is number {facts['best'][0]}, " in page
    assert f"The settings of trial {facts['best'][0]} for a command: " in page
    assert (len(front) == 1) == ("beaten by no other" not in page)


def test_worse_trials_are_pruned(search, study, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("optuna.pruners.MedianPruner.prune", lambda *_: True)
    with pytest.raises(InputError, match="No trial of one has finished"):
        search("one", "trials=1")
    assert [trial.state for trial in study("one").trials] == [optuna.trial.TrialState.PRUNED]
    assert "No trial has finished, so that there are no best settings." in capsys.readouterr().out
    entries, _ = find_entries(tmp_path / "logs")
    assert sorted((entry.kind, entry.state) for entry in entries) == [("run", "pruned"), ("search", "finished")]


def test_another_search_needs_another_name(search):
    search("one", "trials=1")
    with pytest.raises(InputError, match=r"was begun with another space; give name=ANOTHER"):
        search("one", space=["training.learning_rate=choice(0.1, 0.2)"])
