"""Songs to sing like, and beginnings to go on from."""

import numpy as np
import pytest
import torch
from datasets import Dataset

from tests.inference.conftest import SINGERS, SONG, inputs, network
from toy_duration_predictor.data.batches import Songs
from toy_duration_predictor.data.quantize import carried, quantize
from toy_duration_predictor.data.rests import guess_rests
from toy_duration_predictor.data.songs import validate_songs
from toy_duration_predictor.data.style import FEATURES, References, StylePrior, Sums, style_sums
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.inference.references import reference_sums


def a_song(seed, notes=100, late=0.0, step=60):
    """A row of a songs table: notes and rests in turn, the ends of notes late by some steps."""
    rng = np.random.default_rng(seed)
    lengths = np.stack([rng.integers(2, 8, size=notes), rng.integers(1, 3, size=notes)], axis=1).ravel()[:-1]
    times = np.cumsum(lengths * step) + np.where(np.arange(2 * notes - 1) % 2, 0, np.rint(late * step))
    sung = np.diff(times, prepend=0).astype(int)
    pitch = np.where(np.arange(len(sung)) % 2, 0, 60)
    return {"durations": sung, "quantized_durations": quantize(sung, step), "pitch": pitch}


def test_a_style_is_what_training_makes_of_the_same_songs(phase):
    """Given all songs of a singer, the network reads the style that it would have learned."""
    rows = [a_song(seed, late=late) for seed, late in enumerate((0.1, 0.2, -0.3, -0.2))]
    table = validate_songs(Dataset.from_list([row | {"singer_id": i // 2} for i, row in enumerate(rows)]))
    songs = Songs(table, [0, 1])
    learned: References = songs.references(np.arange(4), songs.sung)
    for singer in (0, 1):
        heard = reference_sums(table.select([2 * singer, 2 * singer + 1]))
        assert learned.prior.style(heard) == pytest.approx(learned.of_singers(2)[singer], abs=1e-5)


def test_songs_to_sing_like(phase):
    early, late = ([a_song(seed, late=each) for seed in range(3)] for each in (-0.3, 0.3))
    alone = phase.predict(SONG)
    by = {name: phase.predict(SONG, like=songs) for name, songs in (("early", early), ("late", late))}
    assert by["early"] != pytest.approx(by["late"])
    assert by["late"] != pytest.approx(alone)
    # A table, its rows, and what was added up of them are the same; so are songs of another resolution.
    table = validate_songs(Dataset.from_list([song | {"singer_id": 99} for song in late]))
    eightfold = [{name: part if name == "pitch" else 8 * part for name, part in song.items()} for song in late]
    for same in (table, list(table), reference_sums(late), eightfold):
        assert phase.predict(SONG, like=same) == pytest.approx(by["late"])
    # Rests are guessed where pitch is not known; here the guess is right.
    unpitched = [{name: part for name, part in song.items() if name != "pitch"} for song in late]
    assert all((guess_rests(song["quantized_durations"] / 60) == (song["pitch"] == 0)).mean() > 0.9 for song in late)
    assert phase.predict(SONG, like=unpitched) == pytest.approx(by["late"], abs=20)
    # The fewer notes, the nearer to nobody in particular.
    prior = StylePrior(*phase.network.style_prior.double().numpy())
    sizes = [np.abs(prior.style(reference_sums([a_song(0, notes, 0.3)]))).mean() for notes in (2, 20, 200)]
    assert sizes[0] < sizes[1] < sizes[2]


def test_all_methods_sing_like(phase):
    song, like = a_song(7), [a_song(8, late=0.3)]
    quantized = song["quantized_durations"]
    for use in (
        lambda **known: phase.predict(quantized, **known),
        lambda **known: phase.sample(quantized, seed=1, **known),
        lambda **known: phase.quantiles(quantized, [0.2, 0.8], **known),
        lambda **known: phase.log_likelihood(quantized, song["durations"], **known),
    ):
        assert (use(like=like) != use()).any()


BENT = {"durations": [60, 90, 60], "quantized_durations": [60, 180, 60]}
CARRIED = {"durations": carried(np.array([22, 22, 22]), 15), "quantized_durations": [15, 30, 15]}


@pytest.mark.parametrize(
    ("like", "message"),
    [
        ([], "like: has no songs; give at least one"),
        ([[60, 60]], "like: give a list of songs, each with durations and quantized_durations, or a table"),
        ("songs.parquet", "like: give a list of songs"),
        (7, "like: give a list of songs"),
        ([{"durations": [60]}], "like: song 0 has no quantized_durations; give both"),
        ([{"durations": [60], "quantized_durations": [60, 0]}], "like: song 0 has 1 durations and 2 quantized"),
        ([{"durations": [[60]], "quantized_durations": [60]}], "like: song 0, durations: must be a flat list"),
        ([{"durations": [-1], "quantized_durations": [60]}], "like: song 0, durations: note 0 is -1"),
        ([{"durations": [], "quantized_durations": []}], "like: song 0, quantized_durations: is empty"),
        ([{"durations": [60], "quantized_durations": [60], "pitch": [1, 2]}], "song 0 has 2 pitches for 1"),
        ([a_song(0), BENT], "song 1 cannot have been quantized with its error carried forward.*tdp.quantize"),
        ([CARRIED], "song 0 cannot have been quantized with its error carried forward.*tdp audit --repair"),
        ([a_song(0) | {"singer_id": 3}, a_song(1) | {"singer_id": 5}], "has songs by singers 3, 5; give the songs of"),
    ],
)
def test_songs_that_tell_nothing(phase, like, message):
    with pytest.raises(InputError, match=message) as error:
        phase.predict(SONG, like=like)
    assert "\n" not in str(error.value)


def test_a_singer_and_songs_exclude_each_other(phase):
    with pytest.raises(InputError, match="singer and like exclude each other"):
        phase.predict(SONG, 2, like=[a_song(0)])


def test_networks_that_read_no_style_refuse_songs(bigru):
    untold = network()
    untold.style_prior.fill_(1)  # as of a network that was trained without styles
    for predictor in (Predictor(network(), SINGERS, anonymous=True), Predictor(untold, SINGERS)):
        assert not predictor.reads_style
        for known in ({"like": [a_song(0)]}, {"began": [60, 0]}):
            with pytest.raises(InputError, match="Phase, has not learned to read a singer's style"):
                predictor.predict(SONG, **known)
    with pytest.raises(InputError, match="BiGRU, has not learned to read a singer's style, so it cannot sing like"):
        bigru.predict(SONG, 2, began=[60, 0])
    # No style and nobody: the first thing that is missing is named.
    with pytest.raises(InputError, match="BiGRU"):
        bigru.predict(SONG, like=[a_song(0)])


class TestBeginnings:
    """The first notes as sung, and the rest from there."""

    song = a_song(5, notes=30, late=0.2)
    quantized, sung = song["quantized_durations"].tolist(), song["durations"].tolist()

    def test_it_begins_with_what_was_sung(self, phase):
        for n in (1, 2, 30, len(self.sung) - 1):
            for use in (phase.predict, phase.sample):
                found = use(self.quantized, began=self.sung[:n])
                assert found[:n].tolist() == self.sung[:n]
                assert len(found) == len(self.quantized)
        assert phase.predict(self.quantized, began=self.sung).tolist() == self.sung

    def test_it_goes_on_from_where_the_singer_stands(self, phase):
        """Onsets stay within half a step of the score's, however late or early the beginning ends."""
        n = 20
        for late in (-29, 0, 29):
            began = np.array(self.quantized[:n], dtype=float)
            began[-1] += late
            found = phase.predict(self.quantized, began=began)
            away = np.cumsum(found - self.quantized)
            assert away[n - 1] == late
            assert np.abs(away[n:]).max() <= 30
        # Whoever is out of time comes back.
        began[-1] += 300
        away = np.cumsum(phase.predict(self.quantized, began=began) - self.quantized)
        assert away[n - 1] == 329
        assert np.abs(away[-20:]).max() <= 30

    def test_its_style_is_that_of_the_beginning(self, phase):
        """Known answers: the numbers of the network, given the sums of the features of the beginning."""
        n, rest = 21, self.song["pitch"] == 0
        given = np.array(self.quantized[:n]), np.array(self.sung[:n]), 60, rest[:n]
        own = Sums(*(part[0] for part in style_sums(*given, np.array([0]))))
        prior = StylePrior(*phase.network.style_prior.double().numpy())
        other = reference_sums([a_song(3, late=-0.3)])
        for known, before in (
            ({}, np.zeros(FEATURES)),
            ({"like": other}, prior.style(other)),
            ({"singer": 7}, phase.network.singer_embedding.weight[1].numpy()),
        ):
            found = phase.predict(self.quantized, rest=rest, began=self.sung[:n], **known)
            follows = inputs(self.quantized[n:], torch.tensor(prior.so_far(own, before))[None], rest=rest[n:])
            start = torch.tensor([float(sum(self.sung[:n]) - sum(self.quantized[:n]))])
            assert found[n:] == pytest.approx(phase.network(follows._replace(start=start))[0].numpy(), abs=1e-3)
            assert found[n:] != pytest.approx(phase.predict(self.quantized, rest=rest, **known)[n:])

    def test_a_rest_tells_nothing_but_where_the_singer_stands(self, phase):
        found = phase.predict(SONG, rest=np.arange(9) % 2 == 0, began=[70])
        assert found[0] == 70
        assert np.abs(np.cumsum(found - SONG)).max() <= 30
        silence = {"durations": [60], "quantized_durations": [60], "pitch": [0]}
        assert (phase.predict(SONG, like=[silence]) == phase.predict(SONG)).all()

    def test_several_songs(self, phase):
        songs, began = [self.quantized, SONG], [self.sung[:9], [60.0, 0.0]]
        one, other = phase.predict(songs, 2, step=60, began=began)
        assert (one == phase.predict(self.quantized, 2, step=60, began=began[0])).all()
        assert (other == phase.predict(SONG, 2, step=60, began=began[1])).all()

    def test_the_step_is_the_whole_songs(self, phase):
        """What follows may have no short notes of its own."""
        found = phase.predict([60, 120, 240, 240], 2, began=[60, 120])
        assert (found == phase.predict([60, 120, 240, 240], 2, step=60, began=[60, 120])).all()

    @pytest.mark.parametrize(
        ("began", "message"),
        [
            ([60] * 10, "began has 10 durations, and quantized 9; give the first of them"),
            ([[60], [60]], "began: has 2 beginnings for 1 songs"),
            ([-1], "began: note 0 is -1"),
            ([], "began: is empty"),
        ],
    )
    def test_what_is_no_beginning(self, phase, began, message):
        with pytest.raises(InputError, match=message):
            phase.predict(SONG, began=began)
