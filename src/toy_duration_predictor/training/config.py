"""What a composed configuration must look like. It is checked before any work is done, and before torch is imported.

`TrainConfig` and its like are whole configurations, one for each file at the top of `conf/`. `DataSettings` and its
like are their parts, one for each group of `conf/`.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, model_validator

from toy_duration_predictor.errors import InputError, explain, first_line
from toy_duration_predictor.files import expanded

Config = TypeVar("Config", bound=BaseModel)
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]

# Metrics of validation that runs are compared by. Those named `quantized` are of quantized input, whatever the pairing;
# the others are of the input that the pairing gives.
Metric = Literal["val/quantized_mae", "val/quantized_onset_mae", "val/loss", "val/mae", "val/skill"]

# Settings of `trainer` that change no number, arguments of `lightning.pytorch.Trainer` among them.
NEUTRAL = (
    "progress",
    "default_root_dir",
    "enable_model_summary",
    "log_every_n_steps",
    "num_sanity_val_steps",
    "profiler",
)

# Levels within levels that a run's configuration may have; those of this package have three.
DEEPEST = 50


class Settings(BaseModel):
    """Settings that refuse unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OpenSettings(BaseModel):
    """Settings that take further keys. Whoever is given these, such as a network, refuses unknown ones."""

    model_config = ConfigDict(extra="allow", frozen=True)

    @property
    def options(self) -> dict[str, Any]:
        """The further keys and their values."""
        return dict(self.model_extra or {})


class SourceSettings(OpenSettings):
    """A source of songs; its own options are further keys."""

    source: str


class DataSettings(SourceSettings):
    """Songs, their split and their pairing; see `SongsDataModule`."""

    split: Literal["auto", "published", "grouped", "singers", "fold1", "fold2", "fold3", "fold4", "fold5"]
    split_seed: Seed
    pairing: Literal["quantized", "sung"]
    anonymous: bool
    durations: Literal["auto", "sung", "carried"] = "auto"


class ModelSettings(OpenSettings):
    """A network's name; its sizes are further keys. See `models`."""

    __pydantic_extra__: dict[str, Annotated[int | float, Field(ge=0)]] = Field(init=False)

    name: str


class TrainingSettings(Settings):
    """Loss, learning rate and batches of a training; see `DurationTask` and `SongsDataModule`."""

    loss: Literal["likelihood", "mae", "mse", "published"]
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    schedule: Literal["cosine", "constant"]
    weight_decay: Annotated[float, Field(ge=0, le=1)]
    max_epochs: Count
    patience: Count
    monitor: Literal["val/loss", "val/mae"]
    window: Count
    batch_size: Count
    move_windows: bool
    requantize: bool


class HardwareSettings(Settings):
    """The hardware to compute on, in the words of `lightning.pytorch.Trainer` and torch."""

    accelerator: str
    precision: Literal["32-true", "bf16-mixed", "16-mixed"]
    threads: Annotated[int, Field(ge=0, le=256)]
    progress: bool


class TrainerSettings(HardwareSettings, OpenSettings):
    """The hardware; arguments of `lightning.pytorch.Trainer` are further keys (`+trainer.gradient_clip_val=1`)."""

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        if self.options:
            # Imported only where it is needed, as Lightning takes seconds.
            from toy_duration_predictor.training.extras import check_arguments

            check_arguments(self.options, set(TrainerSettings.model_fields))
        return self


def _check_classes(classes: dict[str, dict[str, Any]], info: ValidationInfo) -> dict[str, dict[str, Any]]:
    if classes:
        from toy_duration_predictor.training.extras import check_classes

        check_classes(str(info.field_name), classes)
    return classes


# By a name of the user's choice: a class as `_target_`, and its arguments.
Classes = Annotated[dict[str, dict[str, Any]], AfterValidator(_check_classes)]


class TrainConfig(Settings):
    """`conf/train.yaml`, composed."""

    name: Annotated[str, Field(pattern=r"^[\w.-]+$")]
    seed: Seed
    data: DataSettings
    model: ModelSettings
    training: TrainingSettings
    trainer: TrainerSettings
    callbacks: Classes = {}
    loggers: Classes = {}
    logs: Path
    resume: Literal["auto", "never"]
    force: bool
    optimize: Metric

    @model_validator(mode="after")
    def _check_optimize(self) -> Self:
        if self.optimize == "val/skill" and self.data.pairing == "sung":
            raise ValueError(
                "optimize=val/skill has no value where the copy baseline is perfect; use val/quantized_mae"
            )
        return self

    def decisive(self) -> dict[str, Any]:
        """Returns the settings that can change a number, as plain nested values."""
        settings = self.model_dump(mode="json", exclude={"logs", "resume", "force", "optimize", "loggers"})
        settings["trainer"] = {name: value for name, value in settings["trainer"].items() if name not in NEUTRAL}
        return settings


class EvaluateConfig(Settings):
    """`conf/evaluate.yaml`, composed."""

    run: Path
    data: SourceSettings
    trainer: HardwareSettings
    unknown: Literal["refuse", "skip"]
    batch_size: Count
    force: bool


def validated(config: DictConfig | dict[str, Any], schema: type[Config]) -> Config:
    """Returns a composed configuration as typed settings.

    Raises:
        InputError: A key is unknown or missing, its value is of the wrong type or out of range, or nothing is where it
            says that songs or a run are.
    """
    try:
        plain: Any = (
            OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
            if isinstance(config, DictConfig)
            else config
        )
        settings = schema.model_validate(plain)
    except ValidationError as error:
        raise InputError(explain(error, within="configuration")) from error
    except OmegaConfBaseException as error:
        raise InputError(f"configuration: '{error.full_key}' is needed; give it as {error.full_key}=VALUE.") from error
    # Seconds before libraries are loaded; whatever reads it looks closer.
    path, run = plain.get("data", {}).get("path"), plain.get("run")
    if path and not expanded(Path(path)).exists():
        raise InputError(f"{path} does not exist; give the path of songs as data.path=PATH.")
    if run and not Path(run).exists():
        raise InputError(f"run={run} does not exist; give the folder of a trained run.")
    return settings


def read_config(path: Path) -> dict[str, Any]:
    """Reads the `config.yaml` of a run.

    Raises:
        ValueError: It is none.
        OSError: It cannot be read.
    """
    text = path.read_text(encoding="utf-8")
    try:
        # An alias stands for as much as its writer likes, and depth takes its square in time; a run writes neither.
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > DEEPEST:
                raise ValueError(f"{path.name} has aliases, or is nested deeper than {DEEPEST} levels")
        config: Any = OmegaConf.to_container(OmegaConf.create(text))
    except (yaml.YAMLError, OmegaConfBaseException, RecursionError) as error:
        raise ValueError(f"{path.name} cannot be read: {first_line(error)}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{path.name} does not hold settings")
    return config
