"""Benchmarks of the networks: speed in training and in prediction, and the way to a good model; see `bench.py`."""

import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from hydra import compose, initialize_config_dir
from lightning.fabric.utilities import move_data_to_device
from torch import Tensor
from torch.utils.data import DataLoader

from toy_duration_predictor.data.batches import OF_ROWS, Batch
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.data.windows import Windows
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.models import network_names
from toy_duration_predictor.sections import Section
from toy_duration_predictor.training.config import TrainConfig, validated
from toy_duration_predictor.training.task import warm_up_and_cosine
from toy_duration_predictor.training.train import make_data_and_task

PUBLISHED = "bigru_published"
# Shares of the copy error of test songs that a network is to reach.
SHARES = (0.80, 0.75)
# Rounds in which predictions are timed, the least seconds of a round, and the most of training on rows one by one.
ROUNDS, LEAST_SECONDS, FED_SECONDS = 5, 1.0, 20.0
# Seconds of training, and the share of the copy error that was left after them.
Curve = list[tuple[float, float]]


class Trial:
    """A network in training with its own settings, an update at a time; without Lightning, whose work is not timed.

    Args:
        network: The network's name in `conf/model`.
        table: The songs.
        settings: Changes of its settings, such as `model.width=8`.
        device: Where the network is trained.
    """

    def __init__(self, network: str, table: Dataset, *settings: str, device: str = "cpu") -> None:
        with initialize_config_dir(str(Path(__file__).resolve().parents[1] / "conf"), version_base="1.3"):
            config = validated(compose("train", [f"model={network}", *settings]), TrainConfig)
        torch.manual_seed(config.seed)
        self.training = config.training
        self.device = torch.device(device)
        self.data, task = make_data_and_task(config, table)
        self.task = task.to(self.device)
        self.optimizer = torch.optim.AdamW(
            task.parameters(), self.training.learning_rate, weight_decay=self.training.weight_decay
        )

    @cached_property
    def schedule(self) -> torch.optim.lr_scheduler.LambdaLR:
        """The schedule of the learning rate over all updates; the training windows may be changed until the first."""
        updates = self.training.max_epochs * len(self.data.train_dataloader())
        constant = self.training.schedule == "constant"
        return torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda update: 1.0 if constant else warm_up_and_cosine(update, updates)
        )

    def update(self, batch: Batch) -> float:
        """Updates the weights once; returns the seconds that this took."""
        schedule, began = self.schedule, time.perf_counter()
        loss: Tensor = self.task.loss(move_data_to_device(batch, self.device))
        torch.autograd.backward(loss)
        self.optimizer.step()
        schedule.step()
        self.optimizer.zero_grad()
        self.wait()
        return time.perf_counter() - began

    def wait(self) -> None:
        """Waits until a GPU has done its work, which goes on while Python does."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def epoch(self, number: int) -> Iterator[tuple[float, int]]:
        """Trains for an epoch; yields the seconds, without loading, and the notes of each update."""
        loader = self.data.train_dataloader()
        loader.sampler.set_epoch(number)  # type: ignore[attr-defined]
        for batch in loader:
            yield self.update(batch), int(batch.mask.sum())

    @torch.no_grad()
    def errors(self) -> dict[int, np.ndarray]:
        """Returns the absolute errors of the model and of the copy baseline, by test row: float64 `(2, T)`, ticks."""
        self.task.eval()
        found: dict[int, list[Tensor]] = {}
        for batch in self.data.test_dataloader():
            batch = move_data_to_device(batch, self.device)
            both = torch.stack([self.task(batch), batch.quantized], dim=1) - batch.sung[:, None]
            for row, errors, mask in zip(batch.row.tolist(), both.abs(), batch.mask, strict=True):
                found.setdefault(row, []).append(errors[:, mask])
        self.task.train()
        return {row: torch.cat(errors, dim=1).cpu().double().numpy() for row, errors in found.items()}


def share(errors: dict[int, np.ndarray]) -> float:
    """Returns the share of the copy error that is left; the errors are `Trial.errors`."""
    model, copied = sum(song.sum(1) for song in errors.values())
    return float(model / copied)


def networks(path: Path, names: list[str], seconds: float, device: str) -> list[Section]:
    """Trains networks for some seconds each, and times their predictions. The published network is always among them.

    Raises:
        InputError: Torch does not see a GPU, the table cannot be read, or its songs are too short.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: torch sees no GPU here; leave it out for the CPU.")
    table = load_songs("parquet", path=path)
    names = [name for name in network_names() if name in {*(names or network_names()), PUBLISHED}]
    trials = {name: Trial(name, table, device=device) for name in names}
    batches = {name: _full_windows(trial) for name, trial in trials.items()}
    curves, trained, epochs = {}, {}, {}
    for name, trial in trials.items():
        curves[name], trained[name], epochs[name] = _train(trial, seconds)
    # In rounds, so that the machine's other work slows all networks alike. The first round warms up; it is not counted.
    rounds = [{name: _speed(trial, batches[name]) for name, trial in trials.items()} for _ in range(ROUNDS + 1)][1:]
    predicted = {name: [speeds[name] for speeds in rounds] for name in names}
    its_way = _fed_its_way(Trial(PUBLISHED, table, device=device), min(seconds, FED_SECONDS))
    where = torch.cuda.get_device_name(device) if device == "cuda" else f"a CPU, {torch.get_num_threads()} threads"
    of_networks: dict[str, Callable[[str], str]] = {
        "weights": lambda name: f"{sum(part.numel() for part in trials[name].task.parameters()):,}",
        "notes/s in training": lambda name: f"{trained[name]:,.0f}",
        "... of the published": lambda name: f"{trained[name] / trained[PUBLISHED]:.1f}x",
        "... of the published, fed in its way": lambda name: f"{trained[name] / its_way:.1f}x",
        "notes/s in prediction": lambda name: f"{np.median(predicted[name]):,.0f}",
        "... of the published in prediction": lambda name: ratios(predicted[name], predicted[PUBLISHED]),
        "seconds of training": lambda name: f"{curves[name][-1][0]:.0f}",
        "epochs": lambda name: f"{epochs[name]}",
        "best share in that time": lambda name: f"{best(curves[name]):.3f}",
    }
    rows = [(title, *map(of, names)) for title, of in of_networks.items()]
    # How long all networks take to the best share that the published network reaches, and to the other goals.
    for goal in (best(curves[PUBLISHED]), *SHARES):
        ways = (seconds_to(goal, curves[name]) for name in names)
        rows.append((f"seconds to {goal:.3g}", *("not reached" if way is None else f"{way:.1f}" for way in ways)))
    return [Section(f"{path.name} on {where}; shares of the copy error of test songs", ("", *names), rows)]


def best(curve: Curve) -> float:
    """Returns the least share of a curve."""
    return min(share for _, share in curve)


def seconds_to(goal: float, curve: Curve) -> float | None:
    """Returns the seconds of training after which a share was first reached."""
    return next((at for at, reached in curve if reached <= goal), None)


def ratios(speeds: list[float], published: list[float]) -> str:
    """Returns how many times as fast as the published network: the median over rounds, the least and the most."""
    times = np.divide(speeds, published)
    return f"{np.median(times):.1f}x ({times.min():.1f}-{times.max():.1f})"


def _train(trial: Trial, seconds: float) -> tuple[Curve, float, int]:
    """Trains for whole epochs until some seconds are over. Tests, four an epoch, do not count as training.

    Returns:
        The curve, notes a second, and epochs.
    """
    spent, notes = 0.0, 0
    curve = [(spent, share(trial.errors()))]
    updates = len(trial.data.train_dataloader())
    every = max(updates // 4, 1)
    for epoch in range(trial.training.max_epochs):
        for number, (took, seen) in enumerate(trial.epoch(epoch), start=1):
            spent, notes = spent + took, notes + seen
            if number % every == 0 or number == updates:
                curve.append((spent, share(trial.errors())))
        if spent > seconds:
            break
    return curve, notes / spent, epoch + 1


def _fed_its_way(trial: Trial, seconds: float) -> float:
    """Returns the notes a second in training on windows that are rows of a `datasets` table, as published.

    Two worker processes ask for the rows one by one, and make batches of 64. Here the time of loading counts. With the
    windows of this project it is next to nothing, and is not counted.
    """
    windows = trial.data.train_windows
    every = windows[list(range(len(windows)))]
    rows = Dataset.from_dict({name: getattr(every, name).numpy() for name in OF_ROWS}).with_format("torch")
    loader = DataLoader(rows, batch_size=64, shuffle=True, num_workers=2)
    notes, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        for batch in loader:
            trial.update(Batch(**batch))
            notes += int(batch["mask"].sum())
            if time.perf_counter() - began > seconds:
                break
    return notes / (time.perf_counter() - began)


def _full_windows(trial: Trial) -> list[Batch]:
    """Returns the windows of all songs, 64 a batch, without windows that have padding: it takes time and is no note."""
    songs = trial.data.songs
    windows = Windows(songs, torch.arange(len(songs.singer)), trial.task.window)
    full = (windows.length - windows.start >= trial.task.window).nonzero().flatten()
    if not len(full):
        raise InputError(
            f"No song has {trial.task.window} notes and rests, a full window; give a table with longer songs."
        )
    return [move_data_to_device(windows[some.tolist()], trial.device) for some in torch.split(full, 64)]


@torch.inference_mode()
def _speed(trial: Trial, batches: list[Batch]) -> float:
    """Returns the notes a second in prediction."""
    trial.task.eval()
    began, notes = time.perf_counter(), 0
    while time.perf_counter() - began < LEAST_SECONDS:
        for batch in batches:
            trial.task(batch)
            notes += int(batch.mask.sum())
        trial.wait()
    return notes / (time.perf_counter() - began)
