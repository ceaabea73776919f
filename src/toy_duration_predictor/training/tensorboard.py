"""A finished run in TensorBoard: settings, test metrics, pictures, and singers in the projector."""

from typing import Any

import pyarrow as pa
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.loggers import TensorBoardLogger
from omegaconf import OmegaConf
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from torch.utils.tensorboard.summary import hparams

from toy_duration_predictor.models import singer_embedding
from toy_duration_predictor.training import figures
from toy_duration_predictor.training.task import DurationTask

# The metrics that runs are compared by in the tab HPARAMS, which shows those that it is given first.
COMPARED = ("test/onset_mae", "test/mae", "test/skill", "val/quantized_mae")


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
    writer.add_figure("phrase", figures.phrase(predictions))
    writer.add_figure("error by singer", figures.error_by_singer(predictions))
    writer.add_figure("residuals", figures.residuals(predictions))
    for name, values in figures.note_errors(predictions).items():
        if name != "singer_id":
            writer.add_histogram(f"residuals/{name}", values)
    embedding = singer_embedding(task.network)
    if embedding is not None:
        names = [task.singer_names.get(singer, f"singer {singer}") for singer in task.singers]
        writer.add_embedding(embedding.weight.detach().float().cpu(), metadata=names, tag="singers")
    results = {name: value for name, value in metrics.items() if name.startswith(("val/", "test/"))}
    settings = {
        name: value if isinstance(value, bool | float | int | str) else str(value)
        for name, value in _flat(config).items()
    }
    compared = {name: results[name] for name in COMPARED if name in results}
    # Not by `SummaryWriter.add_hparams`, which writes to a folder of its own: TensorBoard would show it as another run.
    for summary in hparams(settings, compared):  # type: ignore[no-untyped-call]
        _mark_given(summary.value[0].metadata.plugin_data)
        writer.file_writer.add_summary(summary)
    for name, value in results.items():
        writer.add_scalar(name if name.startswith("test/") else f"best/{name}", value)
    logger.finalize("success")


def _mark_given(summary: Any) -> None:
    """Marks the settings that the command names, swept ones among them: HPARAMS shows those that differ first."""
    overrides = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    given = tuple(override.lstrip("+").partition("=")[0] for override in overrides)
    data = HParamsPluginData.FromString(summary.content)
    for info in data.experiment.hparam_infos:
        info.differs = info.name.startswith(given)
    summary.content = data.SerializeToString()


def _flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns nested settings as one level of dotted names."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
