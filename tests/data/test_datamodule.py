import numpy as np
import pytest
import torch
from datasets import Dataset

from tests.conftest import flat
from toy_duration_predictor.data.batches import OF_ROWS, Songs, whole_songs
from toy_duration_predictor.data.datamodule import SongsDataModule
from toy_duration_predictor.data.origin import declare
from toy_duration_predictor.data.quantize import carried, grid_step, quantize
from toy_duration_predictor.data.simulate import simulate_songs
from toy_duration_predictor.data.style import FEATURES
from toy_duration_predictor.data.windows import ShuffledBatches, Windows
from toy_duration_predictor.errors import InputError

PER_NOTE = ("durations", "quantized_durations", "pitch")
SIDES = ("train", "val", "test")


@pytest.fixture
def data(songs):
    return SongsDataModule(songs, split="published", window=16, batch_size=4, move_windows=False)


def loaders(data):
    return {"train": data.train_dataloader(), "val": data.val_dataloader(), "test": data.test_dataloader()}


def notes_by_row(loader, field):
    """The unpadded notes of each row, in the order of its windows."""
    rows = {}
    for batch in loader:
        for i, row in enumerate(batch.row.tolist()):
            rows.setdefault(row, []).append(getattr(batch, field)[i][batch.mask[i]].numpy())
    return {row: np.concatenate(parts) for row, parts in rows.items()}


def test_validation_and_test_windows_put_together_are_the_songs(songs, data):
    for side in ("val", "test"):
        loader = loaders(data)[side]
        for field, column in (("quantized", "quantized_durations"), ("sung", "durations")):
            notes = notes_by_row(loader, field)
            assert sorted(notes) == sorted(getattr(data.split, side))
            for row, values in notes.items():
                assert values.tolist() == songs[row][column]


def test_training_windows_cover_each_note_once(songs, data):
    seen = flat(notes_by_row(data.train_dataloader(), "sung").values())
    assert sorted(seen) == sorted(flat(songs.select(data.split.train)["durations"]))


def test_padding_is_0_and_after_the_notes(data):
    for loader in loaders(data).values():
        for batch in loader:
            assert not batch.quantized[~batch.mask].any()
            assert not batch.sung[~batch.mask].any()
            assert batch.mask[:, 0].all()
            assert not (batch.mask[:, 1:] & ~batch.mask[:, :-1]).any()


def test_singers_are_indexed_in_sorted_order_of_the_whole_table(songs, data):
    assert data.singers == [3, 5, 8, 13]
    for loader in loaders(data).values():
        for batch in loader:
            ids = [data.singers[i] for i in batch.singer]
            assert ids == [songs[row]["singer_id"] for row in batch.row.tolist()]


def test_statistics_are_those_of_the_training_rows(songs, data):
    clamped = np.clip(flat(songs.select(data.split.train)["durations"]), 0, 1000)
    assert data.statistics["target_mean"] == pytest.approx(clamped.mean(), rel=1e-12)
    assert data.statistics["target_std"] == pytest.approx(clamped.std(ddof=1), rel=1e-12)


def test_the_grid_step_is_known_where_a_resolution_is(songs, data):
    assert data.statistics["step_beats"] == 15 / 120
    at_480 = songs.map(lambda song, i: {"ticks_per_beat": 480 if i % 3 else None}, with_indices=True)
    assert SongsDataModule(at_480, split="published", window=16).statistics["step_beats"] == 15 / 480
    unknown = songs.remove_columns("ticks_per_beat")
    assert "step_beats" not in SongsDataModule(unknown, split="published", window=16).statistics


def test_statistics_do_not_see_the_other_rows(songs, data):
    def spoil(row, i):
        return row if i in set(data.split.train) else {**row, "durations": [900] * len(row["durations"])}

    spoilt = SongsDataModule(songs.map(spoil, with_indices=True), split="published", window=16)
    # Where durations come from is asked of the whole table.
    assert {**spoilt.statistics, "carried": 0} == {**data.statistics, "carried": 0}


def test_pairings_differ_in_the_training_input_alone(songs):
    a, b = (
        SongsDataModule(songs, split="published", window=16, batch_size=4, pairing=pairing)
        for pairing in ("sung", "quantized")
    )
    for side in SIDES:
        for of_a, of_b in zip(loaders(a)[side], loaders(b)[side], strict=True):
            for field in set(OF_ROWS) - {"quantized", "start"}:
                torch.testing.assert_close(getattr(of_a, field), getattr(of_b, field), equal_nan=True)
            assert torch.equal(of_a.quantized, of_b.quantized if side == "test" else of_a.sung)
    assert a.statistics == b.statistics


def test_the_order_follows_from_seed_and_epoch(songs):
    def order(seed, epoch):
        loader = SongsDataModule(songs, window=16, batch_size=4, seed=seed).train_dataloader()
        loader.sampler.set_epoch(epoch)
        return torch.cat([batch.sung for batch in loader])

    assert torch.equal(order(1, 2), order(1, 2))
    assert not torch.equal(order(1, 2), order(1, 3))
    assert not torch.equal(order(1, 2), order(2, 2))


def test_moved_windows_stay_within_their_song(songs):
    data = SongsDataModule(songs, window=16, batch_size=4, move_windows=True)
    loader = data.train_dataloader()
    starts = set()
    for epoch in range(20):
        loader.sampler.set_epoch(epoch)
        for batch in loader:
            for row, sung, mask in zip(batch.row.tolist(), batch.sung, batch.mask, strict=True):
                song = songs[row]["durations"]
                assert mask.sum() == min(16, len(song))
                window = sung[mask].long().tolist()
                places = [i for i in range(len(song)) if song[i : i + len(window)] == window]
                assert places
                starts |= {(row, place) for place in places}
    first = {place for row, place in starts if len(songs[row]["durations"]) > 40}
    assert min(first) == 0
    assert len(first) > 20


def test_windows_are_quantized_anew_in_each_epoch():
    table = simulate_songs(songs=20)
    data = SongsDataModule(table, loss="likelihood", window=64, batch_size=4, requantize=True)
    loader, plain = data.train_dataloader(), data.val_dataloader()
    seen = []
    for epoch in (0, 1):
        loader.sampler.set_epoch(epoch)
        for batch in loader:
            late = ((batch.sung - batch.quantized) * batch.mask).cumsum(1) + batch.start[:, None]
            # Onsets are never further than half a step from their lines, wherever the first one was.
            assert ((2 * late.abs() <= batch.step[:, None]) | ~batch.mask).all()
            assert torch.equal((batch.quantized / batch.step[:, None]).frac(), torch.zeros_like(batch.quantized))
            assert torch.equal(batch.sung, batch.sung.round())
            assert torch.equal(batch.start, batch.start.round())
        seen.append(batch.quantized.sum())
    assert seen[0] != seen[1]
    loader.sampler.set_epoch(0)
    again = list(loader)[-1]
    assert again.quantized.sum() == seen[0]
    for batch in plain:
        assert not batch.start.any()
        for row, quantized, mask in zip(batch.row.tolist(), batch.quantized, batch.mask, strict=True):
            assert quantized[mask].tolist() == table[row]["quantized_durations"]


def test_scores_are_known_by_their_songs_and_windows_know_how_late_they_begin(caplog):
    table = simulate_songs(songs=20, against="score")
    with caplog.at_level("INFO"):
        data = SongsDataModule(table, loss="likelihood", window=64, batch_size=4, requantize=True)
    assert "Most training songs (16 of 16) are not quantized with their error carried forward" in caplog.text
    assert data.statistics["scores"] == 1
    loader = data.train_dataloader()
    loader.sampler.set_epoch(0)
    late = 0
    for batch in loader:
        assert batch.style is not None
        for row, start, *windows in zip(
            batch.row.tolist(), batch.start.tolist(), batch.sung, batch.quantized, batch.mask, strict=True
        ):
            sung, score = (np.array(table[row][name]) for name in ("durations", "quantized_durations"))
            own, given = (window[windows[2]].numpy() for window in windows[:2])
            places = [i for i in range(len(sung)) if np.array_equal(sung[i : i + len(own)], own)]
            [place] = [i for i in places if np.array_equal(score[i : i + len(own)], given)]
            assert start == sung[:place].sum() - score[:place].sum()
            late += start != 0
    assert late > 5


def test_few_songs_that_no_quantizer_made_do_not_make_scores_of_the_others():
    table = simulate_songs(songs=20)
    other = simulate_songs(songs=20, against="score")
    mixed = [(other if row < 7 else table)[row] for row in range(20)]
    data = SongsDataModule(Dataset.from_list(mixed), split="published", loss="likelihood", window=64)
    assert data.statistics["scores"] == 0
    assert not set(data.train_windows.row.tolist()) & set(range(7))


def as_published(table):
    """The same songs with carried values in place of the sung durations."""
    steps = [grid_step(np.array(quantized)) for quantized in table["quantized_durations"]]
    stored = [carried(np.array(song), step) for song, step in zip(table["durations"], steps, strict=True)]
    return table.remove_columns("durations").add_column("durations", stored)


def test_carried_values_are_recovered_for_training():
    table = simulate_songs(songs=20)
    data = SongsDataModule(as_published(table), loss="likelihood", window=1000, requantize=True, move_windows=False)
    assert data.songs.carried
    assert data.statistics["carried"] == 1
    recovered = data.train_windows.performed
    right = [recovered.song(row) == table[row]["durations"] for row in data.split.train]
    assert np.concatenate(right).mean() > 0.9
    for batch in data.train_dataloader():
        assert not batch.carried
    for batch in data.val_dataloader():
        assert batch.carried


def test_rows_that_are_undecided_are_not_trained_as_carried_until_it_is_said(caplog):
    table = as_published(simulate_songs(songs=20))
    row = int(SongsDataModule(table).split.train[0])
    short = table.map(lambda song, i: {n: song[n][:12] for n in PER_NOTE} if i == row else song, with_indices=True)
    with caplog.at_level("INFO"):
        data = SongsDataModule(short, loss="likelihood")
    assert data.songs.carried
    assert row not in data.train_windows.row
    assert "takes the durations as carried values" in caplog.text
    assert "carried values: 19; undecided (each rounded by itself, or carried values): 1" in caplog.text
    caplog.clear()
    declare(short, "carried")
    with caplog.at_level("INFO"):
        assert row in SongsDataModule(short, loss="likelihood").train_windows.row
    assert "data.durations" not in caplog.text


def test_durations_rounded_one_by_one_are_taken_as_sung(caplog):
    table = simulate_songs(songs=20)
    steps = [grid_step(np.array(song)) for song in table["quantized_durations"]]
    sung = [np.array(song) for song in table["durations"]]
    rounded = [quantize(song, step, forward_error=False) for song, step in zip(sung, steps, strict=True)]
    table = table.remove_columns("quantized_durations").add_column("quantized_durations", rounded)
    with caplog.at_level("INFO"):
        data = SongsDataModule(table)
    assert not data.songs.carried
    assert data.statistics["carried"] == 0
    assert "takes the durations as sung. Rows by what they hold: sung, and each rounded by itself: 20." in caplog.text
    declare(table, "carried")
    with pytest.raises(InputError, match=r"said to be carried values.* 20 of 20 rows cannot be, .* row 0"):
        SongsDataModule(table)


def test_songs_that_no_quantizer_could_have_made_are_named_and_left_out(caplog):
    table = simulate_songs(songs=20)
    train = int(SongsDataModule(table).split.train[3])
    spoilt = table.map(
        lambda row, i: {"durations": [d + 40 for d in row["durations"]] if i == train else row["durations"]},
        with_indices=True,
    )
    data = SongsDataModule(spoilt, loss="likelihood")
    assert (
        "Left out of training, as they are not known to have been quantized with their error carried forward: "
        f"rows [{train}]" in caplog.text
    )
    assert train not in data.train_windows.row.tolist()
    assert data.notes_train == sum(len(table[int(row)]["durations"]) for row in data.split.train if row != train)
    # Other networks learn from them, too.
    assert train in SongsDataModule(spoilt).train_windows.row.tolist()
    val = set(SongsDataModule(table).split.val.tolist())
    hopeless = table.map(
        lambda row, i: {"durations": [d + 40 for d in row["durations"]] if i in val else row["durations"]},
        with_indices=True,
    )
    with pytest.raises(InputError, match=r"No validation song is known to have been quantized .* model=bigru"):
        SongsDataModule(hopeless, loss="likelihood")


def test_rests_are_known_from_pitch_and_guessed_without(caplog):
    table = simulate_songs(songs=6)
    known, guessed = Songs(table, list(range(1, 19))), Songs(table.remove_columns("pitch"), list(range(1, 19)))
    for row in range(6):
        rest = np.array(table[row]["pitch"]) == 0
        assert (known.rest.song(row) == rest).all()
        assert (guessed.rest.song(row) == rest).mean() > 0.98
    assert known.rests_unclear() == guessed.rests_unclear() == []
    # Without short rests there is nothing to go by.
    legato = Dataset.from_dict(
        {"singer_id": [1] * 6, "durations": [[60] * 50] * 6, "quantized_durations": [[120, 180] * 25] * 6}
    )
    SongsDataModule(legato, split="published")
    assert "in rows [0, 1, 2, 3, 4, 5] the guess must fail" in caplog.text


def test_a_windows_style_never_comes_from_its_own_notes():
    table = simulate_songs(songs=36)
    data = SongsDataModule(table, loss="likelihood", window=64, batch_size=8)
    song = next(
        song
        for song in range(len(data.split.train))
        if (data.references.singer == data.references.singer[song]).sum() == 1
    )
    drawn = [data.references.draw(song, 0, np.random.default_rng(seed)) for seed in range(50)]
    assert not np.any(drawn)
    # What was sung before the window is another matter.
    assert any(data.references.draw(song, 64, np.random.default_rng(seed)).any() for seed in range(50))
    batch = next(iter(data.train_dataloader()))
    assert batch.style.shape == (8, FEATURES)
    assert SongsDataModule(table, loss="likelihood", anonymous=True).references is None
    assert next(iter(data.val_dataloader())).style is None


def test_batches_count_all_windows():
    batches = ShuffledBatches(windows=10, batch_size=4, seed=0, move=0)
    assert [len(batch.window) for batch in batches] == [4, 4, 2]
    assert len(batches) == 3
    assert sorted(np.concatenate([batch.window for batch in batches])) == list(range(10))


def test_a_singer_without_a_training_song_is_reported(songs, caplog):
    test_row = SongsDataModule(songs, split="published").split.test[0]
    lone = songs.map(lambda row, i: {"singer_id": 99 if i == test_row else row["singer_id"]}, with_indices=True)
    data = SongsDataModule(lone, split="published")
    assert data.unheard_singers == [99]
    assert "without a song in the training split: [99]" in caplog.text


def test_an_unknown_singer_is_refused(songs):
    with pytest.raises(InputError, match=r"Singers \[5, 13\] are not known; known are \[3, 8\]"):
        Songs(songs, [3, 8])


def test_unknown_resolutions_are_nan(songs):
    unknown = songs.map(lambda row, i: {"ticks_per_beat": None if i == 0 else 480}, with_indices=True)
    assert Songs(unknown, [3, 5, 8, 13]).ticks_per_beat.isnan().tolist() == [True] + [False] * 29
    assert Songs(songs.remove_columns("ticks_per_beat"), [3, 5, 8, 13]).ticks_per_beat.isnan().all()


@pytest.mark.parametrize("notes", [1, 15, 16, 17, 32])
def test_windows_at_the_edges(notes):
    table = Dataset.from_dict({"singer_id": [1], "durations": [[2] * notes], "quantized_durations": [[0] * notes]})
    windows = Windows(Songs(table, [1]), torch.tensor([0]), 16, "quantized")
    batch = windows[list(range(len(windows)))]
    assert len(windows) == -(-notes // 16)
    assert batch.mask.sum() == notes
    assert batch.sung.sum() == 2 * notes


def test_windows_put_together_are_whole_songs(songs):
    of_table = Songs(songs, [3, 5, 8, 13])
    rows = torch.tensor([4, 0, 7])
    windows = list(Windows(of_table, rows, 16).in_order(2))
    together, predicted = whole_songs(windows, [batch.quantized + 1 for batch in windows])
    (whole,) = Windows(of_table, rows, None).in_order(3)
    assert whole.mask.shape[1] % 128 == 0
    for i in range(3):
        for name in ("quantized", "sung", "rest"):
            ours, theirs = (getattr(batch, name)[i][batch.mask[i]] for batch in (together, whole))
            assert torch.equal(ours, theirs)
        assert torch.equal(predicted[i][together.mask[i]], whole.quantized[i][whole.mask[i]] + 1)
    for name in ("row", "singer", "step", "ticks_per_beat", "start"):
        assert torch.equal(getattr(together, name), getattr(whole, name))


def test_songs_without_any_length_are_refused():
    songs = Dataset.from_dict(
        {"singer_id": [1] * 10, "durations": [[0] * 5] * 10, "quantized_durations": [[60] * 5] * 10}
    )
    with pytest.raises(InputError, match="All sung durations of the training songs are 0 ticks"):
        SongsDataModule(songs, loss="mse")
