"""`python -m toy_duration_predictor.cli` is `tdp`."""

from toy_duration_predictor.cli import main

main()
