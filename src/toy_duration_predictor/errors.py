"""The one exception that stands for bad input, and the sentences that it carries."""

import errno
import io
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class InputError(ValueError):
    """Bad input: a table, file, setting or name that cannot be used.

    The message is a sentence for the user: what is wrong, where, and what to do. Commands print it without a traceback,
    and end with a non-zero status.
    """


def need(what: str, extra: str, *packages: str) -> None:
    """Refuses to go on without the packages of an extra, before anything is imported.

    Args:
        what: What needs them.
        extra: The extra's name.
        packages: What is imported.

    Raises:
        InputError: One of them is not installed.
    """
    for package in packages:
        if find_spec(package) is None:
            raise InputError(f"{what} needs {package}: pip install 'toy-duration-predictor[{extra}]'.")


def reason_of(error: Exception) -> str:
    """Returns why something failed, for a record of it: the sentence, or the kind of an error that nobody foresaw."""
    return str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {first_line(error)}"


# What the system or a disk refuses, whatever the program does.
_REFUSED = (
    errno.EACCES,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOSPC,
    errno.EPERM,
    errno.EROFS,
)


def refusal(error: OSError | UnicodeError, place: object = "A file") -> str | None:
    """Returns a sentence for what the system refuses, as on a full disk; None for an error of another kind.

    Args:
        error: The error.
        place: What cannot be written or read, where the error does not say it.
    """
    # So Python stands for bytes of a name that are none in the encoding of the system's names.
    if isinstance(error, UnicodeEncodeError) and error.reason == "surrogates not allowed":
        return f"{error.object!r:.160} is not in UTF-8; rename the file, or set PYTHONUTF8=1."
    if not isinstance(error, OSError) or error.errno not in _REFUSED:
        return None
    return f"{error.filename or place} cannot be written or read: {error.strerror}."


def show_any_text() -> None:
    """Lets this process print letters that its output has no code for: they are shown by their numbers."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Returns a question for a misspelt name, or a list of the known names if no known name is near.

    >>> did_you_mean("parket", ["hub", "midi", "parquet"])
    "did you mean 'parquet'?"
    """
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(names)}"


def explain(error: "ValidationError", within: str) -> str:
    """Returns a sentence for the first mistake that a validation found; `within` says where that was."""
    first = error.errors(include_url=False)[0]
    reason = first.get("ctx", {}).get("error")
    # A validator of this package raises a sentence; pydantic, which wraps it, would put words of its own before it.
    if isinstance(reason, InputError):
        return str(reason)
    key = ".".join(map(str, first["loc"]))
    if first["type"] in ("missing", "missing_argument", "missing_keyword_only_argument"):
        return f"{within}: '{key}' is needed and not given."
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{within}: there is no setting '{key}'."
    message = first["msg"].removeprefix("Value error, ")
    if not key:
        return f"{within}: {message}."
    return f"{within}: {key}={first['input']!r} cannot be used: {message[0].lower()}{message[1:]}."


def first_line(error: BaseException) -> str:
    """Returns the first line of an error's message, or its beginning where the line is too long for a sentence."""
    line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return line if len(line) <= 160 else line[:157] + "..."
