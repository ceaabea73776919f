import numpy as np
import pytest
import torch
from datasets import Dataset

from tests.conftest import flat
from toy_duration_predictor.data.datamodule import SongsDataModule
from toy_duration_predictor.data.quantize import Origin, carried, grid_step, origin
from toy_duration_predictor.data.simulate import simulate_songs
from toy_duration_predictor.data.windows import ShuffledBatches, Songs, Windows
from toy_duration_predictor.errors import InputError

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


def test_statistics_do_not_see_the_other_rows(songs, data):
    def spoil(row, i):
        return row if i in set(data.split.train) else {**row, "durations": [900] * len(row["durations"])}

    spoilt = SongsDataModule(songs.map(spoil, with_indices=True), split="published", window=16)
    assert spoilt.statistics == data.statistics


def test_pairings_differ_in_the_training_input_alone(songs):
    a, b = (
        SongsDataModule(songs, split="published", window=16, batch_size=4, pairing=pairing)
        for pairing in ("sung", "quantized")
    )
    for side in SIDES:
        for of_a, of_b in zip(loaders(a)[side], loaders(b)[side], strict=True):
            for field in of_a._fields[1:]:
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
    data = SongsDataModule(table, window=64, batch_size=4, requantize="sung")
    assert data.requantize
    loader, plain = data.train_dataloader(), data.val_dataloader()
    seen = []
    for epoch in (0, 1):
        loader.sampler.set_epoch(epoch)
        for batch in loader:
            drift = ((batch.quantized - batch.sung) * batch.mask).cumsum(1) / batch.step[:, None]
            # Onsets are never further than half a step from their lines, wherever the first one was.
            assert (drift.amax(1) - drift.amin(1)).max() <= 1
            assert torch.equal((batch.quantized / batch.step[:, None]).frac(), torch.zeros_like(batch.quantized))
            assert torch.equal(batch.sung, batch.sung.round())
        seen.append(batch.quantized.sum())
    assert seen[0] != seen[1]
    loader.sampler.set_epoch(0)
    again = list(loader)[-1]
    assert again.quantized.sum() == seen[0]
    for batch in plain:
        for row, quantized, mask in zip(batch.row.tolist(), batch.quantized, batch.mask, strict=True):
            assert set(quantized[mask].tolist()) <= set(table[row]["quantized_durations"])


def test_only_sung_durations_are_quantized_anew(caplog):
    caplog.set_level("INFO")
    table = simulate_songs(songs=20)
    stored = [
        carried(np.array(song), grid_step(np.array(quantized)))
        for song, quantized in zip(table["durations"], table["quantized_durations"], strict=True)
    ]
    published = SongsDataModule(table.remove_columns("durations").add_column("durations", stored), requantize="sung")
    assert not published.requantize
    assert "nothing is quantized anew" in caplog.text
    assert published.statistics["carried"] == 1
    sung = SongsDataModule(table, requantize="sung")
    assert (sung.requantize, sung.statistics["carried"]) == (True, 0)
    assert not SongsDataModule(table, requantize="sung", pairing="sung").requantize


def test_carried_values_are_repaired_and_quantized_anew():
    table = simulate_songs(songs=20)
    steps = [grid_step(np.array(quantized)) for quantized in table["quantized_durations"]]
    stored = [carried(np.array(song), step) for song, step in zip(table["durations"], steps, strict=True)]
    published = table.remove_columns("durations").add_column("durations", stored)
    data = SongsDataModule(published, window=1000, requantize="repaired", move_windows=False)
    assert data.requantize
    recovered = data.train_windows.repaired
    right = [recovered.song(row) == table[row]["durations"] for row in data.split.train]
    assert np.concatenate(right).mean() > 0.9
    for row in set(range(20)) - set(data.split.train):
        assert recovered.song(row).tolist() == stored[row].tolist()
    for batch in data.train_dataloader():
        for row, quantized, sung, mask in zip(batch.row.tolist(), batch.quantized, batch.sung, batch.mask, strict=True):
            stored, on_grid = (part[mask].numpy().astype(np.int64) for part in (sung, quantized))
            assert origin(stored, on_grid) == Origin.QUANTIZER, row


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
