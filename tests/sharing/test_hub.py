"""Models and tables go to a Hub on loopback and come back; and every failure ends in one sentence."""

import json
import pickle
import socket
from unittest.mock import create_autospec

import numpy as np
import pytest
import torch
from huggingface_hub import DatasetCard, HfApi, ModelCard, constants
from safetensors.torch import save_file

from tests.conftest import ONE_EPOCH, SMALL, flat
from tests.sharing.hub_server import running
from toy_duration_predictor import cli
from toy_duration_predictor.data.songs import fingerprint, validate_songs
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.download import load_model
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.inference.saved_model import HubModel
from toy_duration_predictor.models import Inputs, build
from toy_duration_predictor.sharing import hub
from toy_duration_predictor.training.run_folder import load_run, read_metrics
from toy_duration_predictor.training.train import train


@pytest.fixture
def online(tmp_path, monkeypatch):
    """A Hub on loopback that the client is set to, with an empty cache and no waiting between attempts."""
    with running() as server:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr("huggingface_hub.hf_api.api.endpoint", server.url)
        monkeypatch.setattr(
            HfApi,
            "upload_folder",
            create_autospec(HfApi.upload_folder, side_effect=lambda api, **given: server.upload_folder(**given)),
        )
        monkeypatch.setenv("HF_TOKEN", "a-token")
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        yield server


def windows(singers):
    torch.manual_seed(0)
    mask = torch.arange(40) < torch.tensor([40, 25, 1])[:, None]
    durations = 60.0 * torch.randint(0, 9, (3, 40)) * mask
    singer = torch.randint(0, singers, (3,))
    return Inputs(durations, mask, torch.full((3,), 60.0), torch.rand(3, 40) < 0.3, torch.zeros(3), singer)


def same(one, other, singers):
    with torch.no_grad():
        return torch.equal(one(windows(singers)), other(windows(singers)))


def test_a_run_as_a_folder_and_back(shared_run, tmp_path):
    hub.save_model(shared_run, tmp_path / "saved")
    assert sorted(path.name for path in (tmp_path / "saved").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    task, loaded = load_run(shared_run), load_model(tmp_path / "saved")
    assert loaded.singers == task.singers
    assert not loaded.anonymous
    assert not loaded.network.training
    assert same(loaded.network, task.network.eval(), len(loaded.singers))
    song = [120, 0, 60, 240, 60]
    assert (
        Predictor.load(tmp_path / "saved").predict(song, 1).tolist()
        == Predictor.load(shared_run).predict(song, 1).tolist()
    )
    assert same(HubModel.from_pretrained(tmp_path / "saved", strict=True), loaded.network, len(loaded.singers))
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]
    with pytest.raises(InputError, match="saved is there already; name a new folder"):
        hub.save_model(shared_run, tmp_path / "saved")


def test_the_card_is_made_from_the_run(shared_run, tmp_path):
    hub.save_model(shared_run, tmp_path / "saved")
    metrics = read_metrics(shared_run)
    card = ModelCard.load(tmp_path / "saved" / "README.md")
    values = {result.metric_name: result.metric_value for result in card.data.eval_results}
    assert values["MAE of onsets, ticks"] == pytest.approx(metrics["test/onset_mae"], abs=1e-3)
    assert next(iter(values)) == "MAE of onsets, ticks"
    assert f"| onsets | ms | {metrics['test/onset_mae_ms']:.4g} | " in card.text
    assert values["MAE, ticks"] == pytest.approx(metrics["test/mae"], abs=1e-3)
    assert values["MAE of the copy baseline, ticks"] == pytest.approx(metrics["test/copy_mae"], abs=1e-3)
    assert card.data.license == "mit"
    row = next(line for line in card.text.splitlines() if line.startswith("| this model |"))
    mae, interval = row.strip("| ").split(" | ")[1:]
    low, high = map(float, interval.split(" to "))
    assert float(mae) == pytest.approx(metrics["test/mae"], abs=1e-3)
    assert low < float(mae) < high
    for said in (metrics["data/fingerprint"], metrics["git/commit"], "simulated", "20; ", "split | ", "torch "):
        assert str(said) in card.text
    assert 'tdp.Predictor.load("saved")' in card.text
    assert str(tmp_path) not in card.content


def test_a_card_keeps_the_songs_path_to_itself(shared_run, tmp_path, shared_songs, config):
    shared_songs.to_parquet(tmp_path / "secret.parquet")
    run = train(config("experiment=model_b", "data=parquet", f"data.path={tmp_path}/secret.parquet", *SMALL, ONE_EPOCH))
    hub.save_model(run["run/folder"], tmp_path / "saved")
    card = (tmp_path / "saved" / "README.md").read_text()
    assert run["data/fingerprint"] in card
    assert "secret" not in card


def test_a_model_goes_to_the_hub_and_comes_back(shared_run, online, tmp_path):
    url = hub.push(shared_run, "me/singer", private=True)
    assert url.startswith(f"{online.url}/me/singer/commit/")
    assert set(online.repositories["models/me/singer"]) == {"README.md", "config.json", "model.safetensors"}
    assert "models/me/singer" in online.private
    assert b'tdp.Predictor.load("me/singer")' in online.repositories["models/me/singer"]["README.md"]
    task, loaded = load_run(shared_run), load_model("me/singer")
    assert same(loaded.network, task.network.eval(), len(task.singers))
    hub.pull("me/singer", tmp_path / "pulled", revision=url.rpartition("/")[2])
    assert same(load_model(tmp_path / "pulled").network, loaded.network, len(task.singers))
    for name, content in online.repositories["models/me/singer"].items():
        assert (tmp_path / "pulled" / name).read_bytes() == content
    # Once it is in the cache, it needs no network.
    online.failure = (".", 503)
    assert same(load_model("me/singer").network, loaded.network, len(task.singers))


def test_a_table_goes_to_the_hub_and_comes_back(songs, online, tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "datasets")
    songs.to_parquet(tmp_path / "songs.parquet")
    hub.push_dataset(tmp_path / "songs.parquet", "me/songs")
    assert "datasets/me/songs" not in online.private
    files = online.repositories["datasets/me/songs"]
    (tmp_path / "laid out" / "data").mkdir(parents=True)
    for name, content in files.items():
        (tmp_path / "laid out" / name).write_bytes(content)
    table = validate_songs(songs)
    assert fingerprint(load_songs("hub", name=str(tmp_path / "laid out"))) == fingerprint(table)
    card = DatasetCard(files["README.md"].decode())
    assert card.data.size_categories == "n<1K"
    error = np.abs(flat(songs["durations"]) - flat(songs["quantized_durations"])).mean()
    for said in (fingerprint(table), f"{error:.4f} ticks", "30 performances by 4 singers", "### The published fault"):
        assert said in card.text


@pytest.fixture(scope="module")
def published():
    """A network of the published layout: its configuration to the letter, but for its size."""
    config = {
        "num_singers": 18,
        "singer_embedding_dim": 8,
        "hidden_size": 12,
        "num_layers": 3,
        "dropout": 0.4,
        "architectures": ["ToyDurationPredictor"],
    }
    sizes = {key: config[key] for key in ("singer_embedding_dim", "hidden_size", "num_layers", "dropout")}
    return config, build("bigru_published", {"target_mean": 128.66, "target_std": 201.76}, num_singers=18, **sizes)


@pytest.fixture
def model_b(published, tmp_path):
    """The folder of such a model."""
    config, network = published
    folder = tmp_path / "repository" / "model_B"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    return folder


def test_the_published_models_load(published, model_b, online):
    network = published[1].eval()
    loaded = load_model(model_b)
    assert loaded.singers == list(range(1, 19))
    assert same(loaded.network, network, 18)
    online.repositories["models/ccss17/toy-duration-predictor"] = {
        f"model_B/{path.name}": path.read_bytes() for path in model_b.iterdir()
    }
    assert same(load_model("ccss17/toy-duration-predictor/model_B").network, network, 18)
    with pytest.raises(InputError, match=r"is no model: give .*toy-duration-predictor/model_B"):
        load_model("ccss17/toy-duration-predictor")
    # Constants that the configuration gives are used.
    config = json.loads((model_b / "config.json").read_text())
    (model_b / "config.json").write_text(json.dumps({**config, "target_mean": 0.0, "target_std": 1.0}))
    with torch.no_grad():
        scaled = load_model(model_b).network(windows(18)) * 201.76 + 128.66
        torch.testing.assert_close(scaled, network(windows(18)))


class Harm:
    """A pickle that writes a file when it is opened."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("dump", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_a_harmful_pickle_is_refused(model_b, tmp_path, dump):
    dump({"fc.weight": Harm(tmp_path / "harm")}, model_b / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"pytorch_model.bin .* is not opened; get the model as model.safetensors"):
        load_model(model_b)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", None, "is no model: give a run's folder, a checkpoint, or a folder"),
        ("config.json", b"{", "config.json is not JSON"),
        ("config.json", b"\xff", "config.json is not JSON"),
        ("config.json", b"[]", "is not that of a model of this project"),
        ("config.json", b'{"architectures": ["Bert"]}', "is not that of a model of this project"),
        ("config.json", b'{"network": "bigru"}', "config.json: 'sizes' is needed and not given"),
        ("config.json", b'{"architectures": ["ToyDurationPredictor"], "num_singers": 1e99}', "num_singers="),
        ("pytorch_model.bin", None, "has a config.json and no model.safetensors"),
        ("pytorch_model.bin", b"", "is not opened"),
        ("pytorch_model.bin", [1, 2], "is not opened"),
        ("pytorch_model.bin", {"fc.weight": torch.zeros(3)}, "are not those of the network 'bigru_published'"),
        ("model.safetensors", b"cut", "model.safetensors is damaged"),
        ("model.safetensors", {"fc.weight": torch.zeros(3)}, "are not those of the network 'bigru_published'"),
    ],
)
def test_what_is_no_model_is_refused(model_b, file, content, message):
    path = model_b / file
    if content is None:
        path.unlink()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        (save_file if file == "model.safetensors" else torch.save)(content, path)
    with pytest.raises(InputError) as error:
        load_model(model_b)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_saved_model_that_was_changed_is_refused(shared_run, tmp_path, name):
    hub.save_model(shared_run, tmp_path / "saved")
    path = tmp_path / "saved" / name
    content = path.read_bytes()
    path.write_bytes(content.replace(b"0", b"1", 1) if name == "config.json" else content[:-1] + b"!")
    with pytest.raises(InputError, match=f"its {name} is damaged or was changed"):
        load_model(tmp_path / "saved")


@pytest.fixture
def on_the_hub(model_b, online):
    online.repositories["models/a/b"] = {path.name: path.read_bytes() for path in model_b.iterdir()}
    return online


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (("/api/models/a/b", 401), "answers 401: it is not there, or is not yours.*`hf auth login`"),
        (("/api/models/a/b", 404), "answers 404: it is not there, or is private; check the name"),
        (("/api/models/a/b", 429), "answers 429: it has had too many requests from here; wait"),
        (("/api/models/a/b", 500), "answers 500: something is wrong there; try again later"),
        (("GET /a/b/resolve/.*/pytorch_model.bin", 403), "answers 403: your login may not do this"),
    ],
)
def test_a_failing_hub_ends_in_one_sentence_and_leaves_nothing(on_the_hub, failure, message, tmp_path):
    on_the_hub.failure = failure
    with pytest.raises(InputError, match=f"^There is no folder 'a/b', and the model 'a/b' cannot be had.*{message}"):
        load_model("a/b")
    with pytest.raises(InputError, match=message) as error:
        hub.pull("a/b", tmp_path / "pulled")
    assert "\n" not in str(error.value)
    assert {path.name for path in tmp_path.iterdir()} <= {"cache", "repository"}
    on_the_hub.failure = ("(?!)", 0)
    hub.pull("a/b", tmp_path / "pulled")
    assert (tmp_path / "pulled" / "pytorch_model.bin").read_bytes() == on_the_hub.repositories["models/a/b"][
        "pytorch_model.bin"
    ]


def test_a_model_that_is_not_one_is_not_pulled(on_the_hub, tmp_path):
    on_the_hub.repositories["models/a/b"]["pytorch_model.bin"] = b"no weights"
    with pytest.raises(InputError, match="is not opened"):
        hub.pull("a/b", tmp_path / "pulled")
    assert not (tmp_path / "pulled").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nobody/nothing", "answers 404: it is not there, or is private"),
        ("/nowhere/at/all", "is no model: give a run's folder, a checkpoint, a saved"),
        ("model_b", "is no model: give a run's folder, a checkpoint, a saved"),
        ("a/b/" + 99 * "c" + "!", "is no model: give a run's folder, a checkpoint, a saved"),
        ("a/b/../../c", "is no model: give a run's folder, a checkpoint, a saved"),
        ("a--/b..", "names there have the form owner/name"),
    ],
)
def test_a_name_that_is_none(on_the_hub, name, message):
    with pytest.raises(InputError) as error:
        load_model(name)
    assert message in str(error.value)


def test_a_revision_that_is_none(on_the_hub):
    with pytest.raises(InputError, match=r"'a/b' at revision 'v9' cannot be had from the Hub: it has no such revision"):
        load_model("a/b", revision="v9")


def test_no_network(tmp_path, monkeypatch, online):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", nobody)
    with pytest.raises(InputError, match=r"Connection refused; check the network \(http://127.0.0.1:"):
        load_model("a/b")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="HF_HUB_OFFLINE is set, and it is not in the cache"):
        load_model("a/b")


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (("POST /api/repos/create", 401), "answers 401: .*log in with `hf auth login`"),
        (("POST /api/repos/create", 403), "answers 403: your login may not do this.*token that may write"),
    ],
)
def test_a_hub_that_takes_nothing(shared_run, songs, online, failure, message):
    online.failure = failure
    with pytest.raises(InputError, match=f"^The model 'me/singer' cannot be put on the Hub: .*{message}"):
        hub.push(shared_run, "me/singer")
    with pytest.raises(InputError, match=f"^The dataset 'me/songs' cannot be put on the Hub: .*{message}"):
        hub.push_dataset(songs, "me/songs")
    assert not any(online.repositories.values())


def test_pushing_without_an_owner(shared_run, online):
    with pytest.raises(InputError, match="give it an owner, too, as in owner/name"):
        hub.push(shared_run, "singer")
    assert not online.requests


def test_the_commands(shared_run, songs, online, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    songs.to_parquet("songs.parquet")
    for command in (
        ["push", str(shared_run), "me/singer"],
        ["push", "songs.parquet", "me/songs", "--private"],
        ["pull", "me/singer"],
    ):
        cli.main(command)
    model, dataset, pulled = capsys.readouterr().out.splitlines()
    assert model.startswith(f"{online.url}/me/singer/commit/")
    assert dataset.startswith(f"{online.url}/datasets/me/songs/commit/")
    assert pulled == "singer: the model me/singer"
    assert (tmp_path / "singer" / "config.json").is_file()
    assert online.private == {"datasets/me/songs"}
    with pytest.raises(SystemExit, match=r"^There is no folder 'me/nothing', and the model 'me/nothing' cannot"):
        cli.main(["pull", "me/nothing", "-o", "not/there"])
    assert not (tmp_path / "not" / "there").exists()
