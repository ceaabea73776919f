"""Beyond the mean error: how predicted timing is distributed, beside the singers' own.

A deviation is a duration minus the quantized one, in ticks. Songs are lists of float arrays `(T,)`.
"""

import numpy as np
import pyarrow as pa
from scipy.stats import ks_2samp, wasserstein_distance

Songs = list[np.ndarray]


def timing(predictions: pa.Table) -> dict[str, float]:
    """Returns figures of predicted timing and of the sung one.

    Args:
        predictions: Like `predictions.parquet`.

    Returns:
        `wasserstein`: distance between the distributions of predicted and sung deviations, ticks (scipy's).
        `kolmogorov_smirnov`: the largest difference between their cumulative distributions, 0 to 1 (scipy's).
        `spread`, `spread_sung`: standard deviation of the deviations, ticks.
        `autocorrelation`, `autocorrelation_sung`: see `lag_1_autocorrelation`.
        `drift`: see `drift`.
    """
    quantized, sung, predicted = (
        [np.asarray(song, dtype=np.float64) for song in predictions[name].to_pylist()]
        for name in ("quantized", "original", "predicted")
    )
    own = [s - q for s, q in zip(sung, quantized, strict=True)]
    restored = [p - q for p, q in zip(predicted, quantized, strict=True)]
    all_own, all_restored = np.concatenate(own), np.concatenate(restored)
    return {
        "wasserstein": float(wasserstein_distance(all_restored, all_own)),
        "kolmogorov_smirnov": float(ks_2samp(all_restored, all_own, method="asymp").statistic),
        "spread": float(all_restored.std()),
        "spread_sung": float(all_own.std()),
        "autocorrelation": lag_1_autocorrelation(restored),
        "autocorrelation_sung": lag_1_autocorrelation(own),
        "drift": drift(predicted, sung),
    }


def lag_1_autocorrelation(deviations: Songs) -> float:
    """Returns the correlation of each deviation with the next one of its song; 0 where nothing deviates."""
    pairs = [song for song in deviations if len(song) > 1]
    if not pairs:
        return 0.0
    before, after = (np.concatenate([song[part] for song in pairs]) for part in (slice(None, -1), slice(1, None)))
    if before.std() == 0 or after.std() == 0:
        return 0.0
    return float(np.corrcoef(before, after)[0, 1])


def drift(predicted: Songs, sung: Songs) -> float:
    """Returns the mean over all notes of how far the running totals are apart, ticks."""
    apart = [np.abs(np.cumsum(p) - np.cumsum(s)) for p, s in zip(predicted, sung, strict=True)]
    return float(np.concatenate(apart).mean())


def error_by_length(
    predictions: pa.Table, steps: tuple[float, ...] = (0, 1, 2, 4, 8)
) -> list[tuple[str, int, float, float]]:
    """Returns the errors of notes by their quantized length in steps of their song's shortest.

    Args:
        predictions: Like `predictions.parquet`.
        steps: Lower bounds of the groups.

    Returns:
        For each group that has notes: its name, the number of notes, the MAE of copying, and of the predictions, ticks.
    """
    length, copied, left = [], [], []
    for row in predictions.to_pylist():
        quantized, sung, predicted = (np.asarray(row[name], float) for name in ("quantized", "original", "predicted"))
        positive = quantized[quantized > 0]
        length.append(quantized / (positive.min() if len(positive) else 1))
        copied.append(np.abs(quantized - sung))
        left.append(np.abs(predicted - sung))
    steps_long, copy_error, error = (np.concatenate(each) for each in (length, copied, left))
    groups = []
    for low, high in zip(steps, (*steps[1:], np.inf), strict=True):
        which = (steps_long >= low) & (steps_long < high)
        if which.any():
            name = (
                f"{low:g}" if high == low + 1 else f"{low:g} to {high - 1:g}" if high < np.inf else f"{low:g} and more"
            )
            groups.append((name, int(which.sum()), float(copy_error[which].mean()), float(error[which].mean())))
    return groups
