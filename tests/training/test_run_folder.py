"""What is read of a run folder, and what is refused."""

import pytest

from tests.conftest import RUN
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.training.run_folder import read_run
from toy_duration_predictor.training.train import train


def test_unfinished_and_broken_runs_are_refused(tmp_path):
    with pytest.raises(InputError, match="is no finished run"):
        read_run(tmp_path)
    (tmp_path / "metrics.json").write_text('{"name": "model_b"}')
    with pytest.raises(InputError, match="cannot be read"):
        read_run(tmp_path)


def test_metrics_that_are_none_are_refused(config, own_run):
    for text in ("[]", "{}", "{"):
        (own_run / "metrics.json").write_text(text)
        with pytest.raises(InputError, match="delete it to run again"):
            train(config(*RUN))
