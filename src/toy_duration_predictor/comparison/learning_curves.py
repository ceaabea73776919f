"""Learning curves, from the event files that a run's TensorBoard logger has written."""

from pathlib import Path
from typing import NamedTuple

from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator


class Curve(NamedTuple):
    """Skill on the validation songs, epoch by epoch.

    Attributes:
        epochs: Numbers of the epochs, from 1.
        skill: Skill after each of them.
    """

    epochs: list[int]
    skill: list[float]


def learning_curve(run: Path) -> Curve:
    """Returns the learning curve of a run.

    It is empty for arms trained on sung durations: the copy baseline is perfect there, and skill has no value.

    Args:
        run: The run's folder. A run that was interrupted and went on has several event files, which are read as one.
    """
    events = EventAccumulator(str(run), size_guidance={SCALARS: 0}).Reload()  # 0: all of them, not a sample
    if not {"val/skill", "epoch"} <= set(events.Tags()[SCALARS]):
        return Curve([], [])
    # A value is logged at an optimizer's update; the epoch, which counts from 0, is logged at the same one.
    epoch_of_update = {event.step: round(event.value) + 1 for event in events.Scalars("epoch")}
    skill = {epoch_of_update[event.step]: event.value for event in events.Scalars("val/skill")}
    return Curve(list(skill), list(skill.values()))
