"""The default network: dilated convolutions, and a chain over phases (see `_phase`).

Shapes: `B` windows, `T` notes, `W` channels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toy_duration_predictor.models._phase import PhaseChain

__all__ = ["Phase"]


class Phase(PhaseChain):
    """Gated convolutions, each with twice the dilation of the one before, and means of the window among them.

    Gates are those of van den Oord et al. (2016), "Conditional image generation with PixelCNN decoders", section 2.1.

    Args:
        num_singers: Singers known.
        layers: Convolutions.
        kernel: Notes that each sees, odd.
        dropout: Dropout of each convolution's output, and of what the scores are made of.

    The other arguments are those of `PhaseChain`.

    Raises:
        ValueError: `phases` or `kernel` is even.
    """

    def __init__(
        self,
        num_singers: int,
        carried: float = 0.0,
        phases: int = 15,
        width: int = 32,
        layers: int = 4,
        kernel: int = 5,
        dropout: float = 0.2,
        singer_dropout: float = 0.5,
    ) -> None:
        super().__init__(num_singers, carried, phases, width, dropout, singer_dropout)
        if kernel % 2 == 0:
            raise ValueError("kernel must be odd")
        dilations = [2**layer for layer in range(layers)]
        # Over images of one row: their channels may come last in memory, as notes have them, and nothing is copied.
        self.convolutions = nn.ModuleList(
            nn.Conv2d(width, 2 * width, (1, kernel), padding=(0, kernel // 2 * dilation), dilation=(1, dilation))
            for dilation in dilations
        )
        self.mean = nn.Linear(width, width)

    def encode(self, notes: Tensor, mask: Tensor, place: Tensor) -> Tensor:
        """See `PhaseChain.encode`."""
        real = mask[..., None].to(notes)
        for i, convolution in enumerate(self.convolutions):
            if i == len(self.convolutions) // 2:
                # Of the whole window: a singer's and a file's rests are much of a length.
                mean = self.mean(notes.sum(1, keepdim=True) / real.sum(1, keepdim=True))
                notes = torch.addcmul(notes, mean, real)
                notes = self.beat_means(notes, mask, place)
            seen = convolution(notes.transpose(1, 2)[:, :, None])[:, :, 0].transpose(1, 2)
            notes = torch.addcmul(notes, self.dropout(F.glu(seen)), real)
        return notes
