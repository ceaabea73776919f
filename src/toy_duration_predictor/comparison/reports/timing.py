"""The report's sections beyond the mean error: the timing itself, as Model B, its rivals and the singers have it."""

from typing import TYPE_CHECKING

import pyarrow as pa

from toy_duration_predictor.comparison.reports.measures import shown
from toy_duration_predictor.comparison.reports.words import percent
from toy_duration_predictor.sections import Section
from toy_duration_predictor.training import figures

if TYPE_CHECKING:
    from toy_duration_predictor.comparison.facts import Comparison
    from toy_duration_predictor.comparison.timing import Group


def timing_sections(comparison: "Comparison") -> list[Section]:
    """Returns the sections; the one on calibration only where Model B predicts distributions."""
    return [
        _timing(comparison),
        _by_length(comparison),
        _by_phrase_position(comparison),
        _recognition(comparison),
        _between_singers(comparison),
        *_calibration(comparison),
        _songs(comparison),
    ]


def numbers(form: str, *values: float) -> tuple[str, ...]:
    """Returns cells with these numbers, each in this format."""
    return tuple(f"{value:{form}}" for value in values)


def _timing(comparison: "Comparison") -> Section:
    rows = [
        (name, *numbers(".2f", t.wasserstein, t.kolmogorov_smirnov, t.spread, t.autocorrelation))
        for name, t in comparison.timing.figures.items()
    ]
    # What was sung is the same beside all predictions.
    sung = next(iter(comparison.timing.figures.values()))
    rows.append(("the singers", *numbers(".2f", 0, 0, sung.spread_sung, sung.autocorrelation_sung)))
    remark = (
        "Predicted deviations from the grid beside the sung ones, in the first repetition. The first two columns are "
        "the distance between the two distributions: Wasserstein's in ticks, and Kolmogorov and Smirnov's. Spread is "
        "the standard deviation, in ticks. Autocorrelation is the correlation of a deviation with the next one. "
        "Samples come from Model B's distributions."
    )
    heads = ("", "Wasserstein", "Kolmogorov-Smirnov", "spread", "autocorrelation")
    return Section("Beyond the mean error", heads, rows, remark)


def _by_length(comparison: "Comparison") -> Section:
    groups = comparison.timing.error_by_length
    return _groups(
        "Error of durations by length", "quantized length, grid steps", groups, "First repetition.", comparison
    )


def _by_phrase_position(comparison: "Comparison") -> Section:
    title, groups = "Durations of notes, rests and phrases", comparison.timing.error_by_phrase_position
    if not groups:
        return Section(title, remark="The songs table has no pitch. So its rests and phrases are not known.")
    remark = f"First repetition. A phrase ends at a rest of at least {comparison.method['phrase_rest']} grid steps."
    return _groups(title, "", groups, remark, comparison)


def _groups(title: str, what: str, groups: "list[Group]", remark: str, comparison: "Comparison") -> Section:
    errors = (f"{name}, ticks" for name in ("copy", comparison.best["duration"].lookup, "Model B"))
    rows = [
        (of.name, f"{of.notes:,}", *numbers(".2f", of.copy, of.best_lookup, of.model),
         f"{of.model / of.copy:.2f}" if of.copy else "")
        for of in groups
    ]  # fmt: skip
    return Section(title, (what, "notes and rests", *errors, "share of copy"), rows, remark)


def _recognition(comparison: "Comparison") -> Section:
    title, found = "Who sings?", comparison.recognition
    if found is None:
        return Section(title, remark="Fewer than two singers have both training and test songs.")
    rows = [
        (name, shown(of.share, ".1%"), f"{of.balanced:.1%}")
        for name, of in sorted(found.accuracy.items(), key=lambda item: -item[1].share.estimate)
    ]
    remark = (
        f"A random forest learns how {found.singers} singers deviate from the grid in the training songs. Then it "
        f"tells who sings {found.segments} segments of the test songs, each of some {comparison.method['segment']} "
        f"notes and rests. It is asked about the songs as sung, and as predicted in the first repetition. In brackets "
        f"are 95 % intervals over songs. Balanced is the average over singers. Naming one singer always would be right "
        f"for {percent(found.most_frequent, 1)} at most, balanced {percent(1 / found.singers, 1)}. Arms and baselines "
        f"that do not know the singer show how much the song alone tells."
    )
    return Section(title, ("segments of", "recognised", "balanced"), rows, remark)


def _between_singers(comparison: "Comparison") -> Section:
    title, found = "Between singers of the same song", comparison.between_singers
    if found is None:
        return Section(
            title,
            remark="No song is known to be sung by several singers. To know it takes song_id and pitch, and "
            "performances with enough notes in common.",
        )
    rows = [
        (name, f"{of.songs}", f"{of.notes // 2:,}", shown(of.other, ".2f"), shown(of.copy, ".2f"),
         shown(of.model, ".2f") if of.model else "", *numbers(".2f", of.other_steps, of.copy_steps, of.correlation))
        for name, of in (("all songs", found.all_songs), ("test songs", found.test_songs)) if of is not None
    ]  # fmt: skip
    remark = (
        f"How far singers of the same song differ: what one singer sang is taken as a prediction of what another one "
        f"sings. Beside it stand the copy baseline and Model B on the same notes, with 95 % intervals over songs. The "
        f"last column is the correlation of both singers' deviations from the grid. {found.pairs} pairs of "
        f"performances were aligned by runs of at least {comparison.method['matching_run']} equal intervals. Of "
        f"{found.alignable:,} notes, {percent(found.matched / found.alignable)} are matched and have the same "
        f"quantized duration in both. On the other notes performances differ more, and rests are not compared. So "
        f"these differences are lower bounds."
    )
    heads = ("", "songs", "notes", "other singer, ticks", "copy, ticks", "Model B, ticks", "other singer, steps",
             "copy, steps", "correlation")  # fmt: skip
    return Section(title, heads, rows, remark)


def _calibration(comparison: "Comparison") -> list[Section]:
    found = comparison.calibration
    if found is None:
        return []
    rows = [(f"within the central {percent(level)}", shown(share, ".1%")) for level, share in found.coverage.items()]
    rows.append(("CRPS, ticks", shown(found.crps, ".2f")))
    rows.append(("negative log-likelihood, each note by itself, nats", shown(found.negative_log_likelihood, ".2f")))
    if found.of_songs is not None:
        rows.append(("negative log-likelihood of whole songs, nats a note", shown(found.of_songs, ".2f")))
    if found.without_likelihood:
        rows.append(("songs without a likelihood, as no quantizer made them", str(found.without_likelihood)))
    rows.append((f"notes of a probability below {comparison.method['least_probability']:g}", f"{found.impossible:.2%}"))
    remark = (
        "Model B predicts a distribution for each note. These figures are of the first repetition, with 95 % intervals "
        "over songs. The CRPS is to a distribution what the absolute error is to a single value. Bars of equal height "
        "mean that sung durations lie in their distributions as they should. Higher bars at both ends mean that "
        "distributions are too narrow."
    )
    return [Section("Calibration", ("", "Model B"), rows, remark, [figures.pit(found.pit)])]


def _songs(comparison: "Comparison") -> Section:
    examples = pa.Table.from_pylist(comparison.examples)
    phrases = [figures.phrase(examples, song) for song in range(len(examples))]
    names, _, copy, _, model = zip(*comparison.timing.error_by_singer, strict=True)
    return Section("Model B's test songs", pictures=[*phrases, figures.bars_by_singer(names, copy, model)])
