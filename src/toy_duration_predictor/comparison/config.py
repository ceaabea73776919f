"""What a comparison's composed configuration must look like; see `training.config`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from toy_duration_predictor.training.config import Count, Seed, Settings, SourceSettings, TrainerSettings

# What a search may make low. Nothing of the test songs is among it.
Objective = Literal["val/quantized_mae", "val/quantized_onset_mae", "train/seconds", "model/parameters"]


class StudySettings(Settings):
    """Settings of all studies, whose runs several processes may share out among themselves."""

    each: list[str]
    worker: Annotated[int, Field(ge=0)]
    trainer: TrainerSettings
    logs: Path
    resamples: Annotated[int, Field(ge=100)]


class CompareConfig(StudySettings):
    """`conf/compare.yaml`, composed."""

    arms: Annotated[list[str], Field(min_length=1)]
    seeds: Count
    vary: Literal["seed", "split", "both", "fold"]
    runs: str | None
    sensitivity: bool
    data: SourceSettings
    out: Path | None


class PowerConfig(StudySettings):
    """`conf/power.yaml`, composed."""

    effects: Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=1)]
    songs: Annotated[list[Annotated[int, Field(ge=12)]], Field(min_length=1)]
    repetitions: Count
    out: Path


class QuantizersConfig(StudySettings):
    """`conf/quantizers.yaml`, composed."""

    ways: Annotated[list[str], Field(min_length=1)]
    seeds: Annotated[int, Field(ge=0)]
    data: SourceSettings
    out: Path | None


class SearchConfig(Settings):
    """`conf/search.yaml`, composed."""

    name: Annotated[str, Field(pattern=r"^[\w.-]+$")]
    trials: Count
    space: Annotated[list[str], Field(min_length=1)]
    each: list[str]
    objectives: Annotated[list[Objective], Field(min_length=1, max_length=2)]
    prune: bool
    startup: Count
    warmup: Annotated[int, Field(ge=0)]
    seed: Seed
    data: SourceSettings
    trainer: TrainerSettings
    logs: Path
