"""Trains and tests one model: `python scripts/train.py experiment=model_b`; sweeps with `-m`."""

import hydra
from omegaconf import DictConfig

from toy_duration_predictor.training.commands import ending_in_a_sentence, run_command
from toy_duration_predictor.training.config import TrainConfig, validated


@hydra.main(version_base="1.3", config_path="../conf", config_name="train")
def main(config: DictConfig) -> float | int | str:
    """Runs one configuration; returns the metric that a sweep optimizes."""
    with ending_in_a_sentence():
        validated(config, TrainConfig)  # before torch is imported, which takes seconds
        from toy_duration_predictor.training.train import train

        return train(config)[config.optimize]


if __name__ == "__main__":
    run_command(main)
