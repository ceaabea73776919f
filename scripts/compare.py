"""Answers the experiment's questions: `python scripts/compare.py data=parquet data.path=F`."""

import hydra
from omegaconf import DictConfig

from toy_duration_predictor.comparison.config import CompareConfig
from toy_duration_predictor.training.commands import ending_in_a_sentence, run_command
from toy_duration_predictor.training.config import validated


@hydra.main(version_base="1.3", config_path="../conf", config_name="compare")
def main(config: DictConfig) -> None:
    """Runs one comparison."""
    with ending_in_a_sentence():
        validated(config, CompareConfig)  # before torch is imported, which takes seconds
        from toy_duration_predictor.comparison.compare import compare

        compare(config, lambda overrides: hydra.compose("train", overrides))


if __name__ == "__main__":
    run_command(main)
