"""The four ways of counting, against the metrics of the run and numpy."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import Dataset

from tests.conftest import ONE_EPOCH, SMALL, flat
from toy_duration_predictor.comparison.published_metric import published_metric
from toy_duration_predictor.data.split import split_rows
from toy_duration_predictor.training.run_folder import load_run
from toy_duration_predictor.training.train import train

# Without the sizes of the default network.
QUICK = [setting for setting in SMALL if not setting.startswith("model.")]


@pytest.mark.parametrize(
    "settings", [SMALL, (*QUICK, "model=bigru_published", "model.hidden_size=8", "training.window=128")]
)
def test_the_published_metric_against_those_of_the_run(config, shared_songs, tmp_path, settings):
    columns = shared_songs.to_dict()
    for column in ("durations", "quantized_durations"):
        columns[column][0][0] += 4800  # or there would be nothing to clamp; a multiple of every step
    table = Dataset.from_dict({name: columns[name] for name in columns if name != "song_id"})
    table.to_parquet(tmp_path / "songs.parquet")
    seed = next(seed for seed in range(99) if 0 in split_rows(table, "published", seed).test)
    data = ("data=parquet", f"data.path={tmp_path}/songs.parquet", f"data.split_seed={seed}")
    metrics = train(config(*settings, *data, ONE_EPOCH))
    task = load_run(metrics["run/folder"])
    found = published_metric(task, table, split_rows(table, "published", seed).test)
    ways = {(padding, clamp): (mae, copy_mae) for padding, clamp, mae, copy_mae in found}
    for way, suffix in ((False, False), ""), ((True, True), "_published"):
        assert ways[way] == pytest.approx((metrics[f"test/mae{suffix}"], metrics[f"test/copy_mae{suffix}"]), rel=1e-5)
    # The other two by numpy.
    rows = pq.read_table(f"{metrics['run/folder']}/predictions.parquet").to_pydict()
    quantized, sung, predicted = (flat(rows[name]) for name in ("quantized", "sung", "predicted"))
    lower, clamped = quantized.clip(max=1000), sung.clip(max=1000)
    expected = (np.abs(predicted - clamped).mean(), np.abs(lower - clamped).mean())
    assert ways[False, True] == pytest.approx(expected, rel=1e-5)
    windows = sum(-(-len(song) // 128) for song in rows["sung"])
    assert ways[True, False][1] == pytest.approx(np.abs(quantized - sung).sum() / (128 * windows), rel=1e-5)
    assert len({mae for mae, _ in ways.values()}) == 4
