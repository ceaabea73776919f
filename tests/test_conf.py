"""The configurations: every one composes, every key is explained, and A and B differ in the pairing alone."""

import re

import pytest
from omegaconf import OmegaConf

from tests.conftest import FEW_SONGS, ROOT, SMALL, small_sizes
from toy_duration_predictor.data.sources import source_names
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.models import network_names
from toy_duration_predictor.training.config import EvaluateConfig, TrainConfig, TrainingSettings, validated
from toy_duration_predictor.training.train import train

EXPERIMENTS = sorted(path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml"))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_composes_and_runs(config, experiment):
    settings = [setting for setting in SMALL if not setting.startswith("model.")]
    settings += [*FEW_SONGS, "data=simulated", "training.max_epochs=1", "training.batch_size=8"]
    network = config(f"experiment={experiment}").model.name
    settings += [f"model.{name}={size}" for name, size in small_sizes(network).items()]
    metrics = train(config(f"experiment={experiment}", *settings))
    assert metrics["name"] == experiment
    assert metrics["train/epochs"] == 1


@pytest.mark.parametrize("group", ["data", "model", "sweep", "trainer", "training"])
def test_every_choice_composes(config, group):
    for path in (ROOT / "conf" / group).glob("*.yaml"):
        choice = config(f"{group}={path.stem}")
        needed = [f"{key}=." for key in sorted(OmegaConf.missing_keys(choice))]
        settings = validated(config(f"{group}={path.stem}", *needed), TrainConfig)
        if group in ("data", "model"):
            assert {"data": settings.data.source, "model": settings.model.name}[group] == path.stem


def test_every_source_and_network_has_a_choice():
    for group, names in (("data", source_names()), ("model", network_names())):
        assert sorted(path.stem for path in (ROOT / "conf" / group).glob("*.yaml")) == names


@pytest.mark.parametrize("choice", ["default", "published"])
def test_a_training_is_described_in_full(config, choice):
    """So that a model names only the settings in which it differs."""
    settings = OmegaConf.load(ROOT / "conf" / "training" / f"{choice}.yaml")
    assert list(settings) == list(TrainingSettings.model_fields)
    assert config("model=bigru_published", f"training={choice}").training == settings


@pytest.mark.parametrize(("a", "b"), [("model_a", "model_b"), ("published_a", "published_b")])
def test_a_and_b_differ_in_the_pairing_alone(config, a, b):
    of_a, of_b = (OmegaConf.to_container(config(f"experiment={name}")) for name in (a, b))
    assert of_a["data"].pop("pairing") == "sung"
    assert of_b["data"].pop("pairing") == "quantized"
    assert of_a.pop("name") != of_b.pop("name")
    assert of_a == of_b


def test_the_anonymous_arm_differs_in_the_identity_alone(config):
    known, anonymous = (
        OmegaConf.to_container(config(f"experiment={name}")) for name in ("model_b", "model_b_anonymous")
    )
    assert (known["data"].pop("anonymous"), anonymous["data"].pop("anonymous")) == (False, True)
    assert known.pop("name") != anonymous.pop("name")
    assert known == anonymous


def test_the_published_recipe_to_the_letter(config):
    settings = validated(config("experiment=published_b"), TrainConfig)
    assert settings.data.source == "hub"
    assert settings.data.options["name"] == "ccss17/note-duration-dataset"
    assert (settings.data.split, settings.data.split_seed) == ("published", 42)
    assert settings.model.name == "bigru_published"
    assert settings.model.options == {"singer_embedding_dim": 32, "hidden_size": 256, "num_layers": 3, "dropout": 0.4}
    assert settings.training.model_dump() == {
        "loss": "published",
        "learning_rate": 1e-4,
        "schedule": "constant",
        "weight_decay": 0.0,
        "max_epochs": 100,
        "patience": 5,
        "monitor": "val/loss",
        "window": 128,
        "batch_size": 64,
        "move_windows": False,
        "requantize": False,
    }


def test_every_key_has_a_comment():
    for path in sorted((ROOT / "conf").rglob("*.yaml")):
        lines = path.read_text().splitlines()
        assert any(line.startswith("# ") and "@package" not in line for line in lines[:2]), path
        if path.parent.name in ("experiment", "sweep"):
            continue  # they only choose among keys that are explained elsewhere
        body = "\n".join(lines).partition("\nhydra:")[0].splitlines()
        for line in body:
            if line.startswith("training:"):
                break  # explained in conf/training
            if re.match(r"\s*\w+: \S", line) and not re.match(r"(source|name|  name):?", line):
                assert re.search(r"\S\s+# \S", line), f"{path}: {line}"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["seed=-1"], "configuration: seed=-1 cannot be used: input should be greater than or equal to 0."),
        (["seed=x"], "configuration: seed='x' cannot be used: input should be a valid integer"),
        (
            ["data.split=rows"],
            "data.split='rows' cannot be used: input should be 'auto', 'published', 'grouped', 'singers'",
        ),
        (["training.learning_rate=0"], "training.learning_rate=0 cannot be used: input should be greater than 0."),
        (["model.width=big"], "configuration: model.width"),
        (["name=a/b"], "configuration: name='a/b' cannot be used"),
        (["optimize=test/mae"], "optimize='test/mae' cannot be used: input should be 'val/quantized_mae'"),
        (["+training.lr=1"], "configuration: there is no setting 'training.lr'."),
        (
            ["optimize=val/skill", "experiment=model_a"],
            "optimize=val/skill has no value where the copy baseline is perfect",
        ),
        (["data=parquet"], "configuration: 'data.path' is needed; give it as data.path=VALUE."),
    ],
)
def test_bad_values_are_refused(config, overrides, message):
    with pytest.raises(InputError) as error:
        validated(config(*overrides), TrainConfig)
    assert message in str(error.value)


def test_evaluate_needs_a_run(config):
    with pytest.raises(InputError, match="'run' is needed; give it as run=VALUE"):
        validated(config(name="evaluate"), EvaluateConfig)
