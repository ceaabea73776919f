"""What the commands share: words of their help, checks, and what is said of files."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from toy_duration_predictor.errors import InputError

# The terminal shows the first files that cannot be used; the .json file beside a table names them all.
REFUSED_SHOWN = 10

TRACK_HELP = "the voice's number, as tdp tracks shows it (default: found by lyrics, name, or as one note at a time)"
ENCODING_HELP = "that of lyrics and names in MIDI files, such as cp949 or euc_jp (default: found in each file)"
MODEL_HELP = (
    "a run's folder, a checkpoint, a saved model or its name on the Hub; or demo, which comes with this package and "
    "knows 18 simulated singers (default: %(default)s)"
)


def check_exists(path: Path, what: str) -> None:
    """Refuses a path where nothing is; `what` says what could be there."""
    if not path.exists():
        raise InputError(f"{path} does not exist; give {what}.")


def show_refused(refused: dict[str, str], named: str = "") -> None:
    """Prints which files were left out. `named` says where the files that are not printed are named."""
    for file, reason in list(refused.items())[:REFUSED_SHOWN]:
        sys.stderr.write(f"Left out {file}: {reason}.\n")
    if len(refused) > REFUSED_SHOWN:
        sys.stderr.write(f"Left out {len(refused) - REFUSED_SHOWN} more{named}.\n")


def show_passed_over(passed_over: dict[str, int]) -> None:
    """Prints how many files of a folder were passed over, by the ends of their names."""
    if passed_over:
        sys.stderr.write(f"Passed over files of other kinds: {counts(passed_over)}.\n")


def counts(counts: dict[str, int]) -> str:
    """Returns counts in words, the largest first."""
    return ", ".join(
        f"{what} {count:,}" for what, count in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    )


def bar(batches: Iterable[Any], number: int, what: str = "Preparing") -> Iterator[Any]:
    """Yields batches with a progress bar on the terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(batches, what, total=number, console=console, disable=not console.is_terminal)
