"""Searches for good settings: `python scripts/search.py data=parquet data.path=F`."""

import hydra
from omegaconf import DictConfig

from toy_duration_predictor.comparison.config import SearchConfig
from toy_duration_predictor.errors import need
from toy_duration_predictor.training.commands import ending_in_a_sentence, run_command
from toy_duration_predictor.training.config import validated


@hydra.main(version_base="1.3", config_path="../conf", config_name="search")
def main(config: DictConfig) -> None:
    """Runs one search."""
    with ending_in_a_sentence():
        validated(config, SearchConfig)  # before torch is imported, which takes seconds
        need("A search", "search", "optuna", "optuna_integration")
        from toy_duration_predictor.comparison.search import search

        search(config, lambda overrides: hydra.compose("train", overrides))


if __name__ == "__main__":
    run_command(main)
