"""Runs in processes of their own, which begin with everything imported, and what must be the same after a fault."""

import os
import shutil
import sys
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from tests.conftest import composed
from toy_duration_predictor.training.checkpoints import read_checkpoint
from toy_duration_predictor.training.run_folder import load_run, read_run
from toy_duration_predictor.training.train import train

# What differs between two runs of the same command.
CHANGING = {"train/seconds", "train/notes_per_second", "git/commit"}  # a commit made meanwhile changes nothing

PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__])


def start(logs: Path, *overrides: str) -> BaseProcess:
    """Starts a run; what it says goes to `LOGS.txt`."""
    return start_work(logs, _run, logs, overrides)


def start_work(logs: Path, work: Callable[..., object], *arguments: Any) -> BaseProcess:
    """Starts any work; what it says goes to `LOGS.txt`."""
    process = PROCESSES.Process(target=_say, args=(logs, work, *arguments))
    process.start()
    return process


def finish(logs: Path, *overrides: str) -> None:
    """Gives a command, and waits for its end."""
    process = start(logs, *overrides)
    process.join()
    assert process.exitcode == 0, said(logs)


def _say(logs: Path, work: Callable[..., object], *arguments: Any) -> None:
    file = os.open(f"{logs}.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for output in (sys.stdout, sys.stderr):
        os.dup2(file, output.fileno())
    work(*arguments)


def _run(logs: Path, overrides: tuple[str, ...]) -> None:
    train(composed(*overrides, f"logs={logs}"))


def said(logs: Path) -> str:
    """Returns what all runs in a folder have said."""
    return Path(f"{logs}.txt").read_text()


def result(folder: Path) -> dict[str, Any]:
    """Returns all that is used of a finished run."""
    run, task = read_run(folder), load_run(folder)
    metrics = {name: value for name, value in run.metrics.items() if name not in CHANGING}
    config = {name: value for name, value in run.config.items() if name not in ("logs", "resume", "force")}
    return {
        "metrics": metrics,
        "config": config,
        "predictions": run.predictions.to_pydict(),
        "best": task.state_dict(),
        "singers": task.singers,
        "statistics": task.hparams["statistics"],
    }


def same(one: Any, other: Any) -> bool:
    """Returns whether two results are the same to the last bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else bool(one == other)


def check(logs: Path, undisturbed: Path) -> None:
    """Checks that a run has come to the same as the undisturbed one, with no litter, and deletes it."""
    (folder,) = (path for path in logs.iterdir() if path.is_dir())
    assert same(result(folder), result(undisturbed))
    last = [read_checkpoint(run / "checkpoints" / "last.ckpt")["state_dict"] for run in (folder, undisturbed)]
    assert same(*last)
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert not list(folder.glob(".*"))
    shutil.rmtree(logs)
    Path(f"{logs}.txt").unlink()
