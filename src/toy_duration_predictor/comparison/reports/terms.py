"""The words of reports, each in a sentence. `docs/glossary.md` has those of the whole project."""

import re
from collections.abc import Sequence

from toy_duration_predictor.sections import Section, render_markdown

TERMS = {
    # What is measured.
    "onset": "when a note begins; its error is how far the predicted onset is from the sung one",
    "inter-onset interval": "the time from one onset to the next",
    "duration": "how long a note or a rest lasts; a rest is the silence between two notes",
    "beat": "a quarter note",
    "tick": "the unit of time in a MIDI file, which says how many ticks fill a beat (its resolution)",
    "quantized": "on the grid of a score, mostly of 1/32 notes; its lines are a grid step apart",
    "sung": "as the singer sang it",
    "carried values": "sung durations to which the quantizer has added the errors that it carries from note to note",
    "deviation": "sung minus quantized",
    # What is compared.
    "Model B, model_b": "the network that learns sung durations from quantized ones",
    "Model A, model_a": "the same network, taught sung durations from sung ones; it learns to copy",
    "model_b_anonymous": "Model B that takes all singers for the same person",
    "copy": "the score as it is: quantized durations taken as the prediction; all else is measured by its error",
    "lookup": "a table of the median deviations of notes that look alike in the training songs",
    "value": "a lookup by a note's quantized duration",
    "neighbours": "a lookup by the quantized durations of a note, of the one before it and of the one after it",
    "value_singer, neighbours_singer": "these lookups, by the singer too",
    "boosting, boosting_singer": "boosted trees, which learn from a note's surroundings; without the singer, and with",
    "arm": "one kind of training, such as Model A; its rivals are what Model B is compared with",
    "repetition": "the whole experiment again, with another seed (initial weights, order of songs), split or fold",
    "split, fold": "which songs are for training, for validation and for the test; one of five such splits",
    "ablation": "the trained Model B without one thing that it has learned to use",
    "singer shuffled, another singer": "Model B told somebody else's identity: any one's; each other one's in turn",
    "mean singer, no singer": "Model B told the mean of all singers; told of nobody",
    "context n": "Model B that sees n notes and rests on either side of the one that it predicts",
    "style": "what songs tell of their singer's timing, as numbers; reference songs are those that tell it",
    # How it is said.
    "mean absolute error (MAE)": "how far predictions are off on average, too early and too late alike",
    "share of copy": "an error divided by that of the copy; below 1 is better than the score as it is",
    "skill": "1 minus the share of copy: 0 is no better than the score, 1 is perfect",
    "interval": "where the true value lies in 95 % of cases, by resampling the songs 2,000 times or so (BCa bootstrap)",
    "p-value": "how often chance alone would give so large a difference, were there none",
    "sign-flip test": "a p-value by exchanging Model B and its rival at random, song by song or by repetition",
    "Holm's correction": "makes p-values larger where several questions are asked at once",
    "power": "how often a difference of this size would be found",
    "supported, worse, no practical difference, not enough to tell": (
        "the verdicts: what is claimed is so; the opposite is; it matters to nobody; these songs cannot tell"
    ),
    "known effect, planted": "a difference between singers, put into the same songs to see whether it is found",
    # Further figures.
    "Wasserstein, Kolmogorov-Smirnov": "two distances between distributions; 0 where they are the same",
    "spread": "the standard deviation",
    "autocorrelation": "whether a late note is followed by a late one: 1 always, 0 as by chance",
    "distribution, sample": "how probable Model B takes each duration for; durations taken at random by it",
    "calibration": "whether what is given a probability of 80 % comes true in 80 % of cases",
    "CRPS": "the continuous ranked probability score, an absolute error for distributions; ticks",
    "negative log-likelihood, nats": "how improbable what was sung is to the model, in natural logarithms",
    "phrase": "notes up to the next long rest",
    "balanced": "the average over singers, however many songs each has",
    "epoch, validation": "one pass over the training songs; songs that decide which epoch's weights are kept",
    "padding, clamped": "zeros that fill up a window of notes; sung durations cut to 1000 ticks: both as published",
    "fingerprint, commit": "which songs table it was, and which code",
    # Of other studies.
    "ways to quantize": "grids, and rules by which sung times are moved to their lines",
    "singer effect": "how far simulated singers differ: 1 is the usual, and at 0 all are the same person",
    "trial": "one training, with settings of its own",
    "val/quantized_mae": "mean absolute error of durations, ticks, of validation songs that are given quantized",
    "val/quantized_onset_mae": "the same of onsets",
    "val/mae, val/skill, val/loss": "of validation songs, given what the training is given; the loss that it minimises",
}


def terms(sections: Sequence[Section]) -> Section:
    """Returns the section that explains those words that a report uses."""
    text = render_markdown("", sections)
    rows = [row for row in TERMS.items() if any(_is_in(name, text) for name in row[0].split(", "))]
    return Section("What the words mean", ("", ""), rows)


def _is_in(name: str, text: str) -> bool:
    """Returns whether a text has a word, or several of it; in `context n` and its like, n is any number."""
    words = re.escape(name.partition(" (")[0])
    words = rf"{words[:-1]}\d+" if name.endswith(" n") else f"{words}s?"
    return re.search(rf"(?<![\w-]){words}(?![\w-])", text, re.IGNORECASE) is not None
