"""The runs of a study: on its hardware, in its folder of run folders, and trained where they are missing."""

from pathlib import Path

from omegaconf import DictConfig, open_dict

from toy_duration_predictor.comparison.config import CompareConfig, PowerConfig, QuantizersConfig, SearchConfig
from toy_duration_predictor.training.run_folder import FinishedRun, read_run
from toy_duration_predictor.training.train import train


def of_study(
    run: DictConfig, settings: CompareConfig | PowerConfig | QuantizersConfig | SearchConfig, seed: int | None = None
) -> DictConfig:
    """Gives a run's settings the study's hardware and folder, and a seed if one is named; returns them."""
    with open_dict(run):
        run.trainer = settings.trainer.model_dump()
        run.logs = str(settings.logs)
        if seed is not None:
            run.seed = seed
    return run


def finished(run: DictConfig) -> FinishedRun:
    """Trains a run unless it is finished already.

    Raises:
        InputError: Its settings or its songs cannot be used.
    """
    return read_run(Path(str(train(run)["run/folder"])))
