"""Small songs and small runs, made on the spot. No test needs the network."""

import inspect
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
# Small networks are no faster on more threads, and much slower where other work takes turns with them.
os.environ["OMP_NUM_THREADS"] = "1"

import matplotlib as mpl
import midii
import numpy as np
import pytest
import torch
from datasets import Dataset, disable_progress_bars
from filelock import FileLock
from hydra import compose, initialize_config_dir
from hypothesis import HealthCheck, settings
from omegaconf import DictConfig

from toy_duration_predictor.data.sources import load_songs

mpl.use("Agg")
# The same examples each time, however slow the machine is.
settings.register_profile(
    "project", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("project")
disable_progress_bars()

ROOT = Path(__file__).parents[1]

# Seconds that a process is given, where this machine has much else to do. It ends a test that would wait for ever.
LONGEST = 600

# A network and a training that take a second.
SMALL = (
    "model.width=8",
    "model.layers=1",
    "training.window=32",
    "training.batch_size=32",
    "training.max_epochs=3",
    "trainer.threads=1",
)
FEW_SONGS = ("data.songs=20",)
ONE_EPOCH = "training.max_epochs=1"
# What most tests train, and what the run is that they share.
RUN = ("experiment=model_b", *SMALL, *FEW_SONGS)
# A training of one epoch, where more would show nothing more.
SHORT = (*RUN, ONE_EPOCH)

# Of any network: those of these that its constructor names.
SMALL_SIZES = {
    "width": 8,
    "layers": 2,
    "phases": 5,
    "hidden_size": 8,
    "num_layers": 2,
    "singer_embedding_dim": 4,
}


def small_sizes(network: str) -> dict[str, int]:
    """Returns sizes with which a network is small; those that only it has are left as they are."""
    module = import_module(f"toy_duration_predictor.models.{network}")
    wanted = inspect.signature(getattr(module, module.__all__[0])).parameters
    return {name: size for name, size in SMALL_SIZES.items() if name in wanted}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def songs(rng: np.random.Generator) -> Dataset:
    """30 songs of 5 to 50 notes by singers 3, 5, 8 and 13; 15 song_id, each in two rows."""
    lengths = rng.integers(5, 50, size=30)
    quantized = [15 * rng.integers(0, 9, size=n) for n in lengths]
    return Dataset.from_dict(
        {
            "song_id": [f"song{i // 2}" for i in range(30)],
            "singer_id": [(3, 5, 8, 13)[i % 4] for i in range(30)],
            "ticks_per_beat": [120] * 30,
            "durations": [np.maximum(q + rng.integers(-7, 8, size=len(q)), 1) for q in quantized],
            "quantized_durations": quantized,
        }
    )


def composed(*overrides: str, name: str = "train") -> DictConfig:
    """Composes `conf/NAME.yaml`."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose(name, list(overrides))


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., DictConfig]:
    """Composes `conf/NAME.yaml`; run folders go to a temporary folder."""

    def make(*overrides: str, name: str = "train") -> DictConfig:
        logs = [f"logs={tmp_path / 'logs'}"] if name == "train" else []
        return composed(*logs, *overrides, name=name)

    return make


@pytest.fixture(scope="session")
def shared_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of `RUN`, made once for all tests: whoever would change it takes `own_run`."""
    from toy_duration_predictor.training.train import train  # Lightning takes seconds, which few tests need

    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # the folder of all workers; who comes second finds the run finished
    with FileLock(base / "shared.lock"), as_it_was():
        return Path(train(composed(*RUN, f"logs={base / 'shared'}"))["run/folder"])


@pytest.fixture(scope="session")
def shared_songs() -> Dataset:
    """The songs of the shared run: each singer of 1 to 18 has one, and singers 1 and 2 have two."""
    return load_songs("simulated", songs=20)


@pytest.fixture
def own_run(shared_run: Path, tmp_path: Path) -> Path:
    """A copy of the shared run, where `train(config(*RUN))` finds it."""
    return Path(shutil.copytree(shared_run, tmp_path / "logs" / shared_run.name))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the four real songs of the midii package."""
    folder = tmp_path / "my songs"
    folder.mkdir()
    for path in midii.sample.dataset:
        shutil.copy(path, folder)
    return folder


@pytest.fixture
def script() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a script as a user would, away from the repository."""

    def run(name: str, *arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "scripts" / name), *arguments]
        return subprocess.run(
            command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=LONGEST
        )

    return run


@pytest.fixture(scope="session")
def mssv() -> Path:
    """The folder of 160 real songs."""
    folder = os.environ.get("TDP_MSSV_DIR")
    if not folder:
        pytest.skip("TDP_MSSV_DIR does not name the folder of real songs")
    return Path(folder)


@contextmanager
def as_it_was() -> Iterator[None]:
    """Leaves torch's threads and random state, this package's log and the signals' handlers as they were."""
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # A shell's background jobs, and whatever they start, ignore SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    package = logging.getLogger("toy_duration_predictor")
    handlers, propagate = package.handlers[:], package.propagate
    yield
    torch.set_num_threads(threads)
    torch.set_rng_state(state)
    package.handlers[:], package.propagate = handlers, propagate
    for number, handler in signals.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    with as_it_was():
        yield


def cpu_seconds(work: Callable[[], object], times: int = 3) -> float:
    """Returns the seconds of a core that some work takes, at the least: what else the machine does is not counted.

    They depend on the machine, so compare them with those of other work.
    """

    def once() -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    return min(once() for _ in range(times))


def flat(lists: Any) -> np.ndarray:
    """Returns a list of lists as one array."""
    return np.concatenate([np.asarray(each) for each in lists])
