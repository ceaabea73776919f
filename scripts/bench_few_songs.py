"""Benchmark of one's own singer: few songs to train on, or to sing like without training; see `bench.py`."""

from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from hydra import compose, initialize_config_dir

from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.places import DEMO
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.sections import Section
from toy_duration_predictor.training.train import train

# Recordings that somebody may have; the singer's other songs are predicted.
SONGS = (4, 6, 10)
TESTED = 4  # at least so many
SEED = 0
CONF = Path(__file__).parents[1] / "conf"


def few(folder: Path, out: Path) -> list[Section]:
    """Compares both ways for each singer with enough songs: errors of the other songs, shares of the copy error.

    Args:
        folder: MIDI files, which `data=midi` reads.
        out: Where the tables and run folders go.
    """
    table = load_songs("midi", path=folder)
    singers, counts = np.unique(table["singer_id"][:], return_counts=True)
    demo, rows = Predictor.load(DEMO), []
    for singer in singers[counts >= max(SONGS) + TESTED].tolist():
        own = np.random.default_rng(SEED).permutation(np.flatnonzero(np.array(table["singer_id"][:]) == singer))
        tested = table.select(own[max(SONGS) :])
        copied = _errors(tested, list(map(np.array, tested["quantized_durations"])))
        for number in SONGS:
            songs = table.select(own[:number])
            place = out / f"singer {singer}" / f"{number} songs"
            place.mkdir(parents=True, exist_ok=True)
            songs.to_parquet(place / "songs.parquet")
            with initialize_config_dir(str(CONF), version_base="1.3"):
                given = [f"data.path='{(place / 'songs.parquet').resolve()}'", "trainer.threads=1"]
                config = compose("train", ["data=parquet", *given, "trainer.progress=false", f"logs='{place}'"])
            trained = Predictor.load(str(train(config)["run/folder"]))
            for way, known in (("trained", (trained, {"singer": singer})), ("like", (demo, {"like": songs}))):
                errors = _errors(tested, _predictions(tested, *known))
                rows.append((str(singer), str(number), str(len(tested)), way, *_shares(errors, copied)))
    if not rows:
        raise InputError(f"{folder}: no singer has {max(SONGS) + TESTED} songs.")
    heads = ("singer", "songs", "songs tested", "", "onsets", "durations")
    return [Section("Errors as shares of the copy error, in beats", heads, rows)]


def _predictions(tested: Dataset, predictor: Predictor, known: dict[str, Any]) -> list[np.ndarray]:
    rest = [np.array(pitch) == 0 for pitch in tested["pitch"]]
    step = [ticks / 8 for ticks in tested["ticks_per_beat"]]
    songs = [np.array(song) for song in tested["quantized_durations"]]
    predicted: list[np.ndarray] = predictor.predict(songs, step=step, rest=rest, **known)
    return predicted


def _errors(tested: Dataset, predicted: list[np.ndarray]) -> np.ndarray:
    """Returns the mean absolute errors of running totals and of durations over all songs, beats."""
    off = [
        (song - np.array(sung)) / ticks
        for song, sung, ticks in zip(predicted, tested["durations"], tested["ticks_per_beat"], strict=True)
    ]
    return np.array([np.abs(np.concatenate(each)).mean() for each in ([np.cumsum(song) for song in off], off)])


def _shares(errors: np.ndarray, copied: np.ndarray) -> list[str]:
    return [f"{share:.2f}" for share in errors / copied]
