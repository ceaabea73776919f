"""A model as a folder: `config.json`, `model.safetensors` and `README.md`, its card; and the published layout.

The published models, `model_A` and `model_B` of `ccss17/toy-duration-predictor`, are `config.json` and
`pytorch_model.bin`.
"""

import errno
import json
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch
from huggingface_hub import ModelCard, PyTorchModelHubMixin
from pydantic import AfterValidator, BaseModel, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from toy_duration_predictor.data.singers import Names, number_or_name
from toy_duration_predictor.errors import InputError, explain, first_line
from toy_duration_predictor.files import damaged, sealed
from toy_duration_predictor.inference.places import CONFIG
from toy_duration_predictor.models import Inputs, build

WEIGHTS, PICKLE, CARD = "model.safetensors", "pytorch_model.bin", "README.md"

# What the published configurations call their network.
PUBLISHED_ARCHITECTURE = "ToyDurationPredictor"


class LoadedModel(NamedTuple):
    """A model, as `Predictor` takes it.

    Attributes:
        network: In evaluation mode, on the CPU.
        singers: The `singer_id` of each singer index.
        anonymous: Whether every singer is given the first one's identity.
        singer_names: The names of those singers who have one, by `singer_id`.
        statistics: Of the training split; see `SongsDataModule`.
    """

    network: nn.Module
    singers: list[int]
    anonymous: bool
    singer_names: Names
    statistics: dict[str, float]


def _as_kept(name: str) -> str:
    if number_or_name(name) != name:
        raise InputError(f"{CONFIG}: {name!r} is not written as the names of singers are; save the model again.")
    return name


class Config(BaseModel):
    """The `config.json` of a model of this project. Other keys are ignored."""

    network: str
    sizes: dict[str, int | float]
    singers: Annotated[list[int], Field(min_length=1)]
    statistics: dict[str, float]
    anonymous: bool
    singer_names: dict[int, Annotated[str, AfterValidator(_as_kept)]] = {}


class PublishedConfig(BaseModel):
    """The `config.json` of a published model. It leaves out the mean and the standard deviation of the targets."""

    num_singers: Annotated[int, Field(ge=1, le=10_000)]
    singer_embedding_dim: int
    hidden_size: int
    num_layers: int
    dropout: float
    target_mean: float = 128.66
    target_std: float = 201.76

    def as_own(self) -> Config:
        """Returns this configuration as one of this project."""
        statistics = {"target_mean", "target_std"}
        return Config(
            network="bigru_published",
            sizes=self.model_dump(exclude={"num_singers", *statistics}),
            singers=list(range(1, self.num_singers + 1)),
            statistics=self.model_dump(include=statistics),
            anonymous=False,
        )


class HubModel(nn.Module, PyTorchModelHubMixin):
    """A network as the Hub keeps it: the arguments of the constructor become `config.json`.

    Args:
        network: Name of a network; see `models`.
        sizes: Arguments of its constructor.
        singers: The `singer_id` of each singer index.
        statistics: Of the training split; see `SongsDataModule`.
        anonymous: Whether every singer is given the first one's identity.
        singer_names: The names of those singers who have one, by `singer_id`.
    """

    card: ModelCard | None = None

    def __init__(
        self,
        network: str,
        sizes: dict[str, Any],
        singers: list[int],
        statistics: dict[str, float],
        anonymous: bool,
        singer_names: dict[int, str] = {},  # noqa: B006
    ) -> None:
        super().__init__()
        self.network = build(network, statistics, num_singers=len(singers), **sizes)
        self.anonymous = anonymous

    def forward(self, inputs: Inputs) -> Tensor:
        """Returns predicted sung durations, float `(B, T)`, ticks; see `models`."""
        # Without the singer's identity every index is 0, as in training.
        predicted: Tensor = self.network(inputs._replace(singer=inputs.singer * (not self.anonymous)))
        return predicted

    def _save_pretrained(self, save_directory: Path) -> None:
        """Saves the weights, and the configuration with checksums of both."""
        try:
            super()._save_pretrained(save_directory)
        except SafetensorError as error:  # the disk's fault, by another name
            raise OSError(errno.EIO, first_line(error)) from error
        # Through JSON, in which all keys are texts. Where no singer has a name, the file has no place for names.
        config = json.loads(json.dumps(self._hub_mixin_config))
        if not config.get("singer_names"):
            config.pop("singer_names", None)
        text = json.dumps(sealed(config, save_directory / WEIGHTS), sort_keys=True, indent=2)
        (save_directory / CONFIG).write_text(text, encoding="utf-8")

    def generate_model_card(self, *args: Any, **kwargs: Any) -> ModelCard:
        """Returns the card that was made from a run, if there is one."""
        return self.card or super().generate_model_card(*args, **kwargs)


def read_folder(folder: Path, name: str) -> LoadedModel:
    """Loads a model from its folder. A pickle is read for its weights only.

    Args:
        folder: Where the model's files are.
        name: What messages call the model.

    Raises:
        InputError: It is no model of this project, or a file cannot be read.
    """
    config = _config(folder / CONFIG, name)
    network = build(config.network, config.statistics, num_singers=len(config.singers), **config.sizes)
    weights = _weights(folder, name)
    # Weights of `HubModel` are called `network.*`, those of the published models have no prefix.
    try:
        network.load_state_dict({key.removeprefix("network."): value for key, value in weights.items()})
    except (RuntimeError, AttributeError) as error:
        raise InputError(
            f"{name}: its weights are not those of the network '{config.network}' of its {CONFIG}; get it again, or "
            f"save the run again."
        ) from error
    return LoadedModel(network.eval(), config.singers, config.anonymous, config.singer_names, config.statistics)


def _config(path: Path, name: str) -> Config:
    """Reads `config.json`, of this project's layout or of the published one, and checks what it has checksums of."""
    if not path.is_file():
        raise InputError(
            f"{name} is no model: give a run's folder, a checkpoint, or a folder or name on the Hub with a {CONFIG}; "
            f"of several models name one, as in ccss17/toy-duration-predictor/model_B."
        )
    try:
        raw = json.loads(path.read_bytes())
        wrong = damaged(path, raw, path.with_name(WEIGHTS)) if isinstance(raw, dict) else None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name}: its {CONFIG} is not JSON; get it again, or save the run again.") from error
    except OSError as error:
        raise InputError(f"{name} cannot be read ({error.strerror}); get it again, or save the run again.") from error
    if wrong:
        raise InputError(f"{name}: its {wrong.name} is damaged or was changed; get it again, or save the run again.")
    try:
        if isinstance(raw, dict) and "network" in raw:
            return Config(**raw)
        if isinstance(raw, dict) and raw.get("architectures") == [PUBLISHED_ARCHITECTURE]:
            return PublishedConfig(**raw).as_own()
    except ValidationError as error:
        raise InputError(explain(error, within=f"{name}, {CONFIG}")) from error
    raise InputError(f"{name}: its {CONFIG} is not that of a model of this project.")


def _weights(folder: Path, name: str) -> dict[str, Tensor]:
    if (folder / WEIGHTS).is_file():
        try:
            return load_file(folder / WEIGHTS)
        except (SafetensorError, OSError) as error:
            raise InputError(f"{name}: its {WEIGHTS} is damaged; get it again, or save the run again.") from error
    if not (folder / PICKLE).is_file():
        raise InputError(f"{name} has a {CONFIG} and no {WEIGHTS}; get it again, or save the run again.")
    try:
        weights = torch.load(folder / PICKLE, map_location="cpu", weights_only=True)
        if not all(isinstance(value, Tensor) for value in weights.values()):
            raise TypeError("not a dictionary of tensors")
    except Exception as error:  # a damaged pickle can raise anything
        raise InputError(
            f"{name}: its {PICKLE} is damaged or holds something else than weights, and is not opened; get the model "
            f"as {WEIGHTS}, from someone you trust."
        ) from error
    return dict(weights)
