"""Pictures of a run's predictions, from `predictions.parquet` as written. Each returns a matplotlib figure."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, fontManager, get_font

from toy_duration_predictor.data.singers import singer_labels

# Okabe and Ito's colours, which colour-blind readers tell apart.
QUANTIZED, SUNG, PREDICTED = "#999999", "#0072B2", "#D55E00"

# Durations that a picture of a phrase has at least.
FEWEST = 6

# Letters of all names together that have room beside each other.
MOST_LETTERS = 60

# For names that the first of these cannot write; those that a machine has.
FAMILIES = (
    "DejaVu Sans",
    "Noto Sans CJK KR",
    "Noto Sans CJK JP",
    "Apple SD Gothic Neo",
    "Hiragino Sans",
    "Malgun Gothic",
    "Yu Gothic",
    "NanumGothic",
)


def phrase(predictions: pa.Table, song: int = 0, notes: int | None = None) -> Figure:
    """Draws the first notes of a test song as three strips over time: quantized, sung and predicted.

    Dotted lines show where the score has its notes and rests.

    Args:
        predictions: `predictions.parquet`.
        song: Which of its rows.
        notes: How many durations, rests among them. None: as many as leave room to see how far sung ones are off.
    """
    row = predictions.slice(song, 1).to_pylist()[0]
    notes = notes or seen(row["quantized"], row["sung"])
    figure = Figure(figsize=(6, 2.4), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    for line in np.cumsum([0, *row["quantized"][:notes]]):
        axes.axvline(line, color="#888888", linewidth=0.7, linestyle=":")
    strips = (("quantized", QUANTIZED), ("sung", SUNG), ("predicted", PREDICTED))
    for lane, (column, colour) in enumerate(strips):
        durations = np.asarray(row[column][:notes], dtype=float)
        starts = np.cumsum(durations) - durations
        for i, (start, duration) in enumerate(zip(starts, durations, strict=True)):
            # Every other bar is paler, so that neighbours can be told apart where nothing lies between them.
            axes.broken_barh(
                [(start, duration)], (2 - lane - 0.36, 0.72), color=colour, alpha=0.9 if i % 2 == 0 else 0.35
            )
    axes.set_yticks([2, 1, 0], ["quantized", "sung", "predicted"])
    axes.set_xlabel("ticks from the first note")
    singer = singer_labels(predictions.slice(song, 1))[row["singer_id"]]
    if not _can_be_drawn(singer):
        singer = str(row["singer_id"])
    axes.set_title(
        f"Row {row['row']}, singer {singer}: first {min(notes, len(row['sung']))} notes and rests",
        fontsize="medium",
        family=_families(),
    )
    axes.margins(x=0.01)
    return figure


def seen(quantized: Sequence[int], sung: Sequence[int]) -> int:
    """Returns how many durations at a song's beginning can be drawn so that the sung onsets are seen to be off.

    The picture of a phrase is some 300 points wide at its smallest. So a typical distance of a sung onset from its
    quantized one is given four of them, as long as there are `FEWEST` durations to see.

    >>> seen([60] * 100, [55, 65] * 50)  # half of the onsets are off by 5 ticks, and half are not
    6
    """
    ends = np.cumsum(quantized), np.cumsum(sung)
    off = np.abs(ends[0] - ends[1]).mean()
    return max(int(np.searchsorted(ends[0], 75 * off, side="right")), min(FEWEST, len(quantized)))


def tick_bins(errors: np.ndarray, bins: int) -> np.ndarray:
    """Returns the edges of bins of whole ticks that have all but 1 % of the errors within them.

    A bin has as many whole ticks as every other. Bins of a fraction of a tick would hold one whole number or two in
    turn, and a histogram of them would have teeth.

    Args:
        errors: Ticks.
        bins: How many, an even number: half of them below 0.

    >>> tick_bins(np.arange(-7, 8), 4)
    array([-8.5, -4.5, -0.5,  3.5,  7.5])
    """
    furthest = float(np.percentile(np.abs(errors), 99))
    edges: np.ndarray = (2 * furthest // bins + 1) * np.arange(-bins // 2, bins // 2 + 1) - 0.5
    return edges


def error_by_singer(predictions: pa.Table) -> Figure:
    """Draws the mean absolute error of each singer's test songs, the model beside the copy baseline."""
    errors = note_errors(predictions)
    singers = np.unique(errors["singer_id"])
    copy, model = (
        [float(np.abs(errors[key][errors["singer_id"] == singer]).mean()) for singer in singers]
        for key in ("copy", "model")
    )
    labels = singer_labels(predictions)
    return bars_by_singer([labels[singer] for singer in singers.tolist()], copy, model)


def bars_by_singer(singers: Sequence[str], copy: Sequence[float], model: Sequence[float]) -> Figure:
    """Draws two bars a singer: the mean absolute errors of the copy baseline and of the model, ticks."""
    figure = Figure(figsize=(6, 3), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    left = np.arange(len(singers))
    axes.bar(left - 0.2, copy, 0.4, label="copy", color=QUANTIZED)
    axes.bar(left + 0.2, model, 0.4, label="model", color=PREDICTED)
    if all(map(_can_be_drawn, singers)):
        axes.set_xticks(left, singers, family=_families())
        axes.set_xlabel("singer")
    else:
        axes.set_xticks(left, [str(i) for i in range(1, len(singers) + 1)])
        axes.set_xlabel("singer, in the order of numbers: no font here has the letters of their names")
    if sum(map(len, singers)) > MOST_LETTERS:
        axes.tick_params("x", rotation=90)
    axes.set_ylabel("mean absolute error, ticks")
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)  # above the bars
    return figure


def _families() -> list[str]:
    installed = set(fontManager.get_font_names())
    return [family for family in FAMILIES if family in installed]


def _can_be_drawn(text: str) -> bool:
    """Returns whether this machine has fonts for all letters of a text."""
    fonts = [get_font(findfont(family)) for family in _families()]
    return all(any(font.get_char_index(ord(letter)) for font in fonts) for letter in text)


def residuals(predictions: pa.Table) -> Figure:
    """Draws the distribution of what is left of the timing: predicted minus sung, beside quantized minus sung."""
    errors = note_errors(predictions)
    bins = tick_bins(errors["copy"], 80).tolist()
    figure = Figure(figsize=(6, 3), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    axes.hist(errors["copy"], bins, color=QUANTIZED, alpha=0.7, label="quantized - sung")
    axes.hist(errors["model"], bins, color=PREDICTED, histtype="step", linewidth=1.8, label="predicted - sung")
    axes.set_xlabel("ticks")
    axes.set_ylabel("notes and rests")
    axes.legend(frameon=False)
    return figure


def pit(densities: Sequence[float]) -> Figure:
    """Draws how often sung durations lie in each part of their predicted distributions.

    Args:
        densities: Of the probability integral transform, in equal parts of 0..1; see `calibration.pit`.
    """
    figure = Figure(figsize=(6, 3), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    axes.bar(np.arange(len(densities)) / len(densities), densities, 1 / len(densities), align="edge", color=PREDICTED)
    axes.axhline(1, color=SUNG, linewidth=1.8, label="calibrated")
    axes.set_xlim(0, 1)
    axes.set_xlabel("predicted probability of a shorter duration")
    axes.set_ylabel("density of sung durations")
    axes.legend(frameon=False)
    return figure


def note_errors(predictions: pa.Table) -> dict[str, np.ndarray]:
    """Returns, for each note of all test songs, `singer_id` and the errors of `model` and `copy`, in ticks."""
    lengths = pc.list_value_length(predictions["sung"]).to_numpy()
    notes = {
        column: predictions[column].combine_chunks().flatten().to_numpy(zero_copy_only=False).astype(np.float64)
        for column in ("quantized", "sung", "predicted")
    }
    return {
        "singer_id": np.repeat(predictions["singer_id"].to_numpy(), lengths),
        "model": notes["predicted"] - notes["sung"],
        "copy": notes["quantized"] - notes["sung"],
    }
