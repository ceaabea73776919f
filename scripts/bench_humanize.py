"""Benchmark of performing scores: real songs quantized, and their timing put back by a model; see `bench.py`."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from toy_duration_predictor.data.midi.prepare import find_files
from toy_duration_predictor.data.midi.smf import parse
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.scores.humanize import humanize_bytes
from toy_duration_predictor.scores.midi import Reading, read_score
from toy_duration_predictor.scores.perform import HumanizeSettings, Sings
from toy_duration_predictor.sections import Section

# As `tdp prepare` reads it.
SUNG_PART = Reading(begin="J", end="H")


def humanize(run: Path, folder: Path) -> list[Section]:
    """Quantizes a run's test songs in their MIDI files, and performs them: their errors beside the run's, ticks.

    Args:
        run: A run on the songs, as sung, that `tdp prepare` makes of the folder.
        folder: A folder of MIDI files.
    """
    predictor = Predictor.load(run)
    files = [folder / file for file in find_files(folder)]
    tests = pq.read_table(run / "predictions.parquet").sort_by("row").to_pylist()
    rows = []
    for column, name in (("quantized", "the copy baseline, in the table"), ("predicted", "the model, in the table")):
        rows.append((name, *_means([(np.array(test[column]), np.array(test["sung"])) for test in tests])))
    performed, drift = [], 0.0
    for test in tests:
        file = files[test["row"]].read_bytes()
        score = read_score(parse(file), SUNG_PART)[0]
        settings = HumanizeSettings(quantize="1/32", begin=SUNG_PART.begin, end=SUNG_PART.end)
        after = read_score(parse(humanize_bytes(file, predictor, Sings(test["singer_id"]), settings)), SUNG_PART)[0]
        sung = np.diff(score.times)
        if sung[sung > 0].tolist() != test["sung"]:
            raise InputError(f"{files[test['row']]} is not row {test['row']} of the songs that {run} was tested on.")
        performed.append((np.diff(after.times)[sung > 0], sung[sung > 0]))
        drift = max(drift, float(np.abs(after.times - score.times).max()) / score.ticks_per_beat)
    rows.append(("the model, in the files", *_means(performed)))
    heads = ("", "durations, ticks", "onsets and ends, ticks")
    title = f"{len(tests)} test songs of {run.name}; no onset or end is further off than {drift:.3f} beats"
    return [Section(title, heads, rows)]


def _means(songs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[str, str]:
    """Returns the mean absolute errors of durations, and of their running totals, over all songs."""
    off = [given - sung for given, sung in songs]
    durations, times = (np.abs(np.concatenate(each)).mean() for each in (off, [np.cumsum(song) for song in off]))
    return f"{durations:.3f}", f"{times:.3f}"
