"""What notes have in common with those that end at the same place in the beat, or at another one.

Singers keep to a beat whose lines are not those of the grid: the grid begins with the first note, wherever in the beat
that was sung. Where most onsets of a song lie within the beat tells on which side of their grid lines they are.

Shapes: `B` windows, `T` notes, `W` channels, `P` places, `V` values.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Grid steps in which the beat comes round: a quarter note has as many on the grid of the published dataset, 1/32.
PLACES = 8
VALUES = 16


def places(steps: Tensor) -> Tensor:
    """Returns the grid line on which each note ends, counted from the window's start and within `PLACES`.

    Args:
        steps: float `(B, T)`; durations in grid steps, 0 at padding.

    Returns:
        int64 `(B, T)`, from 0 to `PLACES` - 1. Where the first note lies within the beat is not known, so only
        differences of places mean anything.
    """
    return (steps.cumsum(1).round() % PLACES).long()


class BeatMeans(nn.Module):
    """Adds to each note what the window's notes are like at each place in the beat, seen from the note's own place.

    What a place has is the sum of its notes' values over the mean number of notes a place, so that it also tells how
    many they are. There are no weights for single places, so that nothing depends on where the grid begins.

    Args:
        width: `W`.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.values = nn.Linear(width, VALUES)
        self.merge = nn.Linear(PLACES * (VALUES + 1), width)
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, notes: Tensor, mask: Tensor, place: Tensor) -> Tensor:
        """Returns float `(B, T, W)`; nothing is added at padding.

        Args:
            notes: float `(B, T, W)`.
            mask: bool `(B, T)`, true for notes.
            place: int64 `(B, T)`; see `places`.
        """
        at = ((place[..., None] == torch.arange(PLACES, device=place.device)) & mask[..., None]).to(notes)  # (B, T, P)
        # The last of the values is how many notes there are, of what there would be if all places had as many.
        values = torch.cat([self.values(notes), torch.ones_like(notes[..., :1])], dim=-1)
        means = at.mT @ values * (PLACES / mask.sum(1))[:, None, None]  # (B, P, V + 1)
        around = torch.cat([means.roll(-away, 1) for away in range(PLACES)], dim=-1)
        added: Tensor = at @ self.out(F.gelu(self.merge(around)))
        return notes + added
