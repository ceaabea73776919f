"""The report's sections beyond the mean error: of the timing itself, as Model B, its rivals and the singers have it."""

from typing import Any

from toy_duration_predictor.experiment import figures
from toy_duration_predictor.experiment.calibration import LEAST
from toy_duration_predictor.experiment.ceiling import RUN, ceiling
from toy_duration_predictor.experiment.gather import MODEL, Comparison
from toy_duration_predictor.experiment.recognition import SEGMENT, THEMSELVES
from toy_duration_predictor.experiment.statistics import Interval
from toy_duration_predictor.experiment.timing import PHRASE_REST, Group, error_by_length, error_by_place, timing
from toy_duration_predictor.page import Section


def timing_sections(comparison: Comparison) -> list[Section]:
    """Returns the sections."""
    return [
        _beyond(comparison),
        _by_length(comparison),
        _by_place(comparison),
        _recognition(comparison),
        _ceiling(comparison),
        *_calibration(comparison),
        _songs(comparison),
    ]


def timing_facts(comparison: Comparison) -> dict[str, Any]:
    """Returns their numbers."""
    test, calibration = comparison.runs[MODEL][0].predictions, comparison.calibration
    return {
        "timing": {name: timing(predictions) for name, predictions in _all_timing(comparison).items()},
        "error_by_length": error_by_length(test),
        "error_by_place": error_by_place(test, comparison.table),
        "recognition": comparison.recognition,
        "ceiling": _ceilings(comparison),
        "calibration": calibration and {k: v for k, v in calibration._asdict().items() if k != "pit"},
    }


def first_predictions(comparison: Comparison) -> dict[str, Any]:
    """Returns the predictions of each arm and baseline in the first repetition."""
    return {arm: runs[0].predictions for arm, runs in comparison.runs.items()} | comparison.baselines


def _all_timing(comparison: Comparison) -> dict[str, Any]:
    """Returns the same, and songs drawn from Model B's distributions if it has any."""
    drawn = {} if comparison.sampled is None else {f"{MODEL}, drawn": comparison.sampled}
    return drawn | first_predictions(comparison)


def _beyond(comparison: Comparison) -> Section:
    rows = []
    for name, predictions in _all_timing(comparison).items():
        t = timing(predictions)
        numbers = (t["wasserstein"], t["kolmogorov_smirnov"], t["spread"], t["autocorrelation"], t["drift"])
        rows.append((name, *(f"{number:.2f}" for number in numbers)))
    rows.append((THEMSELVES, "0.00", "0.00", f"{t['spread_sung']:.2f}", f"{t['autocorrelation_sung']:.2f}", "0.00"))
    remark = (
        "Deviations from the grid, predicted against sung, in the first repetition: distance between their "
        "distributions (Wasserstein, ticks; Kolmogorov-Smirnov), their standard deviation in ticks, their correlation "
        "from one note to the next, and how far running totals are apart on average, in ticks. Predictions are "
        "medians; what is drawn comes from the same model's distributions."
    )
    heads = ("", "Wasserstein", "Kolmogorov-Smirnov", "spread", "autocorrelation", "drift")
    return Section("Beyond the mean error", heads, rows, remark)


def _by_length(comparison: Comparison) -> Section:
    groups = error_by_length(comparison.runs[MODEL][0].predictions)
    rivals = error_by_length(comparison.baselines[comparison.best_lookup])
    heads = ("quantized length, grid steps", "notes and rests", *_group_heads(comparison))
    return Section("Error by length", heads, _group_rows(groups, rivals), "First repetition.")


def _by_place(comparison: Comparison) -> Section:
    title = "Notes, rests and phrases"
    groups = error_by_place(comparison.runs[MODEL][0].predictions, comparison.table)
    if not groups:
        return Section(title, remark="The songs table has no pitch, so that rests and phrases are not known.")
    rivals = error_by_place(comparison.baselines[comparison.best_lookup], comparison.table)
    remark = f"First repetition. A phrase ends at a rest of at least {PHRASE_REST} grid steps."
    return Section(title, ("", "how many", *_group_heads(comparison)), _group_rows(groups, rivals), remark)


def _group_heads(comparison: Comparison) -> tuple[str, ...]:
    return ("copying, ticks", f"{comparison.best_lookup}, ticks", "Model B, ticks", "share of copying")


def _group_rows(groups: list[Group], rivals: list[Group]) -> list[tuple[str, ...]]:
    """Returns a row a group; the rivals' groups are the same notes."""
    return [
        (of.name, f"{of.notes:,}", *(f"{error:.2f}" for error in (of.copying, rival.predicted, of.predicted)),
         f"{of.predicted / of.copying:.2f}" if of.copying else "")
        for of, rival in zip(groups, rivals, strict=True)
    ]  # fmt: skip


def _recognition(comparison: Comparison) -> Section:
    title, found = "Who sings?", comparison.recognition
    if found is None:
        return Section(title, remark="Fewer than two singers have both training and test songs.")
    rows = [
        (name, _share(of.share), f"{of.balanced:.1%}")
        for name, of in sorted(found.accuracy.items(), key=lambda item: -item[1].share.estimate)
    ]
    remark = (
        f"A random forest is fitted on how {found.singers} singers sang the training songs, and told who sings "
        f"{found.segments} segments of some {SEGMENT} notes and rests of the test songs from their deviations from the "
        f"grid: as sung, and as predicted in the first repetition. In brackets 95 % intervals over songs; balanced: "
        f"averaged over singers. Always naming one singer would be right for {found.most_frequent:.1%} at most, "
        f"balanced {1 / found.singers:.1%}; how much the song alone tells can be seen from arms and baselines that do "
        f"not know the singer."
    )
    return Section(title, ("segments of", "recognised", "balanced"), rows, remark)


def _ceilings(comparison: Comparison) -> dict[str, Any]:
    if comparison.matches is None:
        return {}
    found = {
        "all songs": ceiling(comparison.matches, comparison.resamples),
        "test songs": ceiling(comparison.matches, comparison.resamples, comparison.runs[MODEL][0].predictions),
    }
    return {name: each for name, each in found.items() if each is not None}


def _ceiling(comparison: Comparison) -> Section:
    title, matched = "The same song by other singers", comparison.matches
    if matched is None:
        return Section(
            title,
            remark="No song is known to be sung by several singers: that takes song_id and pitch, and songs that "
            "have as much in common.",
        )
    rows = [
        (name, f"{each.songs}", f"{each.notes // 2:,}", _ticks(each.other), _ticks(each.copying),
         _ticks(each.model) if each.model else "", f"{each.other_steps:.2f}", f"{each.copying_steps:.2f}",
         f"{each.correlation:.2f}")
        for name, each in _ceilings(comparison).items()
    ]  # fmt: skip
    remark = (
        f"What one singer sang, as a prediction of what another one sings in the same song, beside copying and Model B "
        f"on the same notes, with 95 % intervals over songs; the last column is the correlation of both singers' "
        f"deviations from the grid. {matched.pairs} pairs of performances were aligned by runs of at least {RUN} equal "
        f"intervals; of {matched.alignable:,} notes, {len(matched.song) // 2 / matched.alignable:.0%} are matched and "
        f"have the same quantized duration in both. On the others performances differ more, and rests are not "
        f"compared, so that singers lie further apart than it says here."
    )
    heads = ("", "songs", "notes", "other singer, ticks", "copying, ticks", "Model B, ticks", "other singer, steps",
             "copying, steps", "correlation")  # fmt: skip
    return Section(title, heads, rows, remark)


def _calibration(comparison: Comparison) -> list[Section]:
    found = comparison.calibration
    if found is None:
        return []
    rows = [(f"within the central {level:.0%}", _share(share)) for level, share in found.coverage.items()]
    rows.append(("CRPS, ticks", _ticks(found.crps)))
    rows.append(("negative log-likelihood, nats a note", _ticks(found.negative_log_likelihood)))
    rows.append((f"notes of a probability below {LEAST:g}", f"{found.impossible:.2%}"))
    remark = (
        "Model B predicts a distribution for each note; first repetition, with 95 % intervals over songs. The CRPS is "
        "to a distribution what the absolute error is to a single value. Bars of equal height mean that sung durations "
        "lie in their distributions as they should; higher bars at both ends, that these are too narrow."
    )
    return [Section("Calibration", ("", "Model B"), rows, remark, [figures.pit(found.pit)])]


def _songs(comparison: Comparison) -> Section:
    predictions = comparison.runs[MODEL][0].predictions
    pictures = [figures.phrase(predictions, song) for song in range(min(2, len(predictions)))]
    return Section("Model B's test songs", pictures=[*pictures, figures.error_by_singer(predictions)])


def _share(interval: Interval) -> str:
    return f"{interval.estimate:.1%} ({interval.low:.1%} to {interval.high:.1%})"


def _ticks(interval: Interval) -> str:
    return f"{interval.estimate:.2f} ({interval.low:.2f} to {interval.high:.2f})"
