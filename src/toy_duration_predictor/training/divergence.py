"""A training whose loss is not finite: it stops at once, names the songs, and is not tried again by itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from toy_duration_predictor.data.batches import Batch
from toy_duration_predictor.data.datamodule import named_rows
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.files import write_text

DIVERGED = "diverged.txt"


class DivergedError(InputError):
    """A loss or a prediction is not finite."""


def check_finite(where: str, batch: Batch, *values: Tensor) -> None:
    """Checks the loss of a batch, and what else it is given.

    Args:
        where: The epoch and the batch, for the message.
        batch: The batch; the message names the rows of its songs.
        values: Of any shape.

    Raises:
        DivergedError: A value is not finite.
    """
    if not all(bool(torch.isfinite(value).all()) for value in values):
        rows = named_rows(sorted(set(batch.row.tolist())))
        raise DivergedError(
            f"The training diverged in {where}, with songs of {rows}; try a lower "
            f"training.learning_rate, or look at these songs. With force=true the same run begins anew."
        )


@contextmanager
def remembered(folder: Path) -> Iterator[None]:
    """Leaves a word in a run's folder if the training within a `with` block diverges."""
    try:
        yield
    except DivergedError as error:
        write_text(folder / DIVERGED, f"{error}\n")
        raise


def say_that_it_diverged(folder: Path) -> None:
    """Says again what was remembered: the same training would diverge again.

    Raises:
        DivergedError: The training of this run has diverged before.
    """
    path = folder / DIVERGED
    if path.is_file():
        raise DivergedError(path.read_text(encoding="utf-8", errors="replace").strip())
