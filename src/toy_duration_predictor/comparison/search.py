"""A search: trials whose settings follow from those before, by Optuna's ask-and-tell.

The study is an SQLite file in the search's folder. Trials are ordinary runs. So one that was interrupted goes on after
its last whole epoch, and settings that were tried before are recognised.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep, Transformer
from hydra.errors import HydraException
from lightning.pytorch.callbacks import Callback
from omegaconf import DictConfig, open_dict
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState
from optuna_integration.pytorch_lightning import PyTorchLightningPruningCallback

from toy_duration_predictor.comparison.config import SearchConfig
from toy_duration_predictor.comparison.reports.search import write_search
from toy_duration_predictor.comparison.study_runs import of_study
from toy_duration_predictor.errors import InputError, first_line, reason_of
from toy_duration_predictor.files import alone
from toy_duration_predictor.training.commands import Interrupted
from toy_duration_predictor.training.config import validated
from toy_duration_predictor.training.provenance import code_digest
from toy_duration_predictor.training.run_folder import Metrics
from toy_duration_predictor.training.terminal import console_log
from toy_duration_predictor.training.train import train

log = logging.getLogger(__name__)

# A trial whose process was killed so many times is not tried again.
ATTEMPTS = 3

Compose = Callable[[list[str]], DictConfig]


def search(config: DictConfig | dict[str, Any], compose: Compose) -> Path:
    """Runs the trials that are missing, and writes the report; returns the search's folder.

    Args:
        config: `conf/search.yaml`, composed.
        compose: Composes `conf/train.yaml` with overrides.

    Raises:
        InputError: The configuration cannot be used, or no trial has finished.
        Interrupted: SIGINT or SIGTERM; the same call goes on.
    """
    settings = validated(config, SearchConfig)
    console_log()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder = settings.logs / "searches" / settings.name
    with alone(folder, lambda: log.info("The same search is under way in another process: waiting for its end.")):
        study = _study(settings, folder)
        _try_killed_again(study)
        while len(done := ended(study)) < settings.trials:
            _try(study, settings, len(done), compose)
        write_search(folder, study, ended(study), settings)
    return folder


def distributions(space: list[str]) -> dict[str, BaseDistribution]:
    """Returns what Hydra's own parser makes of a space, for Optuna.

    >>> distributions(["model.width=choice(8, 16)"])
    {'model.width': CategoricalDistribution(choices=('8', '16'))}

    Raises:
        InputError: An entry cannot be read, or is no range of values.
    """
    found = {}
    for text in space:
        try:
            override = OverridesParser.create().parse_override(text)
            found[override.get_key_element()] = _distribution(override)
        except (HydraException, ValueError) as error:
            raise InputError(
                f"space: '{text}' cannot be searched ({first_line(error)}); give KEY=choice(A, B), KEY=range(FROM, "
                f"TO), KEY=interval(FROM, TO) or KEY=tag(log, interval(FROM, TO))."
            ) from error
    return found


def _distribution(override: Override) -> BaseDistribution:
    value = override.value()
    if isinstance(value, IntervalSweep):
        whole = all(isinstance(each, int) for each in (value.start, value.end))
        return (IntDistribution if whole else FloatDistribution)(value.start, value.end, log="log" in value.tags)
    if not override.is_sweep_override():
        raise ValueError("it has one value")
    if isinstance(value, RangeSweep):
        values: list[Any] = sorted(override.sweep_iterator())
        whole = all(isinstance(each, int) for each in values)
        return (IntDistribution if whole else FloatDistribution)(values[0], values[-1], step=abs(value.step))
    return CategoricalDistribution([str(each) for each in override.sweep_iterator(Transformer.encode)])


def ended(study: optuna.Study) -> list[FrozenTrial]:
    """Returns the trials that have come to an end: finished, pruned or failed, but not those that are tried again."""
    return [
        trial
        for trial in study.trials
        if trial.state.is_finished()
        and (trial.state != TrialState.FAIL or "reason" in trial.user_attrs or _attempt(trial) == ATTEMPTS)
    ]


def _attempt(trial: FrozenTrial) -> int:
    return int(trial.user_attrs.get("attempt", 1))


def _study(settings: SearchConfig, folder: Path) -> optuna.Study:
    """Opens the study of a search, or makes it."""
    study = optuna.create_study(
        storage=f"sqlite:///{folder.absolute() / 'study.db'}",
        study_name=settings.name,
        directions=["minimize"] * len(settings.objectives),
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(settings.startup, settings.warmup),
    )
    now = settings.model_dump(mode="json", include={"space", "each", "objectives", "seed", "data", "trainer"})
    now["code"] = code_digest()
    then = study.user_attrs.get("settings", now)
    if differ := [key for key in now if now[key] != then[key]]:
        raise InputError(f"{folder} was begun with another {', '.join(differ)}; give name=ANOTHER for a new search.")
    study.set_user_attr("settings", now)
    return study


def _try_killed_again(study: optuna.Study) -> None:
    """Puts the settings of trials whose process was killed before those that are to come."""
    for trial in study.get_trials(states=[TrialState.RUNNING]):
        if _attempt(trial) < ATTEMPTS:
            study.enqueue_trial(trial.params, {"attempt": _attempt(trial) + 1})
        study.tell(trial.number, state=TrialState.FAIL)


def _try(study: optuna.Study, settings: SearchConfig, number: int, compose: Compose) -> None:
    """Runs the next trial."""
    # Of the number: so a search that was interrupted tries the same settings as one that was not.
    study.sampler = optuna.samplers.TPESampler(n_startup_trials=settings.startup, seed=settings.seed + number)
    trial = study.ask(distributions(settings.space))
    overrides = [f"{key}={value}" for key, value in trial.params.items()]
    log.info("Trial %d/%d: %s", number + 1, settings.trials, " ".join(overrides))
    try:
        run = _compose(settings, overrides, compose)
        metrics = train(run, _watchers(trial, settings, run))
        values = _values(study, settings, metrics)
    except optuna.TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
        log.info("Pruned.")
    except (Interrupted, KeyboardInterrupt):
        study.enqueue_trial(trial.params)
        study.tell(trial, state=TrialState.FAIL)
        raise
    except Exception as error:
        reason = reason_of(error)
        trial.set_user_attr("reason", reason)
        study.tell(trial, state=TrialState.FAIL)
        log.error("Failed: %s", reason, exc_info=not isinstance(error, InputError))
    else:
        trial.set_user_attr("folder", str(metrics["run/folder"]))
        trial.set_user_attr("seconds", metrics["train/seconds"])
        trial.set_user_attr("metrics", {name: metrics[name] for name in metrics if name.startswith("val/")})
        study.tell(trial, values)


def _compose(settings: SearchConfig, overrides: list[str], compose: Compose) -> DictConfig:
    run = compose([f"data={settings.data.source}", *settings.each, *overrides])
    with open_dict(run):
        run.data.update(settings.data.options)
    return of_study(run, settings)


def _watchers(trial: optuna.Trial, settings: SearchConfig, run: DictConfig) -> list[Callback]:
    """Returns the callback that prunes, where the objective is known at every epoch."""
    objective = settings.objectives[0]
    # At an epoch's end the input is paired as in training; so Model A's error is not that of quantized input.
    known = objective.startswith("val/") and run.data.pairing == "quantized"
    if not (settings.prune and known and len(settings.objectives) == 1):
        return []
    return [PyTorchLightningPruningCallback(trial, objective.replace("quantized_", ""))]


def _values(study: optuna.Study, settings: SearchConfig, metrics: Metrics) -> list[float]:
    """Returns a run's objectives; refuses one whose errors are not of the same songs as those before."""
    songs = study.user_attrs.get("validated", metrics["data/validated"])
    if metrics["data/validated"] != songs:
        raise InputError("its validation songs are not those of the other trials, so its errors cannot be compared.")
    study.set_user_attr("validated", songs)
    missing = [name for name in settings.objectives if name not in metrics]
    if missing:
        raise InputError(f"objectives: the run has no {missing[0]}, as its table has no onsets; use val/quantized_mae.")
    return [float(metrics[name]) for name in settings.objectives]
