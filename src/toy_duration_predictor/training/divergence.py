"""A training whose loss is not finite: it stops at once, and names the songs. `failure` remembers it."""

import torch
from torch import Tensor

from toy_duration_predictor.data.batches import Batch
from toy_duration_predictor.data.datamodule import named_rows
from toy_duration_predictor.training.failure import DivergedError


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
