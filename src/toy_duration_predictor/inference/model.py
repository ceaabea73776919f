"""A trained network with the singers that it knows, which is asked about whole songs, one after the other.

Shapes: `T` notes and rests of a song.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any, TypeAlias, Unpack

import numpy as np
import torch
from torch import Tensor, nn

from toy_duration_predictor.data.quantize import STEP_BEATS
from toy_duration_predictor.data.singers import Names, Singer
from toy_duration_predictor.data.style import StylePrior
from toy_duration_predictor.errors import InputError, first_line
from toy_duration_predictor.inference.inputs import Step, Ticks, checked_songs
from toy_duration_predictor.inference.references import reference_sums
from toy_duration_predictor.inference.rows import KnownAndBegun, rows, tensor
from toy_duration_predictor.inference.singers import performer
from toy_duration_predictor.models import DistributionNetwork, Inputs

# What is computed of a song: of a network, its inputs and, where they are given, sung durations `(1, T)`.
Compute: TypeAlias = Callable[[Any, Inputs, Tensor | None], Tensor]


class Model:
    """What `Predictor` is but for its questions; see there for the arguments."""

    def __init__(
        self,
        network: nn.Module,
        singers: Sequence[int],
        anonymous: bool = False,
        device: str | torch.device = "cpu",
        singer_names: Names = {},  # noqa: B006
        step_beats: float = STEP_BEATS,
    ) -> None:
        self.singers, self.singer_names = list(singers), dict(singer_names)
        self.anonymous, self.step_beats = anonymous, step_beats
        try:
            self.device = torch.device(device)
        except RuntimeError as error:  # torch names two dozen kinds, for most of which nobody has a build
            raise InputError(f"device={device}: no such device; give one such as cpu, cuda:1 or mps.") from error
        try:
            torch.ones((), device=self.device).item()  # some devices take numbers and give none back
            self.network = deepcopy(network).to(self.device).requires_grad_(False).eval()
        except (RuntimeError, AssertionError, ImportError) as error:
            # Torch adds lines about its own debugging.
            raise InputError(f"device={device} cannot be used: {first_line(error).rstrip('.')}.") from error

    def label(self, singer_id: int) -> str:
        """Returns what a singer is called: by name, or else by number, as in `Singer 2`."""
        return self.singer_names.get(singer_id, f"Singer {singer_id}")

    @property
    def has_distribution(self) -> bool:
        """Whether `sample`, `quantiles` and `log_likelihood` can be used."""
        return isinstance(self.network, DistributionNetwork)

    @property
    def reads_style(self) -> bool:
        """Whether `like` and `began` can be used."""
        return StylePrior.of(self.network, self.anonymous) is not None

    def _check_distribution(self, method: str) -> None:
        if not self.has_distribution:
            raise InputError(
                f"{method}: network {type(self.network).__name__} has no distribution, only predict; "
                "train one that has, such as model=phase."
            )

    @torch.inference_mode()
    def _each(
        self,
        compute: Compute,
        quantized: Ticks | Sequence[Ticks],
        singer: Singer | None,
        sung: list[np.ndarray] | None = None,
        *,
        step: Step,
        **known: Unpack[KnownAndBegun],
    ) -> np.ndarray | list[np.ndarray]:
        """Returns what `compute` returns for each song, after what was sung of it."""
        songs, several = checked_songs(quantized, "quantized")
        lengths = [len(song) for song in songs]
        if sung is not None and [len(song) for song in sung] != lengths:
            raise InputError(f"sung: has songs of {[len(song) for song in sung]} notes where quantized has {lengths}.")
        like = known.get("like")
        heard = None if like is None else reference_sums(like)
        who = performer(self.network, self.singers, self.anonymous, singer, heard, self.singer_names)
        found = []
        for i, row in enumerate(rows(songs, who, self.device, step, known.get("rest"), known.get("began"))):
            if row.inputs is None:
                found.append(row.first)
                continue
            given = None if sung is None else tensor(sung[i], self.device)
            computed = compute(row.network, row.inputs, given).cpu().double().numpy()
            found.append(np.concatenate([row.first, computed]) if len(row.first) else computed)
        return found if several else found[0]
