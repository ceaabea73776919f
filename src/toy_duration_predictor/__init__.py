"""Does a sequence model put a singer's own timing back into quantized note durations?

The public API. A name is imported when it is first used, so that `import toy_duration_predictor as tdp` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# For type checkers, which do not run `__getattr__`.
if TYPE_CHECKING:
    from toy_duration_predictor.data.audit import audit as audit
    from toy_duration_predictor.data.batches import Batch as Batch
    from toy_duration_predictor.data.datamodule import SongsDataModule as SongsDataModule
    from toy_duration_predictor.data.midi.prepare import prepare as prepare
    from toy_duration_predictor.data.midi.recipe import Limit as Limit
    from toy_duration_predictor.data.midi.recipe import Recipe as Recipe
    from toy_duration_predictor.data.quantize import quantize as quantize
    from toy_duration_predictor.data.repair import repair_table as repair_table
    from toy_duration_predictor.data.simulate import simulate_songs as simulate_songs
    from toy_duration_predictor.data.songs import fingerprint as fingerprint
    from toy_duration_predictor.data.songs import validate_songs as validate_songs
    from toy_duration_predictor.data.sources import load_songs as load_songs
    from toy_duration_predictor.errors import InputError as InputError
    from toy_duration_predictor.inference.predictor import Predictor as Predictor
    from toy_duration_predictor.scores.humanize import humanize as humanize
    from toy_duration_predictor.scores.perform import HumanizeSettings as HumanizeSettings
    from toy_duration_predictor.training.evaluate import evaluate as evaluate
    from toy_duration_predictor.training.run_folder import load_run as load_run
    from toy_duration_predictor.training.task import DurationTask as DurationTask
    from toy_duration_predictor.training.train import train as train

_MODULE_OF = {
    "Batch": "data.batches",
    "DurationTask": "training.task",
    "HumanizeSettings": "scores.perform",
    "InputError": "errors",
    "Limit": "data.midi.recipe",
    "Predictor": "inference.predictor",
    "Recipe": "data.midi.recipe",
    "SongsDataModule": "data.datamodule",
    "audit": "data.audit",
    "evaluate": "training.evaluate",
    "fingerprint": "data.songs",
    "humanize": "scores.humanize",
    "load_run": "training.run_folder",
    "load_songs": "data.sources",
    "prepare": "data.midi.prepare",
    "quantize": "data.quantize",
    "repair_table": "data.repair",
    "simulate_songs": "data.simulate",
    "train": "training.train",
    "validate_songs": "data.songs",
}

__all__ = list(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
