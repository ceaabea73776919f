"""Compares ways to quantize on the same sung durations: `python scripts/quantizers.py data=parquet data.path=F`."""

import hydra
from omegaconf import DictConfig

from toy_duration_predictor.comparison.config import QuantizersConfig
from toy_duration_predictor.training.commands import ending_in_a_sentence, run_command
from toy_duration_predictor.training.config import validated


@hydra.main(version_base="1.3", config_path="../conf", config_name="quantizers")
def main(config: DictConfig) -> None:
    """Runs one study."""
    with ending_in_a_sentence():
        validated(config, QuantizersConfig)  # before torch is imported, which takes seconds
        from toy_duration_predictor.comparison.quantizers import quantizers

        quantizers(config, lambda overrides: hydra.compose("train", overrides))


if __name__ == "__main__":
    run_command(main)
