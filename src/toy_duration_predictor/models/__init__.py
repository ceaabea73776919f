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
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from toy_duration_predictor.errors import InputError, did_you_mean

# The largest network that is made: 1 GiB of numbers. A file that asks for more was not made by training.
MOST_TENSORS, MOST_NUMBERS = 10_000, 2**28

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


class Inputs(NamedTuple):
    """What a network is given: windows of a song's notes and rests, or whole songs. Padding comes after a row's notes.

    Attributes:
        quantized: float `(B, T)`, ticks; the quantized durations, 0 at padding.
        mask: bool `(B, T)`, true for notes and rests, false for padding; at least one note a row.
        step: float `(B,)`, ticks of each row's grid step.
        rest: bool `(B, T)`; which durations are rests.
        start: float `(B,)`, ticks; how far behind its grid line a row's first onset was sung. It is 0 where a row
            begins with its song, as the grid begins with the first onset, and nan where it is not known.
        singer: int64 `(B,)`, index of the singer.
        style: float `(B, F)`; the singer's style (see `data.style`), or None for what the network knows of `singer`.
            Networks that know singers by a learned embedding alone do not read it.
    """

    quantized: "Tensor"
    mask: "Tensor"
    step: "Tensor"
    rest: "Tensor"
    start: "Tensor"
    singer: "Tensor"
    style: "Tensor | None" = None


class Network(Protocol):
    """The interface of every network."""

    def forward(self, inputs: Inputs) -> "Tensor":
        """Predicts sung durations, float `(B, T)`, ticks. Their running totals are the predicted onsets and ends."""


@runtime_checkable
class DistributionNetwork(Network, Protocol):
    """The interface of a network with a distribution over performances; `phase` is an example.

    `carried`: whether the durations are carried values (see `data.quantize.carried`), as in the published dataset.
    """

    def distribution(self, inputs: Inputs, carried: bool = False) -> "tuple[Tensor, Tensor]":
        """Returns a histogram of each sung duration: probabilities `(B, T, V)`, and edges `(B, T, V + 1)` in ticks."""

    def log_likelihood(self, inputs: Inputs, sung: "Tensor", carried: bool = False) -> "Tensor":
        """Returns the log-probability of the sung durations `sung`, float `(B, T)`, whole ticks; nats, float `(B,)`."""

    def sample(self, inputs: Inputs, temperature: float = 1.0, generator: "Generator | None" = None) -> "Tensor":
        """Returns a sample of the sung durations, jointly over a row, float `(B, T)`, ticks."""


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
        with _bounded():
            built: nn.Module = network(**given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"Network '{name}' cannot be made with {given}: {error}") from error
    return built


@contextmanager
def _bounded() -> Iterator[None]:
    """Refuses a network that is too large while it is made, before its memory is used.

    Raises:
        ValueError: It would have more tensors than `MOST_TENSORS`, or more numbers in them than `MOST_NUMBERS`.
    """
    from torch.nn.modules.module import (
        register_module_buffer_registration_hook,
        register_module_parameter_registration_hook,
    )

    thread, tensors, numbers = get_ident(), 0, 0

    def count(module: "nn.Module", name: str, tensor: "Tensor | None") -> None:
        nonlocal tensors, numbers
        if tensor is None or get_ident() != thread:  # these hooks are of all threads
            return
        tensors, numbers = tensors + 1, numbers + tensor.numel()
        if tensors > MOST_TENSORS or numbers > MOST_NUMBERS:
            raise ValueError(f"it would have more than {MOST_TENSORS:,} tensors or {MOST_NUMBERS:,} numbers in them")

    registrations = register_module_parameter_registration_hook, register_module_buffer_registration_hook
    hooks = [register(count) for register in registrations]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def singer_embedding(network: "nn.Module") -> "nn.Embedding | None":
    """Returns a network's embedding of singers, or None if it knows singers in another way."""
    from torch import nn

    found = getattr(network, "singer_embedding", None)
    return found if isinstance(found, nn.Embedding) else None
