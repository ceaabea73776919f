"""Simulated songs."""

from typing import Annotated, Literal

from datasets import Dataset
from pydantic import Field

from toy_duration_predictor.data.simulate import simulate_songs
from toy_duration_predictor.data.songs import validate_songs


def simulated(
    songs: Annotated[int, Field(ge=1)] = 252,
    seed: Annotated[int, Field(ge=0)] = 0,
    singer_effect: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0,
    against: Literal["quantized", "score"] = "quantized",
) -> Dataset:
    """Makes simulated songs; see `simulate_songs`."""
    return validate_songs(simulate_songs(songs, seed, singer_effect, against), "simulated songs")
