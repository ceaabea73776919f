"""`docs/your_singer.md`, word for word, on four real recordings under other names."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys

import midii
import pytest

from tests.conftest import LONGEST, ROOT
from tests.test_extending import RUNNER
from toy_duration_predictor.data.midi.smf import parse
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.scores.midi import read_score

GUIDE = (ROOT / "docs" / "your_singer.md").read_text()
# What is added to a training, so that it takes seconds.
SMALL = ["model.width=8", "training.max_epochs=2", "trainer.threads=1"]


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_guide_is_followed_word_for_word(tmp_path):
    folder, *files = blocks("text")[0].split("\n")
    places = [tmp_path / folder.strip() / file.strip() for file in files if file.strip()]
    for place, recording in zip(places, midii.sample.dataset, strict=True):
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(recording, place)
    for name in ("conf", "scripts"):
        (tmp_path / name).symlink_to(ROOT / name)
    commands = [shlex.split(line) for block in blocks("shell") for line in block.splitlines()]
    commands = [each + SMALL if each[:2] == ["python", "scripts/train.py"] else each for each in commands]
    commands += [shlex.split(found) for found in re.findall(r"\| `(tdp prepare [^`]+)` \|", GUIDE)]
    (tmp_path / "guide.py").write_text(blocks("python")[0] + "print(predictor.singer_names, sung.shape)\n")
    (tmp_path / "commands.json").write_text(json.dumps([*commands, ["python", "guide.py"]]))
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, "commands.json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=LONGEST,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(commands) == 7
    for said in (
        "as kim sings.mid: with the timing of recordings/Kim",
        "Singers by folder, with their songs: Kim (4).",
        "songs.parquet: 4 songs of 4 files",
        "split into 2 / 1 / 1",
        "Few songs: 2 to train on, 1 to validate, 1 to test.",
        "kim by name.mid: with the timing of singer Kim",
        "All songs are by Kim.",
        "{1: 'Kim'} (4,)",
    ):
        assert said in " ".join((done.stdout + done.stderr).split())
    score, like, by_name = (
        read_score(parse((tmp_path / name).read_bytes()))[0].times
        for name in ("score.mid", "as kim sings.mid", "kim by name.mid")
    )
    assert len(score) == len(like) == len(by_name)
    assert (score != like).any()
    [run] = (tmp_path / "logs").glob("model_b-*")
    assert Predictor.load(run).singer_names == {1: "Kim"}
