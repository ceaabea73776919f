"""Does a sequence model put a singer's own timing back into quantized note durations?

The public API. Names are imported when first used, so that `import toy_duration_predictor as tdp` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toy_duration_predictor.data.audit import audit, repair_table
    from toy_duration_predictor.data.datamodule import SongsDataModule
    from toy_duration_predictor.data.prepare import prepare
    from toy_duration_predictor.data.quantize import quantize
    from toy_duration_predictor.data.recipe import Limit, Recipe
    from toy_duration_predictor.data.simulate import simulate_songs
    from toy_duration_predictor.data.songs import fingerprint, validate_songs
    from toy_duration_predictor.data.sources import load_songs
    from toy_duration_predictor.data.windows import Batch
    from toy_duration_predictor.errors import InputError
    from toy_duration_predictor.experiment.evaluate import evaluate
    from toy_duration_predictor.experiment.run_folder import load_run
    from toy_duration_predictor.experiment.train import train
    from toy_duration_predictor.perform import HumanizeSettings
    from toy_duration_predictor.predictor import Predictor
    from toy_duration_predictor.score_files import humanize
    from toy_duration_predictor.task import DurationTask

_MODULE_OF = {
    "Batch": "data.windows",
    "DurationTask": "task",
    "HumanizeSettings": "perform",
    "InputError": "errors",
    "Limit": "data.recipe",
    "Predictor": "predictor",
    "Recipe": "data.recipe",
    "SongsDataModule": "data.datamodule",
    "audit": "data.audit",
    "evaluate": "experiment.evaluate",
    "fingerprint": "data.songs",
    "humanize": "score_files",
    "load_run": "experiment.run_folder",
    "load_songs": "data.sources",
    "prepare": "data.prepare",
    "quantize": "data.quantize",
    "repair_table": "data.audit",
    "simulate_songs": "data.simulate",
    "train": "experiment.train",
    "validate_songs": "data.songs",
}

__all__ = [
    "Batch",
    "DurationTask",
    "HumanizeSettings",
    "InputError",
    "Limit",
    "Predictor",
    "Recipe",
    "SongsDataModule",
    "audit",
    "evaluate",
    "fingerprint",
    "humanize",
    "load_run",
    "load_songs",
    "prepare",
    "quantize",
    "repair_table",
    "simulate_songs",
    "train",
    "validate_songs",
]


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
