"""Nothing that is read runs code: a checkpoint, a run's folder, a model, a table, a dataset of the Hub, an override.

`tests/training/test_extras.py` has the classes that a configuration may name, `tests/sharing/test_hub.py` pickles.
"""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from tests.conftest import RUN, SHORT
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.files import unsealed
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.sharing.hub import save_model
from toy_duration_predictor.training.run_folder import load_run, read_run
from toy_duration_predictor.training.train import train


class Harm:
    """What makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.fixture
def harm(tmp_path):
    """The file that code would make; it must not be there at the end."""
    path = tmp_path / "harm"
    yield path
    assert not path.exists()


@pytest.mark.parametrize("key", ["state_dict", "hyper_parameters", "callbacks", "elsewhere"])
@pytest.mark.parametrize("use", [load_run, Predictor.load])
def test_a_checkpoint(own_run, harm, key, use):
    best = own_run / "checkpoints" / "best.ckpt"
    torch.save({**torch.load(best, weights_only=True), key: Harm(harm)}, best)
    with pytest.raises(InputError, match="cannot be read as a checkpoint of this project"):
        use(own_run)


@pytest.mark.parametrize("key", ["_instantiator", "_class_path", "_target_"])
def test_a_checkpoint_that_names_code(own_run, key):
    best = own_run / "checkpoints" / "best.ckpt"
    checkpoint = torch.load(best, weights_only=True)
    checkpoint["callbacks"] = {"x": [{"y": {key: "os.system"}}]}
    torch.save(checkpoint, best)
    with pytest.raises(InputError, match=f"names code to run, under '{key}'"):
        load_run(own_run)


def test_a_checkpoint_that_a_run_goes_on_from(config, harm, monkeypatch, tmp_path):
    monkeypatch.setattr("toy_duration_predictor.training.train._test", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(config(*SHORT))
    for last in tmp_path.glob("logs/*/checkpoints/*.ckpt"):
        torch.save({**torch.load(last, weights_only=True), "callbacks": Harm(harm)}, last)
    with pytest.raises(InputError, match="cannot be read"):
        train(config(*SHORT))


def test_the_configuration_of_a_run(own_run, harm):
    """It is read as text; what it names is not looked for."""
    metrics = own_run / "metrics.json"
    metrics.write_text(json.dumps(unsealed(json.loads(metrics.read_text()))))
    path = own_run / "config.yaml"
    text = path.read_text()
    path.write_text(f"{text}x: {{_target_: builtins.open, file: {harm}, mode: w}}\ny: ${{oc.env:HOME}}\n")
    assert read_run(own_run).config["y"] == "${oc.env:HOME}"
    path.write_text(f"{text}x: !!python/object/apply:builtins.open ['{harm}', w]\n")
    with pytest.raises(InputError, match="cannot be read"):
        read_run(own_run)


@pytest.mark.parametrize("name", ["os.system", "../phase", "phase.torch", "_phase", "toy_duration_predictor.cli"])
def test_names_of_networks_and_sources(config, shared_run, tmp_path, name):
    with pytest.raises(InputError, match="no such network"):
        train(config(*RUN, f"model.name={name}"))
    with pytest.raises(InputError, match="no such source"):
        load_songs(name)
    save_model(shared_run, tmp_path / "saved")
    path = tmp_path / "saved" / "config.json"
    path.write_text(json.dumps({**unsealed(json.loads(path.read_text())), "network": name}))
    with pytest.raises(InputError, match="no such network"):
        Predictor.load(tmp_path / "saved")


def test_a_model_of_a_million_layers(shared_run, tmp_path):
    save_model(shared_run, tmp_path / "saved")
    path = tmp_path / "saved" / "config.json"
    config = unsealed(json.loads(path.read_text()))
    config["sizes"]["layers"] = 1_000_000
    path.write_text(json.dumps(config))
    with pytest.raises(InputError, match="it would have more than 10,000 tensors"):
        Predictor.load(tmp_path / "saved")


def test_the_metadata_of_a_table(songs, harm, tmp_path):
    """Arrow once had a type that was read as a pickle."""
    import pickle

    table = songs.data.table.replace_schema_metadata(None)
    marked = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": pickle.dumps(Harm(harm)),
    }
    column = table.schema.get_field_index("song_id")
    field = pa.field("song_id", pa.string(), metadata=marked)
    pq.write_table(table.cast(table.schema.set(column, field)), tmp_path / "songs.parquet")
    assert len(load_songs("parquet", path=tmp_path / "songs.parquet")) == len(songs)


def test_the_script_of_a_dataset(songs, harm, tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "dataset"
    folder.mkdir()
    for name in ("dataset.py", "__init__.py"):
        (folder / name).write_text(f"open({str(harm)!r}, 'w')\n")
    with pytest.raises(InputError, match="cannot be loaded"):
        load_songs("hub", name=str(folder))
    songs.to_parquet(folder / "train.parquet")
    with pytest.raises(InputError, match="scripts are no longer supported"):
        load_songs("hub", name=str(folder))
