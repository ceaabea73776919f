import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import torch
from hypothesis import given

from toy_duration_predictor.data.notes import Notes

TABLES = st.lists(st.lists(st.lists(st.integers(0, 2**24), min_size=1, max_size=5), max_size=4), min_size=1, max_size=4)


def column(parts):
    return pa.chunked_array([pa.array(part, pa.list_(pa.int32())) for part in parts], pa.list_(pa.int32()))


@given(TABLES.filter(any))
def test_songs_are_those_of_the_column_however_it_is_cut(parts):
    songs = [song for part in parts for song in part]
    notes = Notes(column(parts))
    assert notes.offsets.tolist() == [0, *np.cumsum([len(song) for song in songs])]
    assert [song.tolist() for song in notes.songs(np.arange(len(songs)))] == songs


def test_a_slice_of_a_column():
    notes = Notes(column([[[1, 2], [3]], [[4, 5, 6], [7]]]).slice(1, 2))
    assert [song.tolist() for song in notes.songs(np.array([1, 0]))] == [[4, 5, 6], [3]]


def test_windows_are_within_songs_and_0_after_their_notes():
    notes = Notes(column([[[1, 2, 3]], [[4, 5, 6, 7], [8]]]))
    first, length = torch.tensor([1, 3, 4, 7]), torch.tensor([2, 3, 1, 1])
    assert notes.windows(first, length, 3).tolist() == [[2, 3, 0], [4, 5, 6], [5, 0, 0], [8, 0, 0]]


def test_notes_are_not_copied():
    lists = column([[[1, 2, 3]], [[4, 5]]])
    for chunk, notes in zip(lists.chunks, Notes(lists).chunks, strict=True):
        assert chunk.values.buffers()[1].address == notes.ctypes.data
