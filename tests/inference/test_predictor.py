"""A model in use: the run's own numbers, whole songs, mixtures, threads, and what is refused."""

from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from tests.conftest import SMALL
from tests.inference.conftest import SINGERS, SONG, inputs, network
from toy_duration_predictor.data.quantize import quantize
from toy_duration_predictor.data.rests import guess_rests
from toy_duration_predictor.data.schema import LONGEST
from toy_duration_predictor.data.simulate import simulate_songs
from toy_duration_predictor.data.style import FEATURES
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.training.train import train


def test_a_trained_run_gives_its_own_test_predictions(config):
    """Songs are shorter than a window, so that the run has seen them whole, too."""
    short = ("training.window=400", "training.max_epochs=1", "data.songs=12")
    metrics = train(config("experiment=model_b", *SMALL, *short))
    rows = pq.read_table(f"{metrics['run/folder']}/predictions.parquet").to_pylist()
    predictor = Predictor.load(metrics["run/folder"])
    assert rows
    for row in rows:
        assert len(row["quantized"]) <= 400
        predicted = predictor.predict(row["quantized"], row["singer_id"])
        assert predicted == pytest.approx(np.array(row["predicted"]), abs=1e-2)
        assert predicted != pytest.approx(np.array(row["quantized"]), abs=1)
    checkpoint = Predictor.load(f"{metrics['run/folder']}/checkpoints/best.ckpt")
    assert (checkpoint.predict(row["quantized"], row["singer_id"]) == predicted).all()


@pytest.mark.parametrize("name", ["phase", "bigru", "bigru_published"])
def test_a_song_is_the_same_alone_and_beside_others(name, rng):
    predictor = Predictor(network(name), SINGERS)
    songs = [60 * rng.integers(0, 9, size=size) for size in (1, 300, 7)]
    together = predictor.predict(songs, 7)
    assert [len(song) for song in together] == [1, 300, 7]
    for song, predicted in zip(songs, together, strict=True):
        assert (predictor.predict(song.tolist(), 7) == predicted).all()
    same_length = predictor.predict(np.stack([songs[1], songs[1]]), 7)
    assert (same_length[0] == together[1]).all()


def test_no_seam(phase, rng):
    """A song cut in two has other numbers near the cut; the whole one is as the network gives it."""
    song = 60 * rng.integers(0, 9, size=300)
    whole = phase.predict(song, 2)
    assert whole == pytest.approx(phase.network(inputs(song.tolist()))[0].numpy())
    assert phase.predict(song[:128], 2) != pytest.approx(whole[:128])


def test_the_step_is_the_greatest_common_divisor_or_the_given_one(phase):
    assert (phase.predict([120, 240, 120], 2) == phase.predict([120, 240, 120], 2, step=120)).all()
    assert (phase.predict([120, 240, 120], 2) != phase.predict([120, 240, 120], 2, step=60)).any()
    assert phase.predict([[120, 240], [90, 30]], 2, step=[60, 15])[1] == pytest.approx(phase.predict([90, 30], 2, 15))
    assert [len(song) for song in phase.predict([[0, 0], [0, 1, 1], [61]], 2)] == [2, 3, 1]


def test_sung_durations_are_no_input(phase):
    """Given by mistake, they would come back nearly as they are, with an error of almost 0."""
    for song in simulate_songs(4):
        quantized, sung = song["quantized_durations"], song["durations"]
        with pytest.raises(InputError, match="these look like sung durations"):
            phase.predict(sung, 2)
        for use in (phase.sample, lambda sung, singer: phase.quantiles(sung, [0.5], singer)):
            with pytest.raises(InputError, match="these look like sung durations"):
                use(sung, 2)
        assert np.isfinite(phase.log_likelihood(quantized, sung, 2))


def test_a_named_step_is_not_checked(phase):
    """A score of 1/32 notes and triplets at 480 ticks per beat, whose greatest common divisor is 20; and any other."""
    assert len(phase.predict([60, 160, 160, 160, 60], 2, step=60)) == 5
    assert (phase.predict([61, 0, 118.5], 2, step=60) == phase.predict([[61, 0, 118.5]], 2, step=[60])[0]).all()


def test_singers_and_mixtures(phase, bigru):
    for predictor in (phase, bigru):
        alone = predictor.predict(SONG, 7)
        assert predictor.predict(SONG, 2) != pytest.approx(alone)
        assert (predictor.predict(SONG, {7: 0.5}) == alone).all()
        assert predictor.predict(SONG, {2: 0, 7: 3}) == pytest.approx(alone, abs=1e-3)
        half = predictor.predict(SONG, {2: 0.5, 7: 0.5})
        assert half == pytest.approx(predictor.predict(SONG, {2: 2, 7: 2}), abs=1e-3)
        assert half != pytest.approx(alone)
        # The mean of two rows, made by hand.
        other = deepcopy(predictor.network)
        other.singer_embedding.weight[0] = other.singer_embedding.weight[:2].mean(0)
        assert half == pytest.approx(Predictor(other, SINGERS).predict(SONG, 2), abs=1e-3)


def test_an_anonymous_model_makes_no_difference_between_singers():
    predictor = Predictor(network(), SINGERS, anonymous=True)
    first = predictor.predict(SONG, 2)
    assert (first == Predictor(network(), SINGERS).predict(SONG, 2)).all()
    for singer in (7, {2: 0.5, 16: 0.5}, None):
        assert (predictor.predict(SONG, singer) == first).all()
    with pytest.raises(InputError, match="Singer 3 is not known"):
        predictor.predict(SONG, 3)


def test_samples_follow_from_their_seed(phase):
    sampled = phase.sample(SONG, 2, seed=1)
    assert (phase.sample(SONG, 2, seed=1) == sampled).all()
    assert (phase.sample(SONG, 2, seed=2) != sampled).any()
    assert (phase.sample([SONG, SONG], 2, seed=1)[0] == sampled).all()
    assert (phase.sample(SONG, {2: 0.5, 7: 0.5}, seed=1) != sampled).any()
    assert sampled.min() >= 0


def test_samples_are_spread_as_the_quantiles_say():
    # Spread over many bins, as within a bin samples and quantiles differ.
    phase = Predictor(network(std=0.02), SINGERS)
    sampled = np.stack([phase.sample(SONG, 2, seed=seed) for seed in range(200)])
    low, middle, high = phase.quantiles(SONG, [0.1, 0.5, 0.9], 2).T
    assert (low <= middle).all()
    assert (middle <= high).all()
    notes = np.array(SONG) > 0  # of the others, much of the probability is at 0 itself
    assert (sampled < low)[:, notes].mean(axis=0) == pytest.approx(0.1, abs=0.07)
    assert (sampled <= high)[:, notes].mean(axis=0) == pytest.approx(0.9, abs=0.07)
    cold = np.stack([phase.sample(SONG, 2, seed=seed, temperature=0.01) for seed in range(20)])
    assert cold.std(axis=0).mean() < sampled.std(axis=0).mean()


def test_quantiles_end_where_the_histogram_ends(phase):
    low, high = phase.quantiles(SONG, [0, 1], 2).T
    assert (low >= 0).all()
    assert (high <= np.array(SONG) + 60).all()
    assert (low < high).all()


@pytest.mark.parametrize("use", [Predictor.predict, lambda *given: Predictor.sample(*given, seed=3)])
def test_no_onset_is_further_than_half_a_step_from_the_scores(phase, rng, use):
    song = 60 * rng.integers(0, 9, size=3000)
    away = np.cumsum(use(phase, song, 7) - song)
    assert np.abs(away).max() <= 30
    assert np.abs(away).mean() > 1


def test_likelihood_is_the_networks(phase):
    sung = np.array([63, 4, 113, 65, 236, 9, 57, 2, 485])
    assert quantize(sung, 60).tolist() == SONG
    of_song = phase.log_likelihood(SONG, sung, 2)
    expected = phase.network.log_likelihood(inputs(SONG), torch.tensor(sung[None]).float())
    assert of_song == pytest.approx(expected.item())
    assert phase.log_likelihood([SONG, SONG], [sung, sung], 2) == pytest.approx([expected.item()] * 2)
    assert phase.log_likelihood(SONG, sung + 60, 2) == -np.inf
    with pytest.raises(InputError, match=r"sung: has songs of \[2\] notes where quantized has \[9\]"):
        phase.log_likelihood(SONG, [1, 2], 2)


def test_rests_are_guessed_or_given(phase, bigru):
    rest = guess_rests(np.array(SONG) / 60)
    assert 0 < rest.sum() < len(SONG)
    for use in (phase.predict, lambda song, **known: phase.quantiles(song, [0.9], **known)):
        assert (use(SONG, rest=rest) == use(SONG)).all()
        assert (use(SONG, rest=~rest) != use(SONG)).any()
        one, other = use([SONG, SONG[:3]], rest=[(~rest).tolist(), rest[:3].tolist()])
        assert (one == use(SONG, rest=~rest)).all()
        assert (other == use(SONG[:3], rest=rest[:3])).all()
    assert (bigru.predict(SONG, 2, rest=~rest) == bigru.predict(SONG, 2)).all()
    for wrong, message in (
        (rest[:3], "give a truth value for each duration"),
        ([rest, rest], "give a truth value for each duration"),
        (2 * rest, "true for rests and false for notes"),
    ):
        with pytest.raises(InputError, match=message):
            phase.predict(SONG, rest=wrong)


def test_nobody_in_particular_has_the_style_0(phase, bigru):
    nobody = phase.network(inputs(SONG, style=torch.zeros(1, FEATURES)))
    assert phase.predict(SONG) == pytest.approx(nobody[0].numpy())
    assert phase.predict(SONG) != pytest.approx(phase.predict(SONG, 2))
    with pytest.raises(InputError, match="BiGRU knows singers by what it has learned of each alone; give one of 2, 7"):
        bigru.predict(SONG)


@pytest.mark.parametrize("song", [[60], [1, 1, 1, 1], [0, 0]])
def test_the_shortest_songs(phase, song):
    found = phase.predict(song, 2)
    assert found.shape == (len(song),)
    assert (found >= 0).all()
    assert np.isfinite(phase.log_likelihood(song, song))


def test_threads_give_the_same_numbers(phase, rng):
    songs = [60 * rng.integers(0, 9, size=30) for _ in range(20)]
    singers = [2, {2: 0.3, 7: 0.7}, 16, {7: 0.5, 16: 0.5}] * 5

    def both(song, singer):
        return np.stack([phase.predict(song, singer), phase.sample(song, singer, seed=3)])

    expected = list(map(both, songs, singers))
    with ThreadPoolExecutor(8) as pool:
        for found, wanted in zip(pool.map(both, songs, singers), expected, strict=True):
            assert (found == wanted).all()


def test_it_keeps_a_copy_of_the_network():
    mine = network()
    predictor = Predictor(mine, SINGERS)
    before = predictor.predict(SONG, 2)
    assert mine.training
    torch.nn.init.zeros_(mine.out.weight)
    assert (predictor.predict(SONG, 2) == before).all()


@pytest.mark.parametrize(
    ("quantized", "singer", "options", "message"),
    [
        (SONG, 3, {}, "Singer 3 is not known; known are 2, 7, 16"),
        (SONG, {2: 0.5, 99: 0.5}, {}, "Singer 99 is not known"),
        (SONG, "Kim", {}, "Singer 'Kim' is not known; known are 2, 7, 16"),
        (SONG, "", {}, "a singer's name is empty"),
        (SONG, {2: 0.5, "2": 0.5}, {}, "A singer has two weights"),
        (SONG, [2], {}, "give a singer's number"),
        (SONG, {}, {}, "at least one of them above 0"),
        (SONG, {2: 0}, {}, "at least one of them above 0"),
        (SONG, {2: -1, 7: 2}, {}, "weights of 0 or more"),
        (SONG, {2: float("nan")}, {}, "weights of 0 or more"),
        ([], 2, {}, "quantized: is empty"),
        ([SONG, []], 2, {}, "song 1: is empty"),
        ([60, -60], 2, {}, "note 1 is -60, and must be from 0"),
        ([60, float("nan")], 2, {}, "note 1 is nan"),
        ([SONG, [60, float("inf")]], 2, {}, "song 1: note 1 is inf"),
        ([LONGEST + 1], 2, {}, "must be from 0 to 16777216 ticks"),
        ([60, [60]], 2, {}, "must be a flat list of numbers"),
        ([[60], 60], 2, {}, "song 1: must be a flat list"),
        ([[[60]]], 2, {}, "song 0: must be a flat list"),
        (["a"], 2, {}, "must be a flat list of numbers"),
        (60, 2, {}, "must be a list or an array of ticks, not int"),
        ([60.5], 2, {}, "quantized: these look like sung durations, as they lie on no grid; quantize them first"),
        ([[60, 120], [61, 0, 118]], 2, {}, "quantized: song 1: these look like sung durations"),
        ([61, 0, 118], 2, {}, "(tdp.quantize), or give the step of their grid."),
        (SONG, 2, {"step": 0}, "give ticks above 0"),
        (SONG, 2, {"step": float("nan")}, "give ticks above 0"),
        (SONG, 2, {"step": [60, 60]}, "a number for all songs or one for each"),
    ],
)
def test_what_is_refused(phase, quantized, singer, options, message):
    with pytest.raises(InputError) as error:
        phase.predict(quantized, singer, **options)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda p: p.sample(SONG, 2, temperature=0), "temperature=0: give a number above 0"),
        (lambda p: p.sample(SONG, 2, temperature=float("nan")), "give a number above 0"),
        (lambda p: p.sample(SONG, 2, seed=-1), "seed=-1: give a whole number"),
        (lambda p: p.quantiles(SONG, [0.5, 1.5], 2), "give numbers from 0 to 1"),
    ],
)
def test_what_cannot_be_sampled(phase, use, message):
    with pytest.raises(InputError, match=message):
        use(phase)


@pytest.mark.parametrize(
    "use",
    [
        lambda p: p.sample(SONG, 2),
        lambda p: p.quantiles(SONG, [0.5], 2),
        lambda p: p.log_likelihood(SONG, SONG, 2),
    ],
)
def test_a_network_without_a_distribution_only_predicts(bigru, use):
    assert not bigru.has_distribution
    with pytest.raises(InputError, match="network BiGRU has no distribution, only predict"):
        use(bigru)


def test_places_without_a_model(tmp_path):
    with pytest.raises(InputError, match="is no model: give a run's folder"):
        Predictor.load(tmp_path)
    with pytest.raises(InputError, match="is no model"):
        Predictor.load(tmp_path / "nowhere")
    damaged = tmp_path / "damaged.ckpt"
    for content in (b"", b"not a checkpoint"):
        damaged.write_bytes(content)
        with pytest.raises(InputError, match=r"damaged\.ckpt cannot be read as a checkpoint"):
            Predictor.load(damaged)
    torch.save({"state_dict": {}}, damaged)
    with pytest.raises(InputError, match=r"damaged\.ckpt cannot be read as a checkpoint"):
        Predictor.load(damaged)


def test_devices_that_are_not_there():
    for device in ("nonsense", "cuda:99", "meta"):
        with pytest.raises(InputError, match=f"device={device}(: no such device| cannot be used)"):
            Predictor(network(), SINGERS, device=device)
