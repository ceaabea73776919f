"""Everything that a report says, as plain nested values."""

from typing import Any, NamedTuple

from toy_duration_predictor.comparison.baselines import Best
from toy_duration_predictor.comparison.between_singers import BetweenSingers
from toy_duration_predictor.comparison.by_resolution import Resolution
from toy_duration_predictor.comparison.calibration import Calibration
from toy_duration_predictor.comparison.evidence import AblationErrors, ArmErrors
from toy_duration_predictor.comparison.gaps import Gaps
from toy_duration_predictor.comparison.learning_curves import Curve
from toy_duration_predictor.comparison.provenance import Provenance
from toy_duration_predictor.comparison.published_metric import Metric
from toy_duration_predictor.comparison.questions import Answers
from toy_duration_predictor.comparison.recognition import Recognition
from toy_duration_predictor.comparison.references import Known
from toy_duration_predictor.comparison.sensitivity import Sensitivity
from toy_duration_predictor.comparison.timing import Timings


class Comparison(NamedTuple):
    """Everything that a report says. Plain values, nested: `report.json` holds them as they are.

    Attributes:
        unit: In which errors decide.
        carried: Whether durations are carried values, which have no onsets; `errors` then lacks these measures.
        questions: By measure.
        sensitivity: By measure; of those where it was asked.
        errors: By measure, notes and rests apart among these, of each arm and baseline.
        best: By measure.
        by_resolution: By measure, of Model B and the best baselines.
        gaps: None where tempo or resolution are not known.
        learning_curves: Of each arm, one a repetition.
        ablations: By measure.
        published_metric: Of each arm in the first repetition, counted in four ways.
        timing: Of each arm and baseline in the first repetition, and of Model B's samples if it has distributions.
        recognition: None where there are fewer than two singers to tell apart.
        between_singers: None where no song is known to have several singers.
        references: What reference songs are worth, in the first repetition; None where the network reads no style.
        calibration: None where Model B predicts no distributions.
        examples: The first notes of some test songs: the columns of `predictions.parquet`.
        method: Numbers that were decided before any result was known; the modules that use them explain them.
    """

    unit: str
    carried: bool
    questions: dict[str, Answers]
    sensitivity: dict[str, Sensitivity]
    errors: dict[str, dict[str, ArmErrors]]
    best: dict[str, Best]
    by_resolution: dict[str, list[Resolution]]
    gaps: Gaps | None
    learning_curves: dict[str, list[Curve]]
    ablations: dict[str, dict[str, AblationErrors]]
    published_metric: dict[str, list[Metric]]
    timing: Timings
    recognition: Recognition | None
    between_singers: BetweenSingers | None
    references: dict[str, Known] | None
    calibration: Calibration | None
    examples: list[dict[str, Any]]
    method: dict[str, float]
    provenance: Provenance
