"""Arguments of Lightning's trainer, callbacks and loggers that a configuration adds to a run.

A configuration is data, and no code may be run from data. So a class that it names is checked before it is
instantiated. It must be of a few packages, and a callback, a logger or an argument of these: a name such as `os.system`
would start a process, and some classes of torch read pickles.
"""

import inspect
from pkgutil import resolve_name
from typing import Any

import lightning.pytorch as pl
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.callbacks.progress.rich_progress import RichProgressBarTheme
from lightning.pytorch.loggers import Logger
from torch import nn

from toy_duration_predictor.errors import InputError, did_you_mean, first_line

# Arguments of `lightning.pytorch.Trainer` that a run sets itself, and what its user does instead.
_LENGTH = "training.max_epochs and training.patience say how long a run trains"
_VALIDATION = "a run validates on all its validation songs after every epoch, as the best weights follow from it"
_SHORT = "for a short trial use training.max_epochs=1 or +trainer.limit_train_batches"
OURS = {
    "callbacks": "give each as +callbacks.NAME._target_=CLASS",
    "logger": "give each as +loggers.NAME._target_=CLASS",
    "use_distributed_sampler": "this project's sampler shares out windows itself",
    "enable_progress_bar": "use trainer.progress",
    "enable_checkpointing": "a run always keeps its best and its last weights; it cannot go on without",
    **dict.fromkeys(("max_epochs", "min_epochs", "max_steps", "min_steps", "max_time"), _LENGTH),
    **dict.fromkeys(("limit_val_batches", "val_check_interval", "check_val_every_n_epoch"), _VALIDATION),
    **dict.fromkeys(("fast_dev_run", "barebones", "overfit_batches"), _SHORT),
    **dict.fromkeys(("limit_test_batches", "limit_predict_batches"), "a run is tested on all its test songs"),
}

PACKAGES = ("toy_duration_predictor", "torch", "torchmetrics", "lightning")
# Classes that an argument of a callback or a logger may have. Metrics are modules.
ARGUMENT_CLASSES = (Callback, Logger, nn.Module, RichProgressBarTheme)


def check_arguments(arguments: dict[str, Any], own: set[str]) -> None:
    """Checks further arguments of `lightning.pytorch.Trainer`.

    Args:
        arguments: Their names and values.
        own: The settings of `trainer` that are this project's.

    Raises:
        InputError: There is no such argument, or it is one that a run sets itself.
    """
    known = {*inspect.signature(pl.Trainer).parameters, *own} - OURS.keys()
    for name in arguments:
        if name in OURS:
            raise InputError(f"trainer.{name} cannot be set: {OURS[name]}.")
        if name not in known:
            raise InputError(f"There is no setting 'trainer.{name}'; {did_you_mean(name, known)}")


def check_classes(group: str, classes: dict[str, dict[str, Any]]) -> None:
    """Checks the classes of a group of a configuration; instantiates nothing.

    Args:
        group: `callbacks` or `loggers`.
        classes: By name, each with its `_target_`, the class, and arguments.

    Raises:
        InputError: A class is missing, unknown, or not among the allowed ones.
    """
    for name, settings in classes.items():
        place = f"{group}.{name}"
        if "_target_" not in settings:
            raise InputError(f"{place} has no class; give it as +{place}._target_=CLASS.")
        _check_value(place, settings, (Callback,) if group == "callbacks" else (Logger,))


def instantiate_classes(group: str, classes: dict[str, dict[str, Any]]) -> list[Any]:
    """Instantiates the classes that `check_classes` has checked.

    Raises:
        InputError: A class refuses its arguments.
    """
    instances = []
    for name, settings in classes.items():
        try:
            instances.append(instantiate(settings, _convert_="all"))
        except InstantiationException as error:
            cause = error.__cause__ or error
            raise InputError(f"{group}.{name} cannot be made with these arguments: {first_line(cause)}.") from error
    return instances


def _check_value(place: str, value: Any, allowed: tuple[type, ...]) -> None:
    """Checks a value and all values in it. If it names a class, that must be one of `allowed` or a subclass."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "_target_":
                _check_class(f"{place}._target_={inner}", inner, allowed)
            elif str(key).startswith("_"):
                # Hydra's own keys: `_partial_` would give a function in place of an object, `_args_` go unchecked.
                raise InputError(f"{place}.{key} cannot be used; beside _target_ give arguments of the class only.")
            else:
                _check_value(f"{place}.{key}", inner, ARGUMENT_CLASSES)
    elif isinstance(value, list):
        for inner in value:
            _check_value(place, inner, ARGUMENT_CLASSES)
    elif isinstance(value, str) and "${" in value:
        # OmegaConf would put something else in its place after this check, when the object is instantiated.
        raise InputError(f"{place}={value} cannot be used: write the value out.")


def _check_class(shown: str, target: Any, allowed: tuple[type, ...]) -> None:
    packages = f"give a class of {', '.join(PACKAGES[:-1])} or {PACKAGES[-1]}"
    if not isinstance(target, str) or target.split(".")[0] not in PACKAGES:
        raise InputError(f"{shown} cannot be used: {packages}.")
    try:
        found = resolve_name(target)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"{shown}: there is no such class ({error}).") from error
    # The name alone proves nothing: 'torch.os.system' begins as a name of torch does.
    if not isinstance(found, type) or found.__module__.split(".")[0] not in PACKAGES:
        raise InputError(f"{shown} cannot be used: {packages}.")
    if not issubclass(found, allowed):
        raise InputError(f"{shown} cannot be used: it is no {' or '.join(base.__name__ for base in allowed)}.")
