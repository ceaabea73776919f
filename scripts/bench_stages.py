"""Benchmark of each part of the way of the data, on ever more songs; see `bench.py`."""

import math
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from bench_growth import PUBLISHED_NOTES, Memory
from bench_networks import Trial
from hydra import compose, initialize_config_dir

from toy_duration_predictor.comparison.gather import gather
from toy_duration_predictor.comparison.reports.comparison import write_comparison
from toy_duration_predictor.data.audit import audit
from toy_duration_predictor.data.notes import Notes
from toy_duration_predictor.data.simulate import simulate_songs
from toy_duration_predictor.data.songs import fingerprint
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.sections import Section
from toy_duration_predictor.training.evaluate import evaluate
from toy_duration_predictor.training.run_folder import read_run
from toy_duration_predictor.training.train import train

RESAMPLES = 500
THOUSAND = 1000 * PUBLISHED_NOTES
# A network of the usual size, and a training that is soon over.
RUN = ("experiment=model_b", "data=parquet", "training.max_epochs=1", "trainer.threads=1", "trainer.progress=false")

# Seconds, MB, and notes of the songs table.
Measured = tuple[float, float, int]


def stages(songs: int, factors: list[int]) -> list[Section]:
    """Measures each part on multiples of so many simulated songs, and says what follows for a thousand times as many.

    What is said of it follows from the two largest tables; see `extrapolated`.
    """
    found: dict[str, list[Measured]] = {}
    with TemporaryDirectory() as made:
        for factor in factors:
            folder = Path(made, str(factor))
            folder.mkdir()
            simulate_songs(songs * factor).to_parquet(folder / "songs.parquet")
            for name in STAGES:
                # In a process of its own, so that a measurement does not count the memory of the one before.
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                    found.setdefault(name, []).append(pool.submit(_measure, name, folder).result())
    notes = [each[-1] for each in next(iter(found.values()))]
    sections = []
    for title, place, unit in (("Seconds of a core", 0, "hours"), ("Memory of the part itself, MB", 1, "GB")):
        rows = []
        for name, measured in found.items():
            values = [each[place] for each in measured]
            power, there = extrapolated(notes, values)
            per = 3600 if unit == "hours" else 1000
            rows.append((name, *(f"{value:.1f}" for value in values), f"{power:.2f}", f"{there / per:,.1f}"))
        heads = ("", *(f"{count:,} notes" for count in notes), "power", f"{unit} at {THOUSAND:,} notes")
        sections.append(Section(title, heads, rows))
    return sections


def extrapolated(notes: list[int], values: list[float]) -> tuple[float, float]:
    """Returns the power by which a value grows between the two largest tables, and the value at `THOUSAND`.

    What grows in proportion, or seems to grow less because of costs that every table has, is carried on in a straight
    line; what grows more is carried on by its power. A value too small to be measured has the power 0.
    """
    low, high = (max(value, 0.01) for value in values[-2:])
    power = max(0.0, math.log(high / low) / math.log(notes[-1] / notes[-2]))
    if power > 1:
        return power, high * (THOUSAND / notes[-1]) ** power
    return power, high + max(0.0, high - low) / (notes[-1] - notes[-2]) * (THOUSAND - notes[-1])


def _measure(name: str, folder: Path) -> Measured:
    torch.set_num_threads(1)
    work = STAGES[name](folder)  # with what it needs made already
    memory = Memory()
    memory.start()
    began = time.process_time()  # of this process alone: others may take turns with it
    work()
    seconds = time.process_time() - began
    notes = int(Notes.of(_table(folder), "sung").offsets[-1])
    return seconds, max(0.0, memory.own - memory.held), notes


def _table(folder: Path) -> Any:
    return load_songs("parquet", path=folder / "songs.parquet")


def _composed(name: str, *overrides: str) -> Any:
    with initialize_config_dir(str(Path(__file__).resolve().parents[1] / "conf"), version_base="1.3"):
        return compose(name, list(overrides))


def _run(folder: Path) -> Path:
    settings = (*RUN, f"data.path={folder}/songs.parquet", f"logs={folder}/logs")
    return Path(str(train(_composed("train", *settings))["run/folder"]))


def _audit(folder: Path) -> Callable[[], object]:
    return partial(audit, _table(folder))


def _epoch(folder: Path) -> Callable[[], object]:
    trial = Trial("phase", _table(folder))
    return lambda: [None for _ in trial.epoch(0)]


def _evaluate(folder: Path) -> Callable[[], object]:
    run = _run(folder)
    return partial(evaluate, _composed("evaluate", f"run={run}", "data=parquet", f"data.path={folder}/songs.parquet"))


def _compare(folder: Path) -> Callable[[], object]:
    run = read_run(_run(folder))
    return lambda: write_comparison(folder / "report", gather([run], RESAMPLES))


# What a part needs is made in a call that is not measured; what it returns is.
STAGES: dict[str, Callable[[Path], Callable[[], object]]] = {
    "table: load, fingerprint": lambda folder: lambda: fingerprint(_table(folder)),
    "audit": _audit,
    "statistics, styles, windows": lambda folder: partial(Trial, "phase", _table(folder)),
    "training, an epoch": _epoch,
    "predictions, metrics of all songs": _evaluate,
    "comparison of one run, report": _compare,
}
