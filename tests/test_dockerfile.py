"""What can be said of the Dockerfile in a second; `scripts/check_dockerfile.py` goes through its steps in minutes."""

import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from check_dockerfile import Build, instructions

from tests.conftest import ROOT

STEPS = list(instructions((ROOT / "Dockerfile").read_text()))


def test_an_unprivileged_user_does_all_but_one_step():
    keywords = [keyword for keyword, _ in STEPS]
    before = STEPS[: keywords.index("USER")]
    assert [rest for keyword, rest in before if keyword == "RUN"] == ["useradd --create-home --uid 1000 tdp"]
    assert keywords.count("USER") == 1
    assert dict(STEPS)["USER"] == "1000"


def test_it_installs_extras_that_exist_and_listens_where_the_space_looks():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    [installed] = re.findall(r"\.\[([\w,]+)\]", " ".join(rest for _, rest in STEPS))
    assert set(installed.split(",")) <= set(extras)
    _, front, _ = (ROOT / "space" / "README.md").read_text().split("---\n", 2)
    space = yaml.safe_load(front)
    assert (space["sdk"], str(space["app_port"])) == ("docker", dict(STEPS)["EXPOSE"])
    assert f'"--port", "{space["app_port"]}"' in dict(STEPS)["CMD"]


def test_lines_that_go_on_and_comments():
    assert list(instructions("# a\nRUN one \\\n  && two\n\nUSER 1\n")) == [("RUN", "one && two"), ("USER", "1")]


def test_steps_are_gone_through(tmp_path):
    build = Build(tmp_path, {"GIVEN": "b"})
    (tmp_path / "root").mkdir()
    for step in (
        ("ARG", "GIVEN=a"),
        ("ARG", "OTHER=c"),
        ("RUN", "touch /never"),
        ("USER", "1000"),
        ("WORKDIR", "/home/tdp"),
        ("ENV", "PATH=/home/tdp/venv/bin:$PATH"),
        ("COPY", "--chown=1000 Makefile ./"),
        ("COPY", "--chown=1000 conf project"),
        ("CMD", '["tdp", "demo"]'),
    ):
        build.step(*step)
    assert build.environment["GIVEN"] + build.environment["OTHER"] == "bc"
    assert build.environment["PATH"].startswith(f"{tmp_path}/home/tdp/venv/bin:")
    assert (tmp_path / "home/tdp/Makefile").read_bytes() == (ROOT / "Makefile").read_bytes()
    assert (tmp_path / "home/tdp/project/train.yaml").is_file()
    assert build.command == "tdp demo"
    with pytest.raises(SystemExit, match="no such step"):
        build.step("SHELL", "x")


def test_a_step_that_fails_ends_the_check(tmp_path):
    code = f"""
import sys; sys.path.insert(0, {str(ROOT / "scripts")!r})
from pathlib import Path
from check_dockerfile import Build
build = Build(Path({str(tmp_path)!r}), {{}})
build.step("USER", "1000")
build.step("WORKDIR", "/home")
build.step("RUN", "test $HOME = {tmp_path}/home/tdp")
build.step("RUN", "exit 3")
"""
    tmp_path.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "This step ended with status 3.\n")
