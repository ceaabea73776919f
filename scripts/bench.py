"""Speed, size and likeness, measured on this machine.

    corpus [TABLE ...]  figures of the simulated songs beside those of songs tables
    prepare DIR         songs a second and core, beside the published preparation of the same files
    scale DIR           memory and time of preparing ever more songs, made from the files of a folder
    fuzz DIR            what becomes of damaged files, made from those of a folder
    networks TABLE      each network's speed in training and prediction, and its way to a share of the copy error
    limits TABLE        errors by number of training songs and by size, and what no model could know
    humanize RUN DIR    error of a run's test songs after their MIDI files were quantized and performed
    growth              seconds a note and memory of training on 1, 10 and 100 times the published number of notes, and
                        the share of a training step that goes to data

Absolute times depend on the machine and on what else it does; ratios of one run can be compared.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from bench_growth import growth
from bench_humanize import humanize
from bench_limits import limits
from bench_networks import networks
from bench_preparation import fuzz, prepare, scale
from datasets import Dataset
from rich.console import Console
from rich.table import Table

from toy_duration_predictor.data.songs import ragged
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.models import network_names


def corpus(paths: list[Path]) -> None:
    """Prints what the simulated songs and other tables look like, side by side."""
    tables = {"simulated": load_songs("simulated")} | {path.stem: load_songs("parquet", path=path) for path in paths}
    shown = Table("", *tables, title="sung durations; beats where no unit is given")
    columns = [_figures(table) for table in tables.values()]
    for row in columns[0]:
        shown.add_row(row, *(column[row] for column in columns))
    Console().print(shown)


def _figures(table: Dataset) -> dict[str, str]:
    """Returns figures of a table whose resolutions are known, as text."""
    sung, offsets = ragged(table, "sung")
    quantized, _ = ragged(table, "quantized")
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


def main() -> None:
    """Runs the benchmark that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)

    def command(benchmark: Callable[..., None], *paths: str) -> argparse.ArgumentParser:
        """Makes a command of a function: their names are the same, and those of their arguments."""
        added = commands.add_parser(benchmark.__name__)
        added.set_defaults(benchmark=benchmark)
        for path in paths:
            added.add_argument(path, type=Path)
        return added

    command(corpus).add_argument("paths", metavar="table", type=Path, nargs="*")
    for of_folder in (prepare, scale, fuzz):
        command(of_folder, "folder")
    command(humanize, "run", "folder")
    speed = command(networks, "path")
    speed.add_argument("--seconds", type=float, default=60, help="how long each network is trained (default: 60)")
    speed.add_argument("--device", default="cpu", choices=["cpu", "cuda"], help="(default: cpu)")
    speed.add_argument(
        "--network",
        dest="names",
        action="append",
        default=[],
        choices=network_names(),
        help="one of them; again for more (default: all)",
    )
    reach = command(limits, "path")
    reach.add_argument("--folds", type=int, default=5, choices=range(1, 6), help="how many of five (default: 5)")
    sizes = command(growth)
    sizes.add_argument("--factors", type=int, nargs="+", default=[1, 10, 100], help="(default: 1 10 100)")
    given = vars(parser.parse_args())
    try:
        given.pop("benchmark")(**given)
    except InputError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
