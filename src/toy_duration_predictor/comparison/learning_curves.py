"""Learning curves: the skill on the validation songs after each epoch, from the event files of a run."""

from pathlib import Path
from typing import NamedTuple

from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator


class Curve(NamedTuple):
    """A learning curve: the numbers of the epochs, from 1, and the skill on the validation songs after each of them."""

    epochs: list[int]
    skill: list[float]


def learning_curve(run: Path) -> Curve:
    """Returns a run's learning curve, from the event files in its folder.

    It is empty for arms trained on sung durations: the copy baseline is perfect there, and skill has no value. A run
    that was interrupted and went on has several event files, which are read as one.
    """
    events = EventAccumulator(str(run), size_guidance={SCALARS: 0}).Reload()  # 0: all of them, not a sample
    scalars = set(events.Tags()[SCALARS])
    if "val/skill" not in scalars:
        return Curve([], [])
    # Where the epoch, from 0, is among the values, steps are updates; elsewhere steps are epochs.
    updates = events.Scalars("epoch") if "epoch" in scalars else []
    epoch_of = {event.step: round(event.value) + 1 for event in updates}
    skill = {epoch_of.get(event.step, event.step): event.value for event in events.Scalars("val/skill")}
    # Files come in the order of their names, and end in a number without zeros before it.
    return Curve(*map(list, zip(*sorted(skill.items()), strict=True)))
