"""One run: configuration, training, evaluation, and its folder."""
