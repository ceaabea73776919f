"""The bar of a training, as a terminal of 80 columns gets it."""

import io
import re
import signal

import pytest
from rich.console import Console

from tests.conftest import RUN
from toy_duration_predictor.training import callbacks, progress, terminal
from toy_duration_predictor.training.commands import Interrupted
from toy_duration_predictor.training.train import train


@pytest.fixture
def screen(monkeypatch):
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=80, color_system=None)
    for module in (terminal, progress):
        monkeypatch.setattr(module, "CONSOLE", console)
    return written


def test_the_bar_has_one_line_and_counts_as_the_log_does(config, screen):
    metrics = train(config(*RUN))
    said = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", screen.getvalue())
    drawn = {line for line in re.split(r"[\r\n]", said) if "epoch" in line}
    assert {re.match(r"epoch (\d+)/3 ", line)[1] for line in drawn} == {"1", "2", "3"}
    assert all(len(line) <= 80 for line in drawn)
    assert any("val/loss" in line and "val/mae" in line for line in drawn)
    # The log file has the epochs' lines, which the screen leaves to the bar.
    log = (terminal.Path(metrics["run/folder"]) / "train.log").read_text()
    assert "epoch 3/3  " in log
    assert "epoch 3/3  " not in screen.getvalue()


def test_a_signal_takes_the_bar_away_and_is_said_in_whole(config, screen, monkeypatch):
    def stopped(self, trainer, *_):
        self.received = signal.SIGINT
        self._stop(trainer)

    monkeypatch.setattr(callbacks.StopOnSignal, "on_train_batch_end", stopped)
    with pytest.raises(Interrupted) as error:
        train(config(*RUN))
    assert f"{error.value}\n" in screen.getvalue()  # in one piece, whatever the width
    assert not terminal.ConsoleHandler.bar
    assert screen.getvalue().endswith("\x1b[2K")  # the bar's line is erased
