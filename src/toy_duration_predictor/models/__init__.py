"""Networks, one a file. A network takes ticks and returns ticks.

The interface: an `nn.Module` whose constructor takes plain numbers, `num_singers` among them, and whose
`forward(durations, singer, mask, step)` maps durations `(B, T)` in ticks to durations `(B, T)` in ticks. A constructor
that also names a statistic of the training split, such as `target_mean` (see `SongsDataModule`), is given it. A network
with a distribution also has `distribution`, `log_likelihood` and `sample`; see `phase`. A file exports its network as
the only name in `__all__`; the file's name is the network's name in configurations and checkpoints, and begins with a
letter.
"""

import importlib
import inspect
import pkgutil
from typing import TYPE_CHECKING

from toy_duration_predictor.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from torch import nn


def network_names() -> list[str]:
    """Returns the names that `build` knows, without importing torch."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def build(name: str, statistics: dict[str, float], **sizes: float) -> "nn.Module":
    """Makes a network with fresh weights.

    Args:
        name: The file's name.
        statistics: Statistics of the training split; the network is given those that it names.
        sizes: Everything else that the network's constructor takes.

    Raises:
        InputError: There is no such network, or it has no such size, or cannot be made with these sizes.
    """
    if name not in network_names():
        raise InputError(f"model.name={name}: no such network; {did_you_mean(name, network_names())}")
    module = importlib.import_module(f"{__name__}.{name}")
    network = getattr(module, module.__all__[0])
    wanted = inspect.signature(network).parameters
    for size in sizes:
        if size not in wanted:
            raise InputError(f"model.{size}: network '{name}' has no such size; {did_you_mean(size, wanted)}")
    given = {**{key: value for key, value in statistics.items() if key in wanted}, **sizes}
    try:
        made: nn.Module = network(**given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"Network '{name}' cannot be made with {given}: {error}") from error
    return made
