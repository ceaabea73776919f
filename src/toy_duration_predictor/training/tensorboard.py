"""A run in TensorBoard: its learning curves; and once it is finished settings, test metrics, pictures, and singers."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.loggers import TensorBoardLogger
from omegaconf import OmegaConf
from tensorboard.plugins.hparams import summary_v2 as hp  # its `api` needs TensorFlow
from tensorboard.summary.writer.event_file_writer import _AsyncWriterThread

from toy_duration_predictor.models import singer_embedding
from toy_duration_predictor.training import figures
from toy_duration_predictor.training.task import DurationTask

# The metrics that runs are compared by in the tab HPARAMS, which shows those that it is given first.
COMPARED = ("test/onset_mae", "test/mae", "test/skill", "val/quantized_mae")

# The settings that HPARAMS shows first, and what it calls them.
FIRST = {
    "seed": "seed",
    "model.name": "model",
    "training.max_epochs": "epochs",
    "training.learning_rate": "learning rate",
}

# What choices of a group set: `data=hub` is `data.source=hub`.
CHOICES = {"experiment": "name", "data": "data.source", "model": "model.name"}

# How the tags of a finished run begin. TensorBoard opens on the first tags of the alphabet, which are to be the
# learning curves: train/ and val/.
DONE = "when done"


class CurvesLogger(TensorBoardLogger):
    """TensorBoard's logger, with epochs for the horizontal axis. They count from 1, as everywhere."""

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Logs metrics."""
        epoch = metrics.get("epoch")
        if epoch is not None:
            metrics, step = {name: value for name, value in metrics.items() if name != "epoch"}, round(epoch) + 1
        super().log_metrics(metrics, step)


def make_logger(folder: Path) -> CurvesLogger:
    """Returns the logger of a run, whose event files lie in the run's folder."""
    global _hook
    if threading.excepthook is not _say_no_more:
        _hook, threading.excepthook = threading.excepthook, _say_no_more
    return CurvesLogger(folder.parent, name=folder.name, version="")


_hook = threading.excepthook


def _say_no_more(failed: threading.ExceptHookArgs) -> None:
    """Keeps a thread of TensorBoard's from showing why it cannot write: the run's next use of it raises the same."""
    if isinstance(failed.exc_value, OSError) and isinstance(failed.thread, _AsyncWriterThread):
        failed.exc_value.filename = failed.exc_value.filename or "TensorBoard's event file"
    else:
        _hook(failed)


def write_results(
    logger: TensorBoardLogger,
    config: dict[str, Any],
    metrics: dict[str, Any],
    predictions: pa.Table,
    task: DurationTask,
) -> None:
    """Adds a finished run to its event file.

    Args:
        logger: The run's.
        config: The run's settings, for the tabs TEXT and HPARAMS.
        metrics: The run's metrics of validation and test.
        predictions: `predictions.parquet`.
        task: The model; singers are shown if its network has a `singer_embedding`.
    """
    writer = logger.experiment
    writer.add_text("config", "```yaml\n" + OmegaConf.to_yaml(config) + "```")
    writer.add_figure(f"{DONE}/phrase", figures.phrase(predictions))
    writer.add_figure(f"{DONE}/error by singer", figures.error_by_singer(predictions))
    writer.add_figure(f"{DONE}/residuals", figures.residuals(predictions))
    errors = figures.note_errors(predictions)
    # As many bins as TensorBoard draws: it would make others of any other number.
    edges = figures.tick_bins(errors["copy"], 30)
    for name in ("copy", "model"):
        writer.add_histogram(f"{DONE}/residuals of {name}", np.clip(errors[name], edges[0], edges[-1]), bins=edges)
    embedding = singer_embedding(task.network)
    if embedding is not None:
        names = [task.singer_names.get(singer, f"singer {singer}") for singer in task.singers]
        writer.add_embedding(embedding.weight.detach().float().cpu(), metadata=names, tag="singers")
    results = {name: value for name, value in metrics.items() if name.startswith(("val/", "test/"))}
    # Not by `SummaryWriter.add_hparams`, which writes to a folder of its own: TensorBoard would show it as another run.
    settings = _settings(config)
    compared = [hp.Metric(f"{DONE}/{name}", display_name=name) for name in COMPARED if name in results]
    writer.file_writer.add_summary(hp.hparams_config_pb(list(settings), compared))
    writer.file_writer.add_summary(hp.hparams_pb(settings, trial_id=logger.name))
    for name, value in results.items():
        writer.add_scalar(f"{DONE}/{name}", value)
    logger.finalize("success")


def _settings(config: dict[str, Any]) -> dict[hp.HParam, Any]:
    """Returns the settings to compare runs by: a few of any run, and those that the command names, swept ones too."""
    values = _flat(config)
    overrides = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    given = [override.lstrip("+").partition("=")[0] for override in overrides]
    # Not the hardware, which changes no result, and would take the place of metrics.
    names = dict.fromkeys([*FIRST, *(CHOICES.get(name, name) for name in given if not name.startswith("trainer"))])
    # TensorBoard has them in the order of their names, of which only what is displayed can be seen.
    return {
        hp.HParam(f"{number:02} {name}", display_name=FIRST.get(name, name)): _shown(name, values[name])
        for number, name in enumerate(name for name in names if name in values)
    }


def _shown(name: str, value: Any) -> Any:
    """Returns a value as TensorBoard takes it. It would show the seed as a number with four decimals."""
    return value if isinstance(value, bool | float | int) and name != "seed" else str(value)


def _flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns nested settings as one level of dotted names."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
