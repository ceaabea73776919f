"""Which songs and runs a report's numbers are of."""

from statistics import median
from typing import Any, NamedTuple

import numpy as np

from toy_duration_predictor.comparison.arms import MODEL
from toy_duration_predictor.training.run_folder import FinishedRun


class Provenance(NamedTuple):
    """Which songs and runs the numbers are of; network and training are Model B's.

    Attributes:
        songs: Rows of the songs table.
        repetitions: Seed, split seed and fold of each, the last one empty where there are no folds.
        seconds: Each arm's median training time.
        runs: The run folders of each arm, in the order of the repetitions.
    """

    source: str
    fingerprint: str
    songs: int
    test_songs: int
    test_singers: int
    repetitions: list[tuple[int, int, str]]
    network: dict[str, Any]
    training: dict[str, Any]
    commit: str
    versions: dict[str, str]
    seconds: dict[str, float]
    runs: dict[str, list[str]]


def provenance(by_arm: dict[str, list[FinishedRun]], songs: int, singers: np.ndarray) -> Provenance:
    """Says where numbers come from that are of so many songs, and of test songs by `singers`, `(S,)`."""
    first = by_arm[MODEL][0]
    metrics = first.metrics
    return Provenance(
        source=str(metrics["data/source"]),
        fingerprint=str(metrics["data/fingerprint"]),
        songs=songs,
        test_songs=len(singers),
        test_singers=len(np.unique(singers)),
        repetitions=[run.repetition for run in by_arm[MODEL]],
        network=first.config["model"],
        training=first.config["training"],
        commit=str(metrics["git/commit"]),
        versions={key[8:]: str(value) for key, value in metrics.items() if key.startswith("version/")},
        seconds={arm: median(float(run.metrics["train/seconds"]) for run in of_arm) for arm, of_arm in by_arm.items()},
        runs={arm: [str(run.folder) for run in of_arm] for arm, of_arm in by_arm.items()},
    )
