"""The experiment: configurations in, run folders out."""
