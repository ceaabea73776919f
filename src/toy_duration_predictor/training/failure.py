"""Why a run has ended by an error, in `failed.json` in its folder: so nobody takes it for an interrupted one."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from toy_duration_predictor.errors import InputError, reason_of, refusal
from toy_duration_predictor.files import write_text
from toy_duration_predictor.training.commands import Interrupted

FAILED = "failed.json"


class DivergedError(InputError):
    """A loss or a prediction is not finite."""


class Occupied(Exception):  # noqa: N818
    """Another process has this run under way."""


@contextmanager
def saying_why(folder: Path) -> Iterator[None]:
    """Leaves the kind of the error and its reason in the folder of a run that ends by an error in a `with` block.

    Raises:
        InputError: In place of an error of the system, such as that of a full disk.
    """
    try:
        yield
    except (Interrupted, Occupied):
        raise
    except Exception as error:
        if folder.is_dir():
            failure = {"kind": type(error).__name__, "reason": reason_of(error)}
            with suppress(InputError):  # where the disk is full, or is another user's: the error itself says so
                write_text(folder / FAILED, json.dumps(failure, indent=2) + "\n")
        if isinstance(error, OSError | UnicodeError) and (sentence := refusal(error, f"A file in {folder}")):
            raise InputError(sentence) from error
        raise


def kind_of_failure(folder: Path) -> str:
    """Returns the name of the error by which a run has ended; or "" if it has not."""
    return _failure(folder).get("kind", "")


def forget_failure(folder: Path) -> None:
    """Lets a run that has failed go on, unless the same training would diverge again.

    Raises:
        DivergedError: The training of this run has diverged before.
    """
    failure = _failure(folder)
    if failure.get("kind") == DivergedError.__name__:
        raise DivergedError(failure.get("reason", ""))
    (folder / FAILED).unlink(missing_ok=True)


def _failure(folder: Path) -> dict[str, str]:
    try:
        failure = json.loads((folder / FAILED).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError):
        failure = None
    # What cannot be read says at least that there was a failure.
    known = isinstance(failure, dict) and all(isinstance(value, str) for value in failure.values())
    return failure if known else {"kind": "unknown"}
