"""`docs/extending.md`, word for word: its files are added to a copy of the project, and its commands run there."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from tests.conftest import LONGEST, ROOT

RECIPES = ("A network", "A source", "A metric", "An arm")
# What is added to the commands, so that a run takes a second.
SMALL = ["training.max_epochs=1", "data.songs=20", "trainer.threads=1"]
# With a look at the choices that were added.
CHOICES = ["tests/test_conf.py", "-k", "lengths or choice or comment"]
FEW = ["seeds=1", "data.songs=20", "trainer.threads=1", "resamples=100", 'each=["training.max_epochs=1"]']

# Runs commands one after the other, so that torch is imported once; a command that fails ends them all.
RUNNER = """
import glob, json, runpy, sys
for given in json.load(open(sys.argv[1])):
    # As a shell does, once the commands before have made the files.
    command = [part for each in given for part in (glob.glob(each) or [each])]
    print("$", *command, flush=True)
    program, sys.argv = command[0], command[1:]
    try:
        if program == "tdp":
            sys.argv = command
            from toy_duration_predictor.cli import main
            main()
        elif sys.argv[0] == "-m":
            sys.argv = sys.argv[1:]
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as ended:
        if ended.code:
            raise
"""


def sections():
    """The document by heading."""
    parts = re.split(r"^## (.+)\n", (ROOT / "docs" / "extending.md").read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def commands(recipe):
    blocks = re.findall(r"^```sh\n(.*?)^```", sections()[recipe], re.MULTILINE | re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The project with everything added that the document says."""
    copy = tmp_path_factory.mktemp("extended") / "project"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("src", "conf", "scripts", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", copy)
    for recipe in RECIPES:
        blocks = re.findall(
            r"^(Add|Append to) `(\S+)`:\n\n```\w+\n(.*?)^```", sections()[recipe], re.MULTILINE | re.DOTALL
        )
        assert 1 <= len(blocks) <= 2
        assert len(blocks) == len(re.findall(r"^```(?!sh$)\w+$", sections()[recipe], re.MULTILINE))
        for how, name, text in blocks:
            path = copy / name
            assert path.exists() == (how == "Append to")
            with path.open("a") as file:
                file.write("\n\n" * (how == "Append to") + text)
    return copy


def run(copy, wanted):
    """Runs commands in the copy; returns what they said."""
    added = {"scripts/train.py": SMALL, "scripts/compare.py": FEW, "-m": CHOICES}
    wanted = [[*each, *added.get(each[1], ())] for each in wanted]
    # Pytest first, as it wants to be imported before anything else.
    (copy / "commands.json").write_text(json.dumps(sorted(wanted, key=lambda each: each[1] != "-m")))
    environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "COLUMNS": "120"}
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, "commands.json"],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LONGEST,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_four_recipes_are_followed_word_for_word(copy):
    wanted = [command for recipe in RECIPES for command in commands(recipe)]
    said = run(copy, [command for command in wanted if command[1] != "scripts/compare.py"])

    found = [json.loads(path.read_text()) for path in copy.glob("logs/*/metrics.json")]
    chosen = {(each["name"], each["model"], each["data/source"], each["seed"]) for each in found}
    assert chosen == {
        ("model_b", "lengths", "simulated", 0),
        ("model_b", "phase", "swing", 0),
        ("model_b", "phase", "simulated", 1),
        ("model_b_fixed", "phase", "simulated", 0),
    }
    assert all(0 <= each["test/near"] <= 1 for each in found)
    assert re.search(r"│ near +│ \d", said)
    assert "Audit of swing" in said
    assert int(re.search(r"(\d+) passed", said)[1]) > 10


@pytest.mark.slow
def test_an_arm_is_compared(copy):
    (comparison,) = (command for command in commands("An arm") if command[1] == "scripts/compare.py")
    run(copy, [comparison])
    (report,) = copy.glob("logs/comparisons/*/report.json")
    assert "model_b_fixed" in report.read_text()


@pytest.mark.parametrize("recipe", RECIPES)
def test_what_is_added_is_as_clean_as_the_rest(recipe):
    """By ruff, as everything that is committed."""
    for text in re.findall(r"^```python\n(.*?)^```", sections()[recipe], re.MULTILINE | re.DOTALL):
        for check in (["check", "--ignore=F821,I001,D100"], ["format", "--check"]):
            command = [sys.executable, "-m", "ruff", *check, "--stdin-filename=src/x.py", "-"]
            done = subprocess.run(command, input=text, cwd=ROOT, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout
