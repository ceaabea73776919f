"""Who sings: a trained singer, a mixture, nobody in particular, or somebody of whom songs are given.

Shapes: `F` features of a style, `S` singers.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from toy_duration_predictor.data.singers import Names, Singer, listed, shares
from toy_duration_predictor.data.style import StylePrior, Sums
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.models import singer_embedding


class Performer(NamedTuple):
    """A network, and what it is told of the singer.

    Attributes:
        network: The network.
        singer: Index of the singer.
        style: float32 `(F,)`; their style, which takes the index's place. None: the network is told none.
        prior: How songs become a style. None: the network reads no style.
    """

    network: nn.Module
    singer: int
    style: np.ndarray | None
    prior: StylePrior | None

    def after(self, beginning: Sums) -> "Performer":
        """Returns the performer as known after the beginning of a song, of which these are the sums."""
        style = _reading(self.network, self.prior).so_far(beginning, np.asarray(self.style))
        return self._replace(style=style)


def _reading(network: nn.Module, prior: StylePrior | None) -> StylePrior:
    """Returns the prior of a network that reads styles, and refuses another network."""
    if prior is None:
        raise InputError(
            f"This model's network, {type(network).__name__}, has not learned to read a singer's style, so it cannot "
            "sing like somebody; give a singer's number, or take a model=phase, trained with singers."
        )
    return prior


def performer(
    network: nn.Module,
    singers: Sequence[int],
    anonymous: bool,
    singer: Singer | None,
    heard: Sums | None = None,
    names: Names = {},  # noqa: B006
) -> Performer:
    """Returns the performer that a `singer` stands for, or songs.

    Args:
        network: The network.
        singers: The `singer_id` of each singer index.
        anonymous: Whether the network was trained without the singer's identity.
        singer: Somebody's number or name, a mixture, or None, nobody in particular.
        heard: The sums of songs by a singer.
        names: The singers' names.

    Raises:
        InputError: Both `singer` and `heard` are given; the singer is not known or cannot be mixed; the network needs
            one and none is given; or it reads no style.
    """
    prior = StylePrior.of(network, anonymous)
    if heard is not None:
        if singer is not None:
            raise InputError("singer and like exclude each other; give a singer's number, or songs to sing like.")
        prior = _reading(network, prior)
        return Performer(network, 0, prior.style(heard), prior)
    weights = None if singer is None else np.array(shares(singer, singers, names))
    if anonymous:  # it was trained with every singer as the first one
        return Performer(network, 0, None, None)
    table = singer_embedding(network)
    if hasattr(network, "style_prior") and table is not None:
        styles = table.weight.detach().cpu().numpy()
        weights = np.zeros(len(singers)) if weights is None else weights
        return Performer(network, 0, weights.astype(np.float32) @ styles, prior)
    if weights is None:
        raise InputError(
            f"Network {type(network).__name__} knows singers by what it has learned of each alone; "
            f"give one of {listed(singers, names)}."
        )
    if np.count_nonzero(weights) == 1:
        return Performer(network, int(weights.argmax()), None, None)
    if table is None:
        raise InputError(
            f"Network {type(network).__name__} knows singers in another way than by an embedding, and cannot mix them; "
            "give one singer's number."
        )
    # Other threads use the network, so a copy gets the mixture as its only singer.
    mixed = deepcopy(network)
    mixture = torch.from_numpy(weights).to(table.weight)
    mixed.singer_embedding = nn.Embedding.from_pretrained(mixture[None] @ table.weight)  # type: ignore[no-untyped-call]
    return Performer(mixed, 0, None, None)
