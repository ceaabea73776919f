"""Test songs, predicted by the one function that does so."""

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from tests.conftest import flat
from toy_duration_predictor.training.predictions import predict_songs
from toy_duration_predictor.training.run_folder import load_run


def test_test_songs_are_predicted_as_in_the_run(shared_songs, shared_run):
    """Whatever is asked, each note has one prediction; and the run's are those of its predictions.parquet."""
    task = load_run(shared_run)
    table = pq.read_table(shared_run / "predictions.parquet")
    rows = table["row"].to_numpy()
    said = [predicted[batch.mask] for batch, predicted in predict_songs(task, shared_songs, rows)]
    assert torch.cat(said).numpy() == pytest.approx(flat(table["predicted"].to_pylist()), rel=1e-5)
    for options in ({"context": 2}, {"batch_size": 3}, {"ask": lambda batch: batch.quantized}):
        notes = [batch.sung[batch.mask] for batch, _ in predict_songs(task, shared_songs, rows, **options)]
        assert torch.cat(notes).tolist() == flat(table["sung"].to_pylist()).tolist()
    other = np.full(len(rows), 1)
    assert {1} == {
        i for batch, _ in predict_songs(task, shared_songs, rows, singer=other) for i in batch.singer.tolist()
    }
