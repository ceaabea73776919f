"""Benchmarks of the networks: speed in training and in prediction, and the way to a good model; see `bench.py`."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from datasets import Dataset
from hydra import compose, initialize_config_dir
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor
from torch.utils.data import DataLoader

from toy_duration_predictor.data.datamodule import SongsDataModule
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.data.windows import Batch, Windows
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.experiment.config import TrainConfig, validated
from toy_duration_predictor.models import network_names
from toy_duration_predictor.task import DurationTask, warm_up_and_cosine

PUBLISHED = "bigru_published"
# Of the copy error, on test songs.
SHARES = (0.80, 0.75)
# Rounds in which predictions are timed, the least seconds of each, and the most of training fed in the published way.
ROUNDS, LEAST_SECONDS, FED_SECONDS = 5, 1.0, 20.0
# Characters of a line, where nobody says how many there are.
WIDTH = 132


class Trial:
    """A network in training with its own settings, a step at a time.

    Args:
        network: Its name in `conf/model`.
        data: Its songs.
        device: Where it is trained.
        sizes: Of the network, where they are not those of its settings.
    """

    def __init__(self, network: str, data: SongsDataModule, device: str = "cpu", **sizes: float) -> None:
        chosen = settings(network)
        training = chosen.training
        torch.manual_seed(0)
        self.device = torch.device(device)
        self.data = data
        self.task = DurationTask(
            chosen.model.name,
            {**chosen.model.sizes, **sizes},
            data.singers,
            data.statistics,
            window=training.window,
            loss=training.loss,
        ).to(self.device)
        self.epochs = training.max_epochs
        self.optimizer = torch.optim.AdamW(self.task.parameters(), training.learning_rate)
        steps = self.epochs * len(data.train_dataloader())
        constant = training.schedule == "constant"
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: 1.0 if constant else warm_up_and_cosine(step, steps)
        )

    def step(self, batch: Batch) -> None:
        """Takes one step of training."""
        loss: Tensor = self.task.loss(Batch(*(part.to(self.device) for part in batch)))
        torch.autograd.backward(loss)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad()

    @torch.no_grad()
    def errors(self) -> dict[int, np.ndarray]:
        """Returns the absolute errors of the model and of copying, by test row: float64 `(2, T)`, ticks."""
        self.task.eval()
        found: dict[int, list[Tensor]] = {}
        for batch in self.data.test_dataloader():
            batch = Batch(*(part.to(self.device) for part in batch))
            both = torch.stack([self.task(batch), batch.input], dim=1) - batch.target[:, None]
            for row, errors, mask in zip(batch.row.tolist(), both.abs(), batch.mask, strict=True):
                found.setdefault(row, []).append(errors[:, mask])
        self.task.train()
        return {row: torch.cat(errors, dim=1).cpu().double().numpy() for row, errors in found.items()}

    def test(self) -> float:
        """Returns the error on the test songs, as a share of the copy error."""
        return share(self.errors())


def share(errors: dict[int, np.ndarray]) -> float:
    """Returns what is left of the copy error; errors as of `Trial.errors`."""
    model, copied = sum(song.sum(1) for song in errors.values())
    return float(model / copied)


def settings(network: str) -> TrainConfig:
    """Returns a network's own settings."""
    conf = Path(__file__).resolve().parents[1] / "conf"
    with initialize_config_dir(str(conf), version_base="1.3"):
        return validated(compose("train", [f"model={network}"]), TrainConfig)


def make_data(network: str, table: Dataset, split: str = "auto") -> SongsDataModule:
    """Returns songs as a network's own settings want them."""
    training = settings(network).training
    return SongsDataModule(
        table,
        split=split,
        window=training.window,
        batch_size=training.batch_size,
        move_windows=training.move_windows,
        requantize=training.requantize,
    )


class Figures(NamedTuple):
    """What was measured of a network in training.

    Attributes:
        weights: How many it has.
        training: Notes a second.
        curve: (seconds of training, share) on the way.
        epochs: Of training.
        seconds: Of training.
    """

    weights: int
    training: float
    curve: list[tuple[float, float]]
    epochs: int
    seconds: float

    @property
    def best(self) -> float:
        """The least share on the way."""
        return min(share for _, share in self.curve)

    def seconds_to(self, share: float) -> float | None:
        """Returns after how much training a share was first reached."""
        return next((at for at, reached in self.curve if reached <= share), None)


def networks(path: Path, names: list[str], seconds: float, device: str) -> None:
    """Trains networks for some seconds each, and times their predictions; the published one is always among them.

    Raises:
        InputError: `device` is a GPU that torch does not see, or the table cannot be read, or its songs are too short.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: torch sees no GPU here; leave it out for the CPU.")
    table = load_songs("parquet", path=path)
    names = [name for name in network_names() if name in {*(names or network_names()), PUBLISHED}]
    trials = {name: Trial(name, make_data(name, table), device) for name in names}
    batches = {name: _full_windows(trial) for name, trial in trials.items()}
    trained = {name: _measure(trial, seconds, name) for name, trial in trials.items()}
    predicted = _predictions(trials, batches)
    published = trained[PUBLISHED]
    its_way = _fed_its_way(Trial(PUBLISHED, make_data(PUBLISHED, table), device), min(seconds, FED_SECONDS))
    # The best that the published network reaches, and the others' way there.
    goals = (published.best, *SHARES)
    shown = Table("", *names, title=f"{path.name} on {_device_name(device)}; shares of the copy error of test songs")
    rows: list[tuple[str, Callable[[str], str]]] = [
        ("weights", lambda name: f"{trained[name].weights:,}"),
        ("notes/s in training", lambda name: f"{trained[name].training:,.0f}"),
        ("... against the published", lambda name: f"{trained[name].training / published.training:.1f}x"),
        ("... fed in its way too", lambda name: f"{trained[name].training / its_way:.1f}x"),
        ("notes/s in prediction", lambda name: f"{np.median(predicted[name]):,.0f}"),
        ("... against the published", lambda name: _ratios(predicted[name], predicted[PUBLISHED])),
        ("seconds of training", lambda name: f"{trained[name].seconds:.0f}"),
        ("epochs", lambda name: f"{trained[name].epochs}"),
        ("best share in that time", lambda name: f"{trained[name].best:.3f}"),
    ]
    for title, of in rows:
        shown.add_row(title, *map(of, names))
    for goal in goals:
        shown.add_row(f"seconds to {goal:.3g}", *(_way(goal, trained[name]) for name in names))
    Console(width=WIDTH).print(shown)


def _ratios(speeds: list[float], published: list[float]) -> str:
    """Returns the median over rounds of how many times as fast, and the least and the most."""
    ratios = np.divide(speeds, published)
    return f"{np.median(ratios):.1f}x ({ratios.min():.1f}-{ratios.max():.1f})"


def _way(share: float, figures: Figures) -> str:
    seconds = figures.seconds_to(share)
    return "not reached" if seconds is None else f"{seconds:.1f}"


def _measure(trial: Trial, seconds: float, name: str) -> Figures:
    """Trains a network; predictions are timed later. Its tests, one before the first step, do not count as training."""
    spent, notes = 0.0, 0
    curve = [(0.0, trial.test())]
    loader = trial.data.train_dataloader()
    every = max(len(loader) // 4, 1)
    for epoch in track(range(trial.epochs), f"{name}, epochs", transient=True):
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        for number, batch in enumerate(loader, start=1):
            began = time.perf_counter()
            trial.step(batch)
            _wait(trial.device)
            spent += time.perf_counter() - began
            notes += int(batch.mask.sum())
            if number % every == 0:
                curve.append((spent, trial.test()))
        if spent > seconds:
            break
    weights = sum(weights.numel() for weights in trial.task.parameters())
    return Figures(weights, notes / spent, curve, epoch + 1, spent)


def _fed_its_way(trial: Trial, seconds: float) -> float:
    """Returns the notes a second in training on windows that are rows of a `datasets` table.

    So the published recipe is fed: each row is asked for by itself, by two worker processes, and batches have 64. Time
    spent on loading counts here; it is next to nothing with windows of this project, where it does not.
    """
    windows = trial.data.train_windows
    every = windows[list(range(len(windows)))]
    rows = Dataset.from_dict({name: part.numpy() for name, part in every._asdict().items()}).with_format("torch")
    loader = DataLoader(rows, batch_size=64, shuffle=True, num_workers=2)
    notes, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        for batch in loader:
            trial.step(Batch(**batch))
            notes += int(batch["mask"].sum())
            if time.perf_counter() - began > seconds:
                break
        _wait(trial.device)
    return notes / (time.perf_counter() - began)


@torch.inference_mode()
def _predictions(trials: dict[str, Trial], batches: dict[str, list[Batch]]) -> dict[str, list[float]]:
    """Returns each network's notes a second in prediction, in rounds, so that all of them see the machine's busy times.

    The first round, which warms up, does not count.
    """
    rounds = [{name: _speed(trial, batches[name]) for name, trial in trials.items()} for _ in range(ROUNDS + 1)][1:]
    return {name: [each[name] for each in rounds] for name in trials}


def _full_windows(trial: Trial) -> list[Batch]:
    """Returns the windows of all songs that have no padding, which would not count, 64 a batch."""
    songs = trial.data.songs
    windows = Windows(songs, torch.arange(len(songs.singer)), trial.task.window, "quantized")
    full = (windows.length - windows.start >= windows.window).nonzero().flatten()
    if not len(full):
        raise InputError(
            f"No song has {windows.window} notes and rests, a full window; give a table with longer songs."
        )
    return [Batch(*(part.to(trial.device) for part in windows[some.tolist()])) for some in torch.split(full, 64)]


def _speed(trial: Trial, batches: list[Batch]) -> float:
    """Returns the notes a second in prediction."""
    trial.task.eval()
    began, notes = time.perf_counter(), 0
    while time.perf_counter() - began < LEAST_SECONDS:
        for batch in batches:
            trial.task(batch)
            notes += int(batch.mask.sum())
        _wait(trial.device)
    return notes / (time.perf_counter() - began)


def _wait(device: torch.device) -> None:
    """Waits for what a GPU has been given to do."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def _device_name(device: str) -> str:
    if device == "cpu":
        return f"a CPU, {torch.get_num_threads()} threads"
    return torch.cuda.get_device_name(device)
