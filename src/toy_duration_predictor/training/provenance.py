"""The code of a run: digests of the package's own sources, the commit, and the versions of the libraries below it.

A process has the code that it has imported, whatever happens to the files while it runs. So both are read once; a sweep
or a comparison of many hours would otherwise take an edited file for the code of its later runs.
"""

import hashlib
import json
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

from toy_duration_predictor.files import write_text

PACKAGE = Path(__file__).parents[1]

# Rooms and files that only use finished runs. A change there changes none of their numbers, and asks for no new run.
USES_RUNS = ("comparison", "inference", "scores", "sharing", "demo", "cli", "sections.py")

SOURCES = "sources.json"
VERSIONED = ("toy_duration_predictor", "torch", "lightning", "datasets", "numpy", "midii")


@cache
def source_digests() -> dict[str, str]:
    """Returns a digest of each source file that can change a run's numbers, by its path within the package.

    Any new file or folder of the package counts, unless it is among `USES_RUNS`.
    """
    # An editor's lock, a link to nothing, may end in .py too; it is no file.
    files = (path.relative_to(PACKAGE) for path in sorted(PACKAGE.rglob("*.py")) if path.is_file())
    return {
        file.as_posix(): hashlib.sha256((PACKAGE / file).read_bytes()).hexdigest()[:16]
        for file in files
        if file.parts[0] not in USES_RUNS
    }


def code_digest() -> str:
    """Returns 8 hexadecimal digits that follow from `source_digests`."""
    return hashlib.sha256(json.dumps(source_digests(), sort_keys=True).encode()).hexdigest()[:8]


def write_sources(folder: Path) -> None:
    """Writes `sources.json`, the digests of the sources that a run is made by."""
    write_text(folder / SOURCES, json.dumps(source_digests(), indent=2, sort_keys=True) + "\n")


def changed_sources(folder: Path) -> str:
    """Returns the source files in which the code of a run differs from today's: a list for a sentence, or "".

    Args:
        folder: The run's.
    """
    try:
        then = dict(json.loads((folder / SOURCES).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return f"files not known, as the run has no {SOURCES}"
    now = source_digests()
    return ", ".join(sorted(file for file in then.keys() | now.keys() if then.get(file) != now.get(file)))


@cache
def provenance() -> dict[str, float | int | str]:
    """Returns the digest of the sources, the commit if they lie in a git checkout, and versions.

    A commit ends in `-dirty` if a file has changed since, or is new and not tracked: the commit is not the whole code.
    """

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(PACKAGE), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603

    try:
        # An environment may lie in a checkout of something else, whose commit says nothing of an installed package.
        git("ls-files", "--error-unmatch", __file__)
        top = git("rev-parse", "--show-toplevel")
        commit = git("rev-parse", "HEAD") + ("-dirty" if git("-C", top, "status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        commit = "unknown"
    versions = {f"version/{name}": version(name) for name in VERSIONED}
    return {"code/digest": code_digest(), "git/commit": commit, **versions}
