"""What the commands share: how options are read, words of their help, checks, and what is said of files."""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from toy_duration_predictor.errors import InputError, did_you_mean

# The terminal shows the first files that cannot be used; the .json file beside a table names them all.
REFUSED_SHOWN = 10

TRACK_HELP = "the voice's number, as tdp tracks shows it (default: found by lyrics, name, or as one note at a time)"
ENCODING_HELP = "that of lyrics and names in MIDI files, such as cp949 or euc_jp (default: found in each file)"
MODEL_HELP = (
    "a run's folder, a checkpoint, a saved model or its name on the Hub; or demo, which comes with this package and "
    "knows 18 simulated singers (default: %(default)s)"
)


class Parser(argparse.ArgumentParser):
    """A parser that refuses what it cannot use in one sentence, where argparse shows all options first."""

    def error(self, message: str) -> NoReturn:
        """Ends the process with status 2."""
        self.exit(2, f"{self.prog}: {message.removeprefix('argument ')}; {self.prog} --help says more.\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Does what argparse does, and says which option may have been meant."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown and unknown[0].startswith("-"):
            option = unknown[0].partition("=")[0]
            meant = did_you_mean(option, re.findall(r"(?<!\w)--?[a-z][\w-]*", self.format_usage()))
            self.error(f"there is no option {option} ({meant})")
        if unknown:
            self.error(f"'{unknown[0]}' is one argument too many; put a name with spaces into quotes")
        return found, unknown


def number(text: str) -> float:
    """Reads an option's number."""
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"give a number, not '{text}'") from error


def whole_number(text: str) -> int:
    """Reads an option's whole number."""
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"give a whole number, not '{text}'") from error


def check_exists(path: Path, what: str) -> None:
    """Refuses a path where nothing is; `what` says what could be there."""
    if not path.exists():
        raise InputError(f"{path} does not exist; give {what}.")


def check_ending(path: Path | None, ending: str) -> None:
    """Refuses a file to write whose name says that something else is in it."""
    if path and path.suffix.lower() != ending and not path.is_dir():
        raise InputError(f"{path} would be a {ending} file; name it so, such as {path.with_suffix(ending)}.")


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
