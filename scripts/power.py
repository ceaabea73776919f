"""Tries the verdict on Q3 on corpora whose answer is known: `python scripts/power.py`."""

import hydra
from omegaconf import DictConfig

from toy_duration_predictor.comparison.config import PowerConfig
from toy_duration_predictor.training.commands import ending_in_a_sentence, run_command
from toy_duration_predictor.training.config import validated


@hydra.main(version_base="1.3", config_path="../conf", config_name="power")
def main(config: DictConfig) -> None:
    """Runs one study."""
    with ending_in_a_sentence():
        validated(config, PowerConfig)  # before torch is imported, which takes seconds
        from toy_duration_predictor.comparison.power import power

        power(config, lambda overrides: hydra.compose("train", overrides))


if __name__ == "__main__":
    run_command(main)
