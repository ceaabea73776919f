"""What is read of a run folder, and what is refused."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import RUN
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.files import unsealed
from toy_duration_predictor.training.run_folder import load_run, read_metrics, read_run
from toy_duration_predictor.training.train import train


def without_checksums(run):
    metrics = run / "metrics.json"
    metrics.write_text(json.dumps(unsealed(json.loads(metrics.read_text()))))


def test_unfinished_and_broken_runs_are_refused(tmp_path):
    with pytest.raises(InputError, match="is no finished run"):
        read_run(tmp_path)
    (tmp_path / "metrics.json").write_text('{"name": "model_b"}')
    with pytest.raises(InputError, match="cannot be read"):
        read_run(tmp_path)


@pytest.mark.parametrize("text", ["[]", "{}", "{", '{"name": []}', "[" * 100_000, "\udcff"])
def test_metrics_that_are_none_are_refused(config, own_run, text):
    (own_run / "metrics.json").write_text(text, errors="surrogateescape")
    with pytest.raises(InputError, match="delete it to run again"):
        train(config(*RUN))


@pytest.mark.parametrize("name", ["config.yaml", "metrics.json", "predictions.parquet"])
def test_a_changed_file_is_refused(own_run, name):
    whole = read_run(own_run)
    path = own_run / name
    content = path.read_bytes()
    path.write_bytes(content.replace(b"0", b"1", 1))
    with pytest.raises(InputError, match="is damaged or was changed after the run"):
        read_run(own_run)
    # What has no checksum is read as it is.
    path.write_bytes(content)
    without_checksums(own_run)
    assert read_run(own_run)._replace(predictions=None) == whole._replace(predictions=None)


# Every level stands for ten of the one before.
ALIASES = "a0: &a0 0\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))


@pytest.mark.parametrize(
    "text", ["", "[]", "name: [", "name: 1\nseed: a\ndata: 3", "a: " + "[" * 10_000, ALIASES, "\udcff"]
)
def test_a_configuration_that_is_none_is_refused(own_run, text):
    without_checksums(own_run)
    (own_run / "config.yaml").write_text(text, errors="surrogateescape")
    with pytest.raises(InputError, match=r"cannot be read .*force=true"):
        read_run(own_run)


@pytest.mark.parametrize("table", [pa.table({"row": ["a"]}), pa.table({"row": [[1]], "sung": [1]}), None])
def test_predictions_that_are_none_are_refused(own_run, table):
    without_checksums(own_run)
    path = own_run / "predictions.parquet"
    path.write_bytes(b"PAR1") if table is None else pq.write_table(table, path)
    with pytest.raises(InputError, match=r"cannot be read .*force=true"):
        read_run(own_run)


@pytest.mark.parametrize("read", [read_metrics, read_run, load_run])
def test_a_folder_of_another_user_is_refused(own_run, monkeypatch, read):
    def refused(path, *_, **__):
        raise PermissionError(13, "Permission denied")

    for name in ("open", "read_text", "read_bytes", "is_file"):
        monkeypatch.setattr(Path, name, refused)
    with pytest.raises(InputError, match="cannot be read"):
        read(own_run)
