"""Speed, size and likeness, measured on this machine.

    loading             from songs table to first batch, time spent on data in a training step, and peak memory, for a
                        table of the published size
    corpus [TABLE ...]  figures of the embedded corpus beside those of songs tables
    prepare DIR         songs a second and core, beside the published preparation of the same files
    scale DIR           memory and time of preparing ever more songs, made from the files of a folder
    fuzz DIR            what becomes of damaged files, made from those of a folder
    networks TABLE      each network's speed in training and prediction, and its way to a share of the copy error
    limits TABLE        errors by number of training songs and by size, and what no model could know
    humanize RUN DIR    error of a run's test songs after their MIDI files were quantized and performed
    growth              seconds a note and memory of training on 1, 10 and 100 times the published number of notes

Absolute times depend on the machine and on what else it does; ratios of one run can be compared.
"""

import argparse
import resource
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from bench_growth import growth, write_songs
from bench_humanize import humanize
from bench_limits import limits
from bench_networks import Trial, make_data, networks
from bench_preparation import MEMORY_UNIT, fuzz, prepare, scale
from datasets import Dataset
from rich.console import Console
from rich.table import Table

from toy_duration_predictor.data.songs import ragged
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.models import network_names


def loading() -> None:
    """Measures the way from a songs table of the published size to batches."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "songs.parquet")
        write_songs(path, 1)
        before = _peak_memory()
        began = time.perf_counter()
        table = load_songs("parquet", path=path)
        data = make_data("phase", table)
    batches = data.train_dataloader()
    next(iter(batches))
    first_batch = time.perf_counter() - began

    began = time.perf_counter()
    epoch = list(batches)
    on_data = (time.perf_counter() - began) / len(epoch)
    trial = Trial("phase", data)
    began = time.perf_counter()
    for batch in epoch[:10]:
        trial.step(batch)
    on_step = (time.perf_counter() - began) / 10

    shown = Table("loading", "", title=f"{len(table):,} songs, {len(ragged(table, 'durations')[0]):,} notes")
    shown.add_row("Parquet file to first batch", f"{first_batch:.2f} s")
    shown.add_row("data, share of a training step of the default network", f"{on_data / on_step:.2%}")
    shown.add_row("notes gathered per second", f"{data.notes_train / (on_data * len(epoch)):,.0f}")
    shown.add_row("peak memory of the process", f"{_peak_memory():.2f} GB, {before:.2f} GB before the table is read")
    Console().print(shown)


def corpus(paths: list[Path]) -> None:
    """Prints what the embedded corpus and other tables look like, side by side."""
    tables = {"simulated": load_songs("simulated")} | {path.stem: load_songs("parquet", path=path) for path in paths}
    shown = Table("", *tables, title="sung durations; beats where no unit is given")
    columns = [_figures(table) for table in tables.values()]
    for row in columns[0]:
        shown.add_row(row, *(column.get(row, "") for column in columns))
    Console().print(shown)


def _figures(table: Dataset) -> dict[str, str]:
    """Returns figures of a table whose resolutions are known, as text."""
    sung, offsets = ragged(table, "durations")
    quantized, _ = ragged(table, "quantized_durations")
    lengths = np.diff(offsets)
    beat = np.repeat(table["ticks_per_beat"], lengths)
    # Songs start with a note, and rests are tiny, or real, between any two notes.
    rest = (np.arange(len(sung)) - np.repeat(offsets[:-1], lengths)) % 2 == 1
    error = np.abs(sung - quantized)
    figures = {
        "songs": f"{len(table)}",
        "notes and rests": f"{len(sung)}",
        "copy error, ticks": f"{error.mean():.2f}",
        "copy error": f"{(error / beat).mean():.4f}",
        "quantized to 0": f"{(quantized == 0).mean():.1%}",
    }
    for name, which in (("note", ~rest), ("rest", rest)):
        for percent in (5, 25, 50, 75, 95):
            figures[f"{name}, {percent}th percentile"] = f"{np.percentile((sung / beat)[which], percent):.3f}"
    return figures


def _peak_memory() -> float:
    """Returns the process's peak memory so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MEMORY_UNIT / 1e9


def main() -> None:
    """Runs the benchmark that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("loading").set_defaults(benchmark=lambda _: loading())
    tables = commands.add_parser("corpus")
    tables.add_argument("table", type=Path, nargs="*")
    tables.set_defaults(benchmark=lambda arguments: corpus(arguments.table))
    for name, of_folder in (("prepare", prepare), ("scale", scale), ("fuzz", fuzz)):
        command = commands.add_parser(name)
        command.add_argument("folder", type=Path)
        command.set_defaults(benchmark=lambda arguments, of_folder=of_folder: of_folder(arguments.folder))
    speed = commands.add_parser("networks")
    speed.add_argument("table", type=Path)
    speed.add_argument("--seconds", type=float, default=60, help="how long each network is trained (default: 60)")
    speed.add_argument(
        "--network",
        action="append",
        default=[],
        choices=network_names(),
        help="one of them; again for more (default: all)",
    )
    speed.add_argument("--device", default="cpu", choices=["cpu", "cuda"], help="(default: cpu)")
    speed.set_defaults(benchmark=lambda given: networks(given.table, given.network, given.seconds, given.device))
    reach = commands.add_parser("limits")
    reach.add_argument("table", type=Path)
    reach.add_argument("--folds", type=int, default=5, choices=range(1, 6), help="how many of five (default: 5)")
    reach.set_defaults(benchmark=lambda given: limits(given.table, given.folds))
    scores = commands.add_parser("humanize")
    scores.add_argument("run", type=Path)
    scores.add_argument("folder", type=Path)
    scores.set_defaults(benchmark=lambda arguments: humanize(arguments.run, arguments.folder))
    commands.add_parser("growth").set_defaults(benchmark=lambda _: growth())
    arguments = parser.parse_args()
    try:
        arguments.benchmark(arguments)
    except InputError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
