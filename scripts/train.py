"""Trains and tests one model: `python scripts/train.py experiment=model_b`; sweeps with `-m`."""

import hydra
from omegaconf import DictConfig

from toy_duration_predictor.comparison.sweep import Metrics, recorded
from toy_duration_predictor.training.commands import ending_in_a_sentence, run_command
from toy_duration_predictor.training.config import TrainConfig, validated


@hydra.main(version_base="1.3", config_path="../conf", config_name="train")
def main(config: DictConfig) -> float | int | str | None:
    """Runs one configuration; returns the metric that a sweep compares runs by, if the run has it."""

    def run() -> Metrics:
        validated(config, TrainConfig)  # before torch is imported, which takes seconds
        from toy_duration_predictor.training.train import train

        return train(config)

    with ending_in_a_sentence():
        metrics = recorded(run, config.optimize)
        return metrics.get(config.optimize) if metrics else None


if __name__ == "__main__":
    run_command(main)
