"""What is worth to know of a singer that no training has heard: reference songs, or a song's own beginning.

Every test song is predicted for nobody in particular, and in the style of 1, 3 or 10 other test songs by its singer:
drawn by chance, or all that there are. Then the second half of every test song is predicted, for nobody in particular
and in the style of its first half. What the training has learned of the singer is not used; with `data.split=singers`
it has learned nothing.

Shapes: `S` songs, `T` notes and rests of a song, `F` features of a style.
"""

from typing import TypeAlias

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset
from torch import Tensor

from toy_duration_predictor.comparison.evidence import deciding, measured
from toy_duration_predictor.comparison.questions import COPY
from toy_duration_predictor.data.batches import Batch, Songs
from toy_duration_predictor.data.songs import ragged
from toy_duration_predictor.data.style import FEATURES, StylePrior, Sums, whole_sums
from toy_duration_predictor.training.predictions import predict_songs, predictions_table
from toy_duration_predictor.training.task import DurationTask
from toy_duration_predictor.training.timing_errors import MEASURES

# Mean absolute errors by what is known of the singer, then by measure, in the unit that decides.
Known: TypeAlias = dict[str, dict[str, float]]

COUNTS = (0, 1, 3, 10)
NOBODY, FIRST_HALF = "nobody", "first half"


def references(task: DurationTask, table: Dataset, rows: np.ndarray, seed: int) -> dict[str, Known] | None:
    """Returns the errors of a trained model by what it is told of the singers.

    Args:
        task: The trained model.
        table: The songs table that it was trained on.
        rows: Its test rows, int64 `(S,)`.
        seed: Decides which songs are references.

    Returns:
        Of `whole songs`: the errors of the copy baseline, and with nobody, 1 song, 3 songs and 10 songs. Of `second
        halves`: the errors with nobody and with the first half. None where the network reads no style, or durations are
        carried values.
    """
    tested = table.select(np.sort(rows).tolist())
    songs = Songs(tested, task.singers)
    prior = StylePrior.of(task.network, task.hparams["anonymous"])
    if prior is None or songs.carried:
        return None
    return {
        "whole songs": _whole_songs(task, tested, songs, prior, seed),
        "second halves": _second_halves(task, tested, songs, prior),
    }


def _whole_songs(task: DurationTask, tested: Dataset, songs: Songs, prior: StylePrior, seed: int) -> Known:
    notes, total = (np.stack(part) for part in zip(*(_sums(songs, i, None) for i in range(len(tested))), strict=True))
    rng, singer = np.random.default_rng(seed), songs.singer.numpy()
    # A song's rank among the others of its singer, in an order by chance; the song itself is never drawn.
    drawn = np.where(singer[:, None] == singer, rng.random((len(tested), len(tested))), np.inf)
    np.fill_diagonal(drawn, np.inf)
    rank = np.where(np.isinf(drawn), len(tested), drawn.argsort(axis=1).argsort(axis=1))
    found = {COPY: _copied(tested)}
    for count in COUNTS:
        chosen = (rank < count).astype(np.float64)
        style = prior.style(Sums(chosen @ notes, chosen @ total))
        name = f"{count} {'song' if count == 1 else 'songs'}" if count else NOBODY
        found[name] = _errors(task, tested, style, np.zeros(len(tested)))
    return found


def _second_halves(task: DurationTask, tested: Dataset, songs: Songs, prior: StylePrior) -> Known:
    middle = []
    for i in range(len(tested)):
        rest = songs.rest.song(i)
        notes = np.flatnonzero(rest == 0)
        middle.append(int(notes[len(notes) // 2]) if len(notes) else len(rest) // 2)
    columns = {name: tested[name][:] for name in tested.column_names}
    for name, values in columns.items():
        if isinstance(values[0], list):
            columns[name] = [song[half:] for song, half in zip(values, middle, strict=True)]
    halves = Dataset.from_dict(columns, features=tested.features)
    # Where the singer stands in the middle: how far behind the grid line.
    late = [float((songs.sung.song(i)[:half] - songs.quantized.song(i)[:half]).sum()) for i, half in enumerate(middle)]
    nobody = np.zeros((len(tested), FEATURES), dtype=np.float32)
    styles = np.stack([prior.so_far(_sums(songs, i, half), nobody[i]) for i, half in enumerate(middle)])
    return {
        name: _errors(task, halves, style, np.array(late)) for name, style in ((NOBODY, nobody), (FIRST_HALF, styles))
    }


def _sums(songs: Songs, song: int, end: int | None) -> Sums:
    """Returns the sums of features of a song's notes before `end`, `(F,)`."""
    quantized, sung, rest = (part.song(song)[:end] for part in (songs.quantized, songs.sung, songs.rest))
    return whole_sums(quantized, sung, float(songs.step[song]), rest == 1)


def _errors(task: DurationTask, tested: Dataset, style: np.ndarray, late: np.ndarray) -> dict[str, float]:
    """Returns the errors of predictions in these styles, `(S, F)`, of songs that begin so late, `(S,)`, ticks."""

    def ask(batch: Batch) -> Tensor:
        predicted: Tensor = task(batch._replace(start=torch.from_numpy(late)[batch.row].float()))
        return predicted

    rows = np.arange(len(tested))
    found = [predicted[batch.mask] for batch, predicted in predict_songs(task, tested, rows, ask=ask, style=style)]
    return _means(predictions_table(tested, rows, torch.cat(found).numpy()))


def _copied(tested: Dataset) -> dict[str, float]:
    """Returns the errors of the copy baseline."""
    quantized, _ = ragged(tested, "quantized")
    return _means(predictions_table(tested, range(len(tested)), quantized.astype(np.float32)))


def _means(predictions: pa.Table) -> dict[str, float]:
    errors = measured(predictions)
    return {measure: errors[deciding(errors)][measure].mae for measure in MEASURES}
