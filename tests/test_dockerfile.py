"""What else names what the Dockerfile names; `docker build` tests the rest."""

import json
import re
import tomllib

import yaml

from tests.conftest import ROOT

LINES = (ROOT / "Dockerfile").read_text().splitlines()
STEPS = dict(line.split(maxsplit=1) for line in LINES if line.startswith(("CMD", "EXPOSE", "USER")))


def test_it_installs_extras_that_exist_and_listens_where_the_space_looks():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    [installed] = re.findall(r"\.\[([\w,]+)\]", "\n".join(LINES))
    assert set(installed.split(",")) <= set(extras)
    _, front, _ = (ROOT / "space" / "README.md").read_text().split("---\n", 2)
    space = yaml.safe_load(front)
    port = str(space["app_port"])
    assert (space["sdk"], STEPS["EXPOSE"], json.loads(STEPS["CMD"])[-2:]) == ("docker", port, ["--port", port])


def test_the_image_has_neither_runs_nor_environments():
    """They are large, and were made for another machine."""
    ignored = set((ROOT / ".dockerignore").read_text().split())
    assert {".git", ".venv", "logs"} <= ignored
