"""Goes through the Dockerfile's steps without a container engine: `python scripts/check_dockerfile.py`.

Files are copied and RUN steps run in a fresh folder that stands for `/`, with a fresh HOME and environment, by user
1000 where this is run by root. Then the page must answer, and the notebook run, by that user.

What this cannot check: the base image and what is missing in it, steps before USER (they change the system, and are
only named), the network as a container has it, other architectures, and the rules of a Space.
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[1]
USER = 1000


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yields keywords and arguments of a Dockerfile, lines that go on joined."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in filter(None, map(str.strip, lines.replace("\\\n", " ").splitlines())):
        keyword, _, rest = line.partition(" ")
        yield keyword.upper(), " ".join(rest.split())


class Build:
    """What a container engine would keep while it goes through the steps.

    Args:
        system: The folder that stands for `/`.
        arguments: Values of ARGs.
    """

    def __init__(self, system: Path, arguments: dict[str, str]) -> None:
        self.system, self.arguments = system, arguments
        self.environment = {"PATH": f"{system / 'bin'}:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(system / "root")}
        self.folder, self.user, self.command = Path("/"), False, ""

    def inside(self, path: str) -> Path:
        """Returns where a path of the container is here."""
        return self.system / (self.folder / path).relative_to("/")

    def step(self, keyword: str, rest: str) -> None:
        """Does one step."""
        print(f"{keyword} {rest}", flush=True)
        if keyword == "ARG":
            name, _, default = rest.partition("=")
            self.environment[name] = self.arguments.get(name, default)
        elif keyword == "ENV":
            for pair in shlex.split(rest):
                name, _, value = pair.partition("=")
                value = value.replace("/home/", f"{self.system}/home/")
                self.environment[name] = value.replace("$PATH", self.environment["PATH"])
        elif keyword == "USER":
            self.user = True
            self.environment["HOME"] = str(self.inside("/home/tdp"))
        elif keyword == "WORKDIR":
            self.folder = self.folder / rest
            self.own(self.inside("."), make=True)
        elif keyword == "COPY":
            self.copy(*[part for part in rest.split() if not part.startswith("--")])
        elif keyword == "CMD":
            self.command = shlex.join(json.loads(rest))
        elif keyword == "RUN" and self.user:
            self.run(rest).wait_for_success()
        elif keyword == "RUN":
            print("    left out: it would change this system")
        elif keyword not in ("FROM", "EXPOSE"):
            sys.exit(f"{keyword}: no such step is known here.")

    def copy(self, source: str, target: str) -> None:
        """Copies what a COPY would, without what `.dockerignore` names."""
        ignored = [line.removeprefix("**/") for line in (ROOT / ".dockerignore").read_text().split()]
        place = self.inside(target)
        if (ROOT / source).is_dir():
            shutil.copytree(
                ROOT / source,
                place,
                ignore=lambda _, names: {name for name in names for pattern in ignored if fnmatch(name, pattern)},
                dirs_exist_ok=True,
            )
        else:
            shutil.copy(ROOT / source, place)
            place /= source
        self.own(place)

    def own(self, place: Path, make: bool = False) -> None:
        """Gives a file or folder to the user."""
        if make:
            place.mkdir(parents=True, exist_ok=True)
        if os.getuid() == 0 and self.user:
            for path in (place, *place.rglob("*")):
                os.chown(path, USER, USER, follow_symlinks=False)

    def run(self, command: str) -> "Process":
        """Starts a command in the container's folder."""
        return Process(command, self)


class Process(subprocess.Popen[bytes]):
    """A command by the user, in a session of its own."""

    def __init__(self, command: str, build: Build) -> None:
        drop = {"user": USER, "group": USER, "extra_groups": []} if os.getuid() == 0 else {}
        super().__init__(
            ["/bin/bash", "-ec", command],
            cwd=build.inside("."),
            env=build.environment,
            start_new_session=True,
            **drop,  # type: ignore[call-overload]
        )

    def wait_for_success(self) -> None:
        """Ends this program where the command fails."""
        if self.wait():
            sys.exit(f"This step ended with status {self.returncode}.")


def main() -> None:
    """Goes through all steps, then uses what they made."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--python", default=os.path.realpath(sys.executable), help="what stands for the image's python")
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE", help="as of docker build")
    parser.add_argument("--skip-notebook", action="store_true", help="it takes minutes")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tdp-image-") as made:
        system = Path(made)
        system.chmod(0o755)
        (system / "bin").mkdir()
        (system / "bin" / "python").symlink_to(given.python)
        build = Build(system, dict(pair.split("=", 1) for pair in given.build_arg))
        for keyword, rest in instructions((ROOT / "Dockerfile").read_text()):
            build.step(keyword, rest)
        build.run("id; python --version; ! touch /etc/tdp 2>/dev/null || test $(id -u) = 0").wait_for_success()
        answers(build)
        if not given.skip_notebook:
            began = time.monotonic()
            build.run("jupyter execute notebooks/experiment.ipynb").wait_for_success()
            print(f"The notebook ran in {time.monotonic() - began:.0f} s.")
    print(
        "Not checked: the base image, steps before USER, a container's network, other architectures, a Space's rules."
    )


def answers(build: Build) -> None:
    """Runs CMD until the page answers, then ends it as an engine would."""
    page = build.run(f"exec {build.command}")
    try:
        for _ in range(120):
            try:
                with urllib.request.urlopen("http://127.0.0.1:7860/", timeout=5) as answer:
                    assert b"gradio" in answer.read()  # noqa: S101
                break
            except OSError:
                time.sleep(1)
                if page.poll() is not None:
                    sys.exit("The page ended before it answered.")
        else:
            sys.exit("The page does not answer.")
        page.send_signal(signal.SIGTERM)
        if page.wait(timeout=30):
            sys.exit(f"The page ended with status {page.returncode}.")
        print("The page answers, and ends when it is told to.")
    finally:
        page.kill()


if __name__ == "__main__":
    main()
