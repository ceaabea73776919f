"""Tests a trained run on every row of another table: `python scripts/evaluate.py run=DIR data=parquet data.path=F`."""

import hydra
from omegaconf import DictConfig

from toy_duration_predictor.training.commands import ending_in_a_sentence, run_command
from toy_duration_predictor.training.config import EvaluateConfig, validated


@hydra.main(version_base="1.3", config_path="../conf", config_name="evaluate")
def main(config: DictConfig) -> None:
    """Runs one evaluation."""
    with ending_in_a_sentence():
        validated(config, EvaluateConfig)  # before torch is imported, which takes seconds
        from toy_duration_predictor.training.evaluate import evaluate

        evaluate(config)


if __name__ == "__main__":
    run_command(main)
