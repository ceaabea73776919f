"""Small networks with random weights, and what they are given of a song."""

import numpy as np
import pytest
import torch

from toy_duration_predictor.data.rests import guess_rests
from toy_duration_predictor.data.style import FEATURES, StylePrior
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.models import Inputs, build

SINGERS = [2, 7, 16]
SONG = [60, 0, 120, 60, 240, 0, 60, 0, 480]


def network(name="phase", std=0.4):
    """A network whose every weight is something, so that all that it is given counts."""
    torch.manual_seed(0)
    small = {"phase": {"width": 8, "layers": 2}, "bigru": {"hidden_size": 8}, "bigru_published": {"hidden_size": 8}}
    statistics = {"target_mean": 100.0, "target_std": 90.0, "style_features": FEATURES}
    made = build(name, statistics, num_singers=len(SINGERS), **small[name])
    for parameter in made.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=std)
    if hasattr(made, "set_styles"):
        constants = StylePrior(mean=0.1, scale=0.2, weight=30.0, weight_in_song=20.0)
        prior = torch.tensor(constants)[:, None].expand(-1, FEATURES)
        with torch.no_grad():
            made.set_styles(10 * torch.randn(len(SINGERS), FEATURES), prior)
    return made


def inputs(song, style=None, singer=0, step=60.0, rest=None):
    """One song as a network is given it."""
    quantized = torch.tensor([song]).float()
    return Inputs(
        quantized,
        torch.ones_like(quantized, dtype=torch.bool),
        torch.tensor([step]),
        torch.from_numpy(guess_rests(np.array(song) / step) if rest is None else rest)[None],
        torch.tensor([0.0]),
        torch.tensor([singer]),
        style,
    )


@pytest.fixture(scope="module")
def phase():
    return Predictor(network(), SINGERS)


@pytest.fixture(scope="module")
def bigru():
    return Predictor(network("bigru"), SINGERS)
