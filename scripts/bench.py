"""Speed, size and limits, measured on this machine.

    prepare DIR         songs a second and core, beside the published preparation of the same files
    scale DIR           memory and time of preparing ever more songs, made from the files of a folder
    fuzz DIR            what becomes of damaged files, made from the files of a folder
    origins DIR         how often durations rounded one by one are told from carried values, made from a folder's files
    networks TABLE      each network's speed in training and prediction, and its way to a share of the copy error
    limits TABLE        errors by number of training songs and by size, and what no model could know
    humanize RUN DIR    error of a run's test songs after their MIDI files were quantized and performed
    few DIR OUT         few songs of a singer: training on them, beside singing like them without training
    growth              seconds a note and memory of training on 1, 10 and 100 times the published number of notes, and
                        the share of a training update that goes to data
    stages              seconds and memory of each part on ever more songs, and at a thousand times the published notes

Absolute times depend on the machine and on its other work; ratios of one run can be compared.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from bench_few_songs import few
from bench_growth import growth
from bench_humanize import humanize
from bench_limits import limits
from bench_networks import networks
from bench_origins import origins
from bench_preparation import fuzz, prepare, scale
from bench_stages import stages
from rich.console import Console

from toy_duration_predictor.errors import InputError
from toy_duration_predictor.models import network_names
from toy_duration_predictor.sections import Section, render_text

# Characters of a line: a file or a pipe, which do not say how many they have, would get 80.
WIDTH = 132


def main() -> None:
    """Runs the benchmark that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="name")

    def command(benchmark: Callable[..., list[Section]], *paths: str) -> argparse.ArgumentParser:
        """Makes a command of a function. Both have the same name, and their arguments have the same names."""
        added = commands.add_parser(benchmark.__name__)
        added.set_defaults(benchmark=benchmark)
        for path in paths:
            added.add_argument(path, type=Path)
        return added

    for of_folder in (prepare, scale, fuzz, origins):
        command(of_folder, "folder")
    command(humanize, "run", "folder")
    command(few, "folder", "out")
    speed = command(networks, "path")
    speed.add_argument("--seconds", type=float, default=60, help="how long each network is trained (default: 60)")
    speed.add_argument("--device", default="cpu", choices=["cpu", "cuda"], help="(default: cpu)")
    speed.add_argument(
        "--network",
        dest="names",
        action="append",
        default=[],
        choices=network_names(),
        help="a network; again for more (default: all)",
    )
    reach = command(limits, "path")
    reach.add_argument("--folds", type=int, default=5, choices=range(1, 6), help="how many of five (default: 5)")
    sizes = command(growth)
    sizes.add_argument("--factors", type=int, nargs="+", default=[1, 10, 100], help="(default: 1 10 100)")
    parts = command(stages)
    parts.add_argument("--songs", type=int, default=200, help="of the smallest table (default: 200)")
    parts.add_argument("--factors", type=int, nargs="+", default=[1, 4, 16], help="(default: 1 4 16)")
    given = vars(parser.parse_args())
    try:
        title, benchmark = given.pop("name"), given.pop("benchmark")
        Console(width=WIDTH).print(render_text(title, benchmark(**given)))
    except InputError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
