"""The experiment's three questions, as comparisons of errors on the same test songs.

| question | claim | rival |
| --- | --- | --- |
| Q1 | Model B beats Model A on quantized input | Model A |
| Q2 | Model B beats copying, and beats the lookups | copying; the lookup that was best on the validation songs |
| Q3 | The singer's identity helps | Model B trained without it; Model B given another singer's |

A question of two parts is *supported* if both are, *refuted* if either is, and else *inconclusive*; each part has the
verdict of `statistics.verdict`. Its p-value is the larger of two: that of the songs, corrected for the number of parts
by Holm's method, and that of the repetitions, which with fewer than six cannot be below 0.05.
"""

from typing import NamedTuple

import numpy as np

from toy_duration_predictor.experiment.evidence import SongErrors, mean_over_repetitions
from toy_duration_predictor.experiment.statistics import (
    Verdict,
    difference_interval,
    holm,
    seed_sign_flip,
    song_sign_flip,
    verdict,
)

LEVEL = 0.05

# No practical difference: less than this share of the error of copying.
NO_DIFFERENCE = 0.01

SUPPORTED, REFUTED, INCONCLUSIVE = "supported", "refuted", "inconclusive"

CLAIMS = {
    "Q1": "Model B beats Model A on quantized input",
    "Q2": "Model B beats copying, and beats the lookups",
    "Q3": "The singer's identity helps",
}


class Part(NamedTuple):
    """A comparison of Model B with a rival.

    Attributes:
        question: Which question it belongs to.
        rival: What Model B is compared with.
        verdict: Its difference is the rival's MAE minus Model B's, ticks: positive where the claim holds.
        p_songs: Sign-flip test over songs, not corrected.
        p_seeds: Sign-flip test over repetitions.
    """

    question: str
    rival: str
    verdict: Verdict
    p_songs: float
    p_seeds: float


def judge(
    model: list[SongErrors], rivals: list[tuple[str, str, list[SongErrors]]], copying: SongErrors, resamples: int
) -> list[Part]:
    """Compares Model B with its rivals.

    Args:
        model: Model B's errors in each repetition.
        rivals: Question, name and errors in each repetition, on the same songs as the model's.
        copying: The errors of copying, for the region of no practical difference.
        resamples: Of the bootstrap.
    """
    own = mean_over_repetitions(model)
    p_songs, differences, p_seeds = {}, {}, {}
    for question, rival, errors in rivals:
        key = f"{question} {rival}"
        other = mean_over_repetitions(errors)
        differences[key] = difference_interval(other.error, own.error, own.notes, own.singer, resamples=resamples)
        p_songs[key] = song_sign_flip(other.error, own.error, own.notes)
        p_seeds[key] = seed_sign_flip(np.array([a.mae - b.mae for a, b in zip(errors, model, strict=True)]))
    corrected = holm(p_songs)
    parts = []
    for question, rival, _ in rivals:
        key = f"{question} {rival}"
        judged = verdict(differences[key], max(corrected[key], p_seeds[key]), NO_DIFFERENCE * copying.mae, LEVEL)
        parts.append(Part(question, rival, judged, p_songs[key], p_seeds[key]))
    return parts


def answer(parts: list[Part], question: str) -> str:
    """Returns the verdict on a question from those on its parts."""
    words = {part.verdict.word for part in parts if part.question == question}
    if REFUTED in words:
        return REFUTED
    return SUPPORTED if words == {SUPPORTED} else INCONCLUSIVE
