"""Which code made a run: digests of the package's own sources, the commit, and the versions of what it runs on."""

import hashlib
import json
import subprocess
from importlib.metadata import version
from pathlib import Path

from toy_duration_predictor.files import write_text

PACKAGE = Path(__file__).parents[1]

# What only uses finished runs. It cannot change their numbers, so a change there asks for no new run.
USES_RUNS = ("comparison", "inference", "scores", "sharing", "demo", "cli.py", "sections.py")

SOURCES = "sources.json"
VERSIONED = ("torch", "lightning", "datasets", "numpy", "midii")


def source_digests() -> dict[str, str]:
    """Returns a digest of each source file that can change a run's numbers, by its path within the package.

    Any new file or folder of the package counts, unless it is among `USES_RUNS`.
    """
    files = (path.relative_to(PACKAGE) for path in sorted(PACKAGE.rglob("*.py")))
    return {
        file.as_posix(): hashlib.sha256((PACKAGE / file).read_bytes()).hexdigest()[:16]
        for file in files
        if file.parts[0] not in USES_RUNS
    }


def code_digest() -> str:
    """Returns 8 hexadecimal digits that follow from `source_digests`."""
    return hashlib.sha256(json.dumps(source_digests(), sort_keys=True).encode()).hexdigest()[:8]


def write_sources(folder: Path) -> None:
    """Writes `sources.json`: which code a run is made by, file by file."""
    write_text(folder / SOURCES, json.dumps(source_digests(), indent=2, sort_keys=True) + "\n")


def changed_sources(folder: Path) -> list[str]:
    """Returns the source files that differ from those that a run was made by, as paths within the package.

    Where the run does not say what code it was made by, that is `sources.json` itself.

    Args:
        folder: The run's.
    """
    try:
        then = json.loads((folder / SOURCES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return [SOURCES]
    now = source_digests()
    return sorted(file for file in then.keys() | now.keys() if then.get(file) != now.get(file))


def provenance() -> dict[str, float | int | str]:
    """Returns the digest of the sources, the commit where they lie in a git checkout, and versions.

    A commit ends in `-dirty` where a file was changed since, or is new and not tracked: it is then not the whole code.
    """

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(PACKAGE), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603

    try:
        # Without this, an installed package would name the commit of whatever checkout its environment lies in.
        git("ls-files", "--error-unmatch", __file__)
        top = git("rev-parse", "--show-toplevel")
        commit = git("rev-parse", "HEAD") + ("-dirty" if git("-C", top, "status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        commit = "unknown"
    own = {"version/toy_duration_predictor": version("toy-duration-predictor")}
    versions = {f"version/{name}": version(name) for name in VERSIONED}
    return {"code/digest": code_digest(), "git/commit": commit, **own, **versions}
