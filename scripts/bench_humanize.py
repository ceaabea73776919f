"""Benchmark of performing scores: real songs quantized, and their timing put back by a model; see `bench.py`."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from toy_duration_predictor.data.midi.prepare import find_files
from toy_duration_predictor.data.midi.smf import parse
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.scores.humanize import humanize_bytes
from toy_duration_predictor.scores.midi import read_score
from toy_duration_predictor.scores.perform import ANCHORS, HumanizeSettings
from toy_duration_predictor.sections import Section


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
        error = np.concatenate([np.subtract(test[column], test["sung"]) for test in tests])
        rows.append((name, f"{np.abs(error).mean():.3f}", ""))
    for anchor in ANCHORS:
        errors, drifts = [], []
        for test in tests:
            file = files[test["row"]].read_bytes()
            settings = HumanizeSettings(quantize="1/32", anchor=anchor)
            score, _, _ = read_score(parse(file))
            performed = read_score(parse(humanize_bytes(file, predictor, test["singer_id"], settings)))[0].times
            sung = np.diff(score.times)
            if sung[sung > 0].tolist() != test["sung"]:
                raise InputError(
                    f"{files[test['row']]} is not row {test['row']} of the songs that {run} was tested on."
                )
            errors.append(np.abs(np.diff(performed) - sung)[sung > 0])
            drifts.append(np.abs(performed - score.times) / score.ticks_per_beat)
        error, drift = np.concatenate(errors).mean(), np.concatenate(drifts).mean()
        rows.append((f"the files, anchor {anchor}", f"{error:.3f}", f"{drift:.3f}"))
    heads = ("", "error, ticks", "running totals, beats off")
    return [Section(f"{len(tests)} test songs of {run.name}", heads, rows)]
