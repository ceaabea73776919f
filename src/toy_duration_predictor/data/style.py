"""What songs tell of their singer's timing: statistics of sung and quantized durations, shrunk by how many there are.

A *style* is a vector of means over the notes of reference songs. The features are about

- articulation: how long the rest between two notes is, by itself and as a share of the time between their onsets;
- lateness: how far an onset or an end lies behind the singer's beat, and how unevenly;
- lengthening: the same at the ends of phrases;
- unevenness: how two neighbours of equal quantized length share their time.

Most features are there for several lengths of notes. A mean over few notes says little of a singer. It is shrunk
towards the mean of all training songs, as the estimate of a random effect is: Robinson (1991), "That BLUP is a good
thing", Statistical Science 6. So a singer of whom nothing is known has the style 0.

Shapes: `T` notes and rests of a song, `F` features, `S` songs.
"""

from typing import Any, NamedTuple

import numpy as np

from toy_duration_predictor.data.rests import LONG_REST

# Lengths of a note, from its onset to the next one, in grid steps: up to 2, 3 to 4, 5 to 8, and longer.
LENGTHS = ((0, 2), (2, 4), (4, 8), (8, np.inf))
# Steps that are added to a rest: the logarithm of articulation needs some even where singers leave none.
LEAST_REST = 0.02
# Features of the lengths of short rests.
SHORT_RESTS = 16
# Seven features for each length of notes, and eight for all.
FEATURES = len(LENGTHS) * 7 + 8 + SHORT_RESTS

# How many notes the mean of all songs weighs, as tried by `StylePrior.fit`.
WEIGHTS = 10.0 ** np.arange(0, 5.5, 0.5)
# The share of training windows of whose singer no other song is known, and of those whose song so far is known.
NOBODY, SO_FAR = 0.25, 0.3
# Notes and rests of a part of a song, the least that is told apart of what a singer has sung so far.
PART = 32


class Sums(NamedTuple):
    """Features of some notes, added up.

    Attributes:
        notes: float64 `(..., F)`; how many notes have the feature.
        total: float64 `(..., F)`; the sum of its values.
    """

    notes: np.ndarray
    total: np.ndarray


def style_sums(quantized: np.ndarray, sung: np.ndarray, step: float, rest: np.ndarray, blocks: np.ndarray) -> Sums:
    """Returns the sums of features in parts of a song, `(blocks, F)`.

    Args:
        quantized: `(T,)`, ticks; the grid begins with the first onset.
        sung: `(T,)`, ticks.
        step: Ticks of a grid step.
        rest: bool `(T,)`; which durations are rests.
        blocks: int64 `(blocks,)`; the index at which each part begins, ascending, the first one 0.
    """
    lines, times = (np.concatenate([[0.0], np.cumsum(each)]) / step for each in (quantized, sung))
    late = times - lines
    note = np.flatnonzero(~rest)
    if not len(note):
        return Sums(*np.zeros((2, len(blocks), FEATURES)))
    following = np.append(note[1:], len(rest))  # the next onset, or the song's end
    length, room = lines[following] - lines[note], times[following] - times[note]
    gap = np.maximum(times[following] - times[note + 1], 0)
    ends_phrase = lines[following] - lines[note + 1] >= LONG_REST
    begins_phrase = np.concatenate([[True], ends_phrase[:-1]])
    legato = ~ends_phrase & (gap > 0)
    # Two neighbours of about equal length, no phrase between them. Pairs are counted from the beginning of a run.
    equal = np.append((np.abs(np.diff(length)) <= 1) & ~ends_phrase[:-1] & ~ends_phrase[1:], False)
    run_starts = np.maximum.accumulate(
        np.where(equal & ~np.concatenate([[False], equal[:-1]]), np.arange(len(note)), -1)
    )
    first = equal & ((np.arange(len(note)) - run_starts) % 2 == 0)
    second_room = np.append(room[1:], 0.0)
    uneven = (room - second_room) / np.maximum(room + second_room, 1e-9)
    articulation = np.log((gap + LEAST_REST) / np.maximum(room, LEAST_REST))
    # Lateness has a meaning only beside the singer's own beat, which the grid does not keep to: it begins with the
    # first onset, whether that was early or late. Phrases begin on the beat. So lateness is an angle from their mean
    # direction.
    turn = 2j * np.pi
    beat = np.exp(turn * late[note][begins_phrase]).sum()
    onset, end = (np.exp(turn * each) * np.conj(beat / max(abs(beat), 1e-9)) for each in (late[note], late[note + 1]))
    values: list[np.ndarray] = []
    counted: list[np.ndarray] = []
    inner = ~begins_phrase
    for low, high in LENGTHS:
        of_length = (length > low) & (length <= high)
        values += [articulation, gap, onset.real, onset.imag, end.real, end.imag, uneven]
        counted += [of_length & each for each in (legato, legato, inner, inner, legato, legato, first)]
    drift = late[following] - late[note]
    values += [np.log(gap + LEAST_REST), gap**2, gap <= 0, drift**2, end.real, end.imag, articulation, onset.real]
    counted += [legato, legato, ~ends_phrase, ~ends_phrase, ends_phrase, ends_phrase, ends_phrase, begins_phrase]
    # How short rests are spread, by 1/15 of a step: in many songs they are all of much the same length.
    part = np.minimum(gap * 15, SHORT_RESTS - 1).astype(np.int64)
    values += [part == i for i in range(SHORT_RESTS)]
    counted += [legato] * SHORT_RESTS
    # Clipped to what quantizers leave: a song that was quantized in another way must not swamp the others.
    table = np.clip(np.nan_to_num(np.stack(values, axis=1)), -5, 5)
    mask = np.stack(counted, axis=1).astype(np.float64)
    count, total = np.zeros((2, len(blocks), FEATURES))
    of_block = np.searchsorted(blocks, note, side="right") - 1
    np.add.at(count, of_block, mask)
    np.add.at(total, of_block, table * mask)
    return Sums(count, total)


def whole_sums(quantized: np.ndarray, sung: np.ndarray, step: float, rest: np.ndarray) -> Sums:
    """Returns the sums of features of a whole song, `(F,)`; arguments as of `style_sums`."""
    return Sums(*(part[0] for part in style_sums(quantized, sung, step, rest, np.array([0]))))


class StylePrior(NamedTuple):
    """What is known of a singer before any song of theirs: the distribution of features over the training songs.

    Attributes:
        mean: `(F,)`; the mean over all notes.
        scale: `(F,)`; the standard deviation of the means of single songs, the unit of a style.
        weight: `(F,)`; how many notes the mean weighs against other songs by the singer.
        weight_in_song: `(F,)`; how many notes what is known of the singer weighs against the same song's beginning.
    """

    mean: np.ndarray
    scale: np.ndarray
    weight: np.ndarray
    weight_in_song: np.ndarray

    @classmethod
    def fit(cls, songs: Sums, beginnings: Sums, singer: np.ndarray) -> "StylePrior":
        """Estimates the prior.

        The weights of each feature are those of `WEIGHTS` by which other songs of a singer best predict a song, and the
        beginning of a song the rest of it.

        Args:
            songs: The sums of whole songs, `(S, F)`.
            beginnings: The sums of their first halves, `(S, F)`.
            singer: int64 `(S,)`; index of each song's singer.
        """
        mean = songs.total.sum(0) / np.maximum(songs.notes.sum(0), 1)

        def off(sums: Sums) -> np.ndarray:
            return np.asarray(sums.total - mean * sums.notes)

        def best(known: Sums, predicted: Sums) -> np.ndarray:
            own = off(predicted) / np.maximum(predicted.notes, 1)
            guesses = (off(known) / (known.notes + weight) for weight in WEIGHTS)
            errors = [(predicted.notes * (own - guess) ** 2).sum(0) for guess in guesses]
            return np.asarray(WEIGHTS[np.argmin(errors, axis=0)])

        others = (singer[:, None] == singer) & ~np.eye(len(singer), dtype=bool)
        by_others = Sums(others @ songs.notes, others @ songs.total)
        rest = Sums(songs.notes - beginnings.notes, songs.total - beginnings.total)
        own = off(songs) / np.maximum(songs.notes, 1)
        scale = np.sqrt((songs.notes * own**2).sum(0) / np.maximum(songs.notes.sum(0), 1))
        return cls(mean, np.maximum(scale, 1e-3), best(by_others, songs), best(beginnings, rest))

    @classmethod
    def of(cls, network: Any, anonymous: bool) -> "StylePrior | None":
        """Returns how a trained network turns songs into a style; None if it has not learned to read one.

        Args:
            network: The network.
            anonymous: Whether it was trained without the singer's identity.
        """
        prior = getattr(network, "style_prior", None)
        # It is 1 throughout in a network that was trained without styles.
        if anonymous or prior is None or bool((prior == 1).all()):
            return None
        return cls(*prior.cpu().double().numpy())

    def style(self, songs: Sums) -> np.ndarray:
        """Returns the style that the sums of a singer's songs tell, float32 `(..., F)`; 0 where they tell nothing."""
        return self._shrunk(songs, self.weight)

    def so_far(self, beginning: Sums, known: np.ndarray) -> np.ndarray:
        """Returns the style in a song, float32 `(F,)`, by its beginning and what is `known` of the singer, `(F,)`."""
        left = self.weight_in_song / (beginning.notes + self.weight_in_song)
        so_far: np.ndarray = self._shrunk(beginning, self.weight_in_song) + (left * known).astype(np.float32)
        return so_far

    def _shrunk(self, sums: Sums, weight: np.ndarray) -> np.ndarray:
        shrunk = (sums.total - self.mean * sums.notes) / (sums.notes + weight) / self.scale
        return np.asarray(shrunk, dtype=np.float32)


class References:
    """The training songs as references, from which training windows are given their singer's style.

    A window's own notes never tell its style. It comes from other songs by the singer, few or all of them, or from what
    was sung before the window; or nothing is known of the singer.

    Args:
        parts: The sums of each song's parts of `PART` notes and rests, `(parts, F)`.
        singer: int64 `(S,)`; index of each song's singer.
    """

    def __init__(self, parts: list[Sums], singer: np.ndarray) -> None:
        self.singer = singer
        # Sums of all parts before each part, and of the whole song.
        self.before = [Sums(*(np.cumsum(np.vstack([each[:1] * 0, each]), 0) for each in part)) for part in parts]
        self.songs = Sums(*(np.stack([of[i][-1] for of in self.before]) for i in range(2)))
        halves = Sums(*(np.stack([of[i][len(of[i]) // 2] for of in self.before]) for i in range(2)))
        self.prior = StylePrior.fit(self.songs, halves, singer)

    def of_singers(self, singers: int) -> np.ndarray:
        """Returns the style of each singer by all of their songs, float32 `(singers, F)`."""
        of_singer = (np.arange(singers)[:, None] == self.singer).astype(np.float64)
        return self.prior.style(Sums(of_singer @ self.songs.notes, of_singer @ self.songs.total))

    def draw(self, song: int, start: int, rng: np.random.Generator) -> np.ndarray:
        """Draws a style for a window, float32 `(F,)`.

        Args:
            song: The window's song.
            start: Its first note's number in the song.
            rng: Of random numbers.
        """
        style = np.zeros(FEATURES, dtype=np.float32)
        if rng.random() >= NOBODY:
            others = np.flatnonzero(self.singer == self.singer[song])
            others = rng.permutation(others[others != song])
            # As often one song as all of them.
            some = others[: 1 + int(len(others) * rng.random() ** 2)]
            style = self.prior.style(Sums(*(each[some].sum(0) for each in self.songs)))
        if rng.random() < SO_FAR:
            style = self.prior.so_far(Sums(*(each[start // PART] for each in self.before[song])), style)
        return style
