"""What a window's notes are like at each metrical position.

A *metrical position* is a grid line within the beat. Singers keep to a beat, but the grid is not theirs: it begins with
the first note, whether that was sung early or late. The metrical positions of most onsets of a song tell on which side
of their grid lines they were sung.

Shapes: `B` windows, `T` notes, `W` channels, `P` metrical positions, `V` values.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Grid steps in a beat, on the grid of the published dataset: a quarter note is eight notes of 1/32.
POSITIONS = 8
VALUES = 16


def metrical_positions(steps: Tensor) -> Tensor:
    """Returns the metrical position of each note's end: its grid line, counted from the start, within a beat.

    Args:
        steps: float `(B, T)`; durations in grid steps, 0 at padding.

    Returns:
        int64 `(B, T)`, from 0 to `POSITIONS` - 1. The position of the window's start in the beat is not known, so only
        differences of positions have a meaning.
    """
    return (steps.cumsum(1).round() % POSITIONS).long()


class BeatMeans(nn.Module):
    """Tells each note what the window's notes are like at all metrical positions, in their order from its own position.

    No weight belongs to a single position, as positions are counted from a start that means nothing.

    Args:
        width: `W`.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.values = nn.Linear(width, VALUES)
        self.merge = nn.Linear(POSITIONS * (VALUES + 1), width)
        # Zeros: a fresh module adds nothing.
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, notes: Tensor, mask: Tensor, position: Tensor) -> Tensor:
        """Returns float `(B, T, W)`: the notes, with something added to each; nothing is added at padding.

        Args:
            notes: float `(B, T, W)`.
            mask: bool `(B, T)`, true for notes.
            position: int64 `(B, T)`; see `metrical_positions`.
        """
        # One-hot, so that sums over the notes of a position, and the way back to the notes, are matrix products.
        at = (position[..., None] == torch.arange(POSITIONS, device=position.device)) & mask[..., None]
        at = at.to(notes)  # (B, T, P)
        # The value of 1 counts a position's notes: the beat is where most onsets are.
        values = torch.cat([self.values(notes), torch.ones_like(notes[..., :1])], dim=-1)
        # Sums divided by the mean number of notes at a position, not by the number at this one: so they are of one size
        # in short and long windows, and a position with few notes counts less.
        means = at.mT @ values * (POSITIONS / mask.sum(1))[:, None, None]  # (B, P, V + 1)
        # Row `p` has the means at p, p + 1, ... , p + 7: the same weights serve every position.
        around = torch.cat([means.roll(-away, 1) for away in range(POSITIONS)], dim=-1)
        # Computed for each position, then given to all of its notes: there are fewer positions than notes.
        added: Tensor = at @ self.out(F.gelu(self.merge(around)))
        return notes + added
