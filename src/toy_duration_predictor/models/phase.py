"""The default network: a linear-chain CRF over the phases of onsets, with log-potentials from dilated convolutions.

What a phase is, and what the CRF does with log-potentials, is told in `_phase`.

Shapes: `B` windows, `T` notes, `W` channels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toy_duration_predictor.models._phase import PhaseCRF

__all__ = ["Phase"]


class Phase(PhaseCRF):
    """Gated convolutions along the notes, each with twice the dilation of the one before.

    The gates are gated linear units: Dauphin et al. (2017), "Language modeling with gated convolutional networks",
    ICML. Four convolutions over 5 notes see 30 notes to either side. Half-way, means of the window add what lies
    further away.

    Args:
        num_singers: Singers known.
        layers: Convolutions.
        kernel: Notes that a convolution sees, odd.
        dropout: Dropout of a convolution's output, and before the output layer.

    The other arguments are those of `PhasePotentials`.

    Raises:
        ValueError: `phases` or `kernel` is even.
    """

    def __init__(
        self,
        num_singers: int,
        style_features: float,
        phases: int = 15,
        width: int = 48,
        layers: int = 4,
        kernel: int = 5,
        dropout: float = 0.4,
        scores: float = 0,
    ) -> None:
        super().__init__(num_singers, style_features, phases, width, dropout, scores)
        if kernel % 2 == 0:
            raise ValueError("kernel must be odd")
        # Conv2d on images of one row, not Conv1d: it takes images whose channels come last in memory, as they do in
        # `notes`, so nothing is copied.
        self.convolutions = nn.ModuleList(
            nn.Conv2d(width, 2 * width, (1, kernel), padding=(0, kernel // 2 * dilation), dilation=(1, dilation))
            for dilation in (2**layer for layer in range(layers))  # one by one, as `layers` may be any number
        )
        self.mean = nn.Linear(width, width)

    def encode(self, notes: Tensor, mask: Tensor, position: Tensor) -> Tensor:
        """See `PhaseCRF.encode`."""
        real = mask[..., None].to(notes)
        for i, convolution in enumerate(self.convolutions):
            if i == len(self.convolutions) // 2:
                # The mean of the whole window: all rests of a singer or a file are of much the same length.
                mean = self.mean(notes.sum(1, keepdim=True) / real.sum(1, keepdim=True))
                notes = torch.addcmul(notes, mean, real)
                notes = self.beat_means(notes, mask, position)
            # (B, T, W) as an image (B, W, 1, T), and back.
            seen = convolution(notes.transpose(1, 2)[:, :, None])[:, :, 0].transpose(1, 2)
            notes = torch.addcmul(notes, self.dropout(F.glu(seen)), real)
        return notes
