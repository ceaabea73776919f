"""Networks, one a file. A network takes ticks and returns ticks; see `Network` and `DistributionNetwork`.

A file exports its network, an `nn.Module`, as the only name in `__all__`. The file's name begins with a letter, and is
the network's name in configurations and checkpoints. The constructor takes plain numbers, `num_singers` among them. If
it names a statistic of the training split, such as `target_mean` (see `SongsDataModule`), it is given that statistic. A
network that knows singers by an embedding calls it `singer_embedding`: singers can then be mixed, and TensorBoard's
projector shows them.

Shapes: `B` windows, `T` notes, `V` bins of a histogram.
"""

import importlib
import inspect
import pkgutil
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from toy_duration_predictor.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


class Network(Protocol):
    """The interface of every network."""

    def forward(self, quantized: "Tensor", singer: "Tensor", mask: "Tensor", step: "Tensor") -> "Tensor":
        """Predicts sung durations.

        Args:
            quantized: float `(B, T)`, ticks; the quantized durations, 0 at padding.
            singer: int64 `(B,)`, index of the singer.
            mask: bool `(B, T)`, true for notes and false for the padding that follows them.
            step: float `(B,)`, ticks of each row's grid step.

        Returns:
            float `(B, T)`, ticks.
        """


@runtime_checkable
class DistributionNetwork(Network, Protocol):
    """The interface of a network with a distribution. Arguments are those of `forward`; `phase` is an example."""

    def distribution(
        self, quantized: "Tensor", singer: "Tensor", mask: "Tensor", step: "Tensor"
    ) -> "tuple[Tensor, Tensor]":
        """Returns a histogram of each sung duration: probabilities `(B, T, V)`, and edges `(B, T, V + 1)` in ticks."""

    def log_likelihood(
        self, quantized: "Tensor", singer: "Tensor", mask: "Tensor", step: "Tensor", sung: "Tensor"
    ) -> "Tensor":
        """Returns the log-likelihood of the sung durations `sung`, float `(B,)`, nats a window."""

    def sample(
        self,
        quantized: "Tensor",
        singer: "Tensor",
        mask: "Tensor",
        step: "Tensor",
        temperature: float = 1.0,
        generator: "Generator | None" = None,
    ) -> "Tensor":
        """Returns a sample of the sung durations, jointly over a window, float `(B, T)`, ticks."""


def network_names() -> list[str]:
    """Returns the names that `build` knows, without importing torch."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def build(name: str, statistics: dict[str, float], **sizes: float) -> "nn.Module":
    """Makes a network with fresh weights.

    Args:
        name: The file's name.
        statistics: Statistics of the training split. The network is given the ones that its constructor names.
        sizes: All other arguments of the network's constructor.

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
        built: nn.Module = network(**given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"Network '{name}' cannot be made with {given}: {error}") from error
    return built


def singer_embedding(network: "nn.Module") -> "nn.Embedding | None":
    """Returns a network's embedding of singers, or None if it knows singers in another way."""
    from torch import nn

    found = getattr(network, "singer_embedding", None)
    return found if isinstance(found, nn.Embedding) else None
