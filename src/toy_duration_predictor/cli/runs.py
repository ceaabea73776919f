"""What is under `logs`: `tdp runs`."""

import argparse
import sys
from pathlib import Path
from typing import Any

from toy_duration_predictor.cli.terminal import show_refused
from toy_duration_predictor.errors import InputError


def add_to(commands: Any) -> None:
    """Adds the commands to the parser of `tdp`, argparse's subparsers."""
    runs = commands.add_parser("runs", help="list runs, sweeps, searches and comparisons, and delete some")
    runs.set_defaults(run=_runs)
    runs.add_argument(
        "folder", type=Path, nargs="?", default=Path("logs"), help="where they lie (default: %(default)s)"
    )
    runs.add_argument("--arm", help="only runs of this arm, such as model_b")
    runs.add_argument("--data", help="only runs on this source of songs, such as parquet")
    runs.add_argument(
        "--state", choices=("finished", "interrupted", "pruned", "failed"), help="only those in this state"
    )
    runs.add_argument("--sort", metavar="METRIC", help="the best first, such as test/mae (default: the newest first)")
    runs.add_argument("--clean", action="store_true", help="delete what is listed by --arm, --data or --state")
    runs.add_argument("--yes", action="store_true", help="do not ask before that")


def _runs(arguments: argparse.Namespace) -> None:
    from rich.console import Console

    from toy_duration_predictor.comparison.runs import chosen, delete, find_entries, in_order, size_text, table
    from toy_duration_predictor.sections import render_text

    filters = {name: getattr(arguments, name) for name in ("arm", "data", "state")}
    if arguments.clean and not any(filters.values()):
        raise InputError("--clean deletes what is listed; say what, by --state, --arm or --data.")
    entries, refused = find_entries(arguments.folder)
    entries = in_order(chosen(entries, **filters), arguments.sort)
    Console().print(render_text("Runs", [table(entries, arguments.folder, arguments.sort)]))
    show_refused(refused)
    if not (arguments.clean and entries):
        return
    if not arguments.yes:
        question = f"Delete these {len(entries)} folders, {size_text(sum(e.size for e in entries))}? [y/N] "
        if not sys.stdin.isatty():
            raise InputError("Nothing is deleted without an answer; give --yes where nobody can be asked.")
        if input(question).strip().lower() not in ("y", "yes"):
            raise InputError("Nothing was deleted.")

    def at_work(entry: Any) -> None:
        sys.stderr.write(f"Left {entry.folder}: a process is in it, or it has changed within ten minutes.\n")

    for entry in delete(entries, at_work):
        sys.stdout.write(f"{entry.folder}: deleted\n")
