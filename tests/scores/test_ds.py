"""DiffSinger's files, made after its own reader's rules."""

import json

import numpy as np
import pytest

from toy_duration_predictor.errors import InputError
from toy_duration_predictor.scores.ds import open_ds

FIRST = {
    "offset": 7.0,
    "text": "AP 试 着 SP",
    "lang": "zh",
    "ph_seq": "AP sh ir zh e SP",
    "ph_dur": "0.4 0.1 0.45 0.05 0.8 0.2",
    "ph_num": "2 2 1 1",
    "note_seq": "rest D#3 C4 D4 rest",
    "note_dur": "0.5 0.5 0.5 0.3 0.2",
    "note_slur": "0 0 0 1 0",
    "word_dur": "0.5 0.5 0.8 0.2",
    "f0_seq": " ".join(f"{100 + i}.5" for i in range(20)),
    "f0_timestep": "0.1",
    "energy": " ".join(map(str, range(40))),
    "energy_timestep": 0.05,
    "spk_mix": {"a": "0.5", "b": "0.5"},
    "spk_mix_timestep": "0.1",
    "seed": 3,
}
SECOND = {
    "offset": 12.5,
    "ph_seq": "a",
    "ph_dur": "",
    "f0_seq": "",
    "f0_timestep": "",
    "note_seq": "C4",
    "note_dur": "1",
    "note_slur": "0",
}
SILENT = {"offset": 20.0, "note_seq": "rest", "note_dur": "3"}
BEAT = 960_000


def content(*segments):
    return json.dumps(segments, ensure_ascii=False, indent=2).encode()


def numbers(text):
    return np.array(text.split(), dtype=float)


def open_and_move(*shifts):
    """Moves the points in time of the first segment, seconds at 120 beats a minute."""
    scores, write, _ = open_ds(content(FIRST, SECOND, SILENT), 120)
    times = [scores[0].times + np.rint(np.array(shifts) * 2 * BEAT).astype(int), scores[1].times]
    return json.loads(write(times))


def test_segments_are_voices():
    scores = open_ds(content(FIRST, SECOND, SILENT), 120).scores
    assert len(scores) == 2
    assert (scores[0].times / BEAT).tolist() == [1, 2, 2, 3, 3, 3.6]
    assert (scores[1].times / BEAT).tolist() == [0, 2]
    assert scores[0].latest == 4 * BEAT - 0.04 * BEAT  # two hundredths of a second are left to the rest at the end


def test_what_was_not_moved_stays():
    assert open_and_move(0, 0, 0, 0, 0, 0) == [FIRST, SECOND, SILENT]


def test_durations_of_notes_words_and_phonemes_agree():
    first, *others = open_and_move(0, -0.02, 0.1, 0.1, 0.06, 0.08)
    assert others == [SECOND, SILENT]
    assert numbers(first["note_dur"]) == pytest.approx([0.5, 0.6, 0.46, 0.32, 0.12])
    words = np.add.reduceat(numbers(first["note_dur"]), [0, 1, 2, 4])
    assert numbers(first["word_dur"]) == pytest.approx(words)
    phonemes = np.add.reduceat(numbers(first["ph_dur"]), np.cumsum([0, 2, 2, 1]))
    assert phonemes == pytest.approx(words)
    # Within a note, phonemes keep their shares.
    assert numbers(first["ph_dur"])[2:4] == pytest.approx([0.54, 0.06])


def test_phonemes_may_last_longer_than_their_notes():
    longer = FIRST | {"ph_dur": "0.4 0.1 0.45 0.05 0.8 0.5"}
    scores, write, _ = open_ds(content(longer), 120)
    written = json.loads(write([scores[0].times + np.array([0, 0, 0, 0, 0, BEAT // 5])]))[0]
    assert numbers(written["ph_dur"]) == pytest.approx([0.4, 0.1, 0.45, 0.05, 0.9, 0.4])


def test_curves_go_with_their_notes():
    first = open_and_move(0, 0, 0.1, 0.1, 0.1, 0.1)[0]
    curve = numbers(first["f0_seq"])
    assert len(curve) == 20
    onsets_before, onsets = np.array([0.5, 1.0, 1.5]), np.array([0.5, 1.1, 1.6])
    assert curve[np.rint(onsets * 10).astype(int)].tolist() == (100.5 + np.rint(onsets_before * 10)).tolist()
    assert set(curve) <= set(numbers(FIRST["f0_seq"]))
    assert len(first["energy"].split()) == 40
    assert first["energy"] != FIRST["energy"]


def test_a_longer_segment_has_longer_curves():
    alone = FIRST | {"note_seq": "rest D#3 C4 D4", "note_dur": "0.5 0.5 0.5 0.5"}
    scores, write, _ = open_ds(content(alone), 120)
    moved = scores[0].times + np.array([0, 0, 0, 0, 0, BEAT])
    written = json.loads(write([moved]))[0]
    assert numbers(written["note_dur"]) == pytest.approx([0.5, 0.5, 0.5, 1.0])
    assert len(written["f0_seq"].split()) == 25
    assert numbers(written["ph_dur"]).sum() == pytest.approx(2.5)


def test_everything_else_stays():
    first = open_and_move(0, -0.02, 0.1, 0.1, 0.06, 0.08)[0]
    moved = {"note_dur", "ph_dur", "word_dur", "f0_seq", "energy"}
    assert list(first) == list(FIRST)
    assert {key: value for key, value in first.items() if key not in moved} == {
        key: value for key, value in FIRST.items() if key not in moved
    }


@pytest.mark.parametrize("tempo", [0, 5000, float("nan")])
def test_a_tempo_that_is_none(tempo):
    with pytest.raises(InputError, match="is none; give beats a minute from 10 to 1000"):
        open_ds(content(FIRST), tempo)


def even(*seconds):
    return {"note_seq": " ".join(["C4"] * len(seconds)), "note_dur": " ".join(map(str, seconds))}


@pytest.mark.parametrize(
    ("seconds", "tempo"),
    [
        ([0.25] * 7, 120),
        ([0.5, 0.25, 0.25, 1, 0.75, 0.25, 2], 120),
        ([0.429, 0.214, 0.214, 0.857, 0.429, 0.107, 0.107], 140),
        ([0.6897, 0.3448, 0.3448, 0.6897, 0.3448, 0.3448, 1.3793], 87),
        ([0.4898, 0.2449, 0.2449, 0.4898, 0.2449, 0.2449, 0.9796], 122.5),
    ],
)
def test_the_tempo_is_guessed_where_it_is_clear(seconds, tempo):
    opened = open_ds(content(even(*seconds)), None)
    assert opened.remarks == (
        f"its notes are at {tempo} beats a minute, by their durations; --tempo says another tempo",
    )
    assert opened.scores[0].times[-1] == pytest.approx(sum(seconds) * tempo / 60 * BEAT, rel=1e-6)
    assert open_ds(content(even(*seconds)), 99).remarks == ()


@pytest.mark.parametrize(
    "seconds",
    [
        [0.5] * 5,  # too few
        [0.513, 0.262, 0.241, 0.977, 0.749, 0.258, 0.533, 0.481],  # as sung
        [1 / 3, 1 / 3, 1 / 3, 0.5, 0.5, 1 / 6, 1 / 6, 1 / 6, 0.5, 0.25, 0.25, 1 / 3, 1.5],  # triplets beside others
    ],
)
def test_a_tempo_that_is_not_clear_is_asked_for(seconds):
    with pytest.raises(InputError, match="its tempo does not follow from its notes; give it by --tempo"):
        open_ds(content(even(*seconds)), None)


def test_one_segment_comes_back_as_one():
    scores, write, _ = open_ds(json.dumps(FIRST).encode(), 120)
    assert len(scores) == 1
    assert json.loads(write([scores[0].times])) == FIRST
    moved = scores[0].times + np.array([0, 0, 0, 0, BEAT // 5, BEAT // 5])
    assert json.loads(write([moved])) == open_and_move(0, 0, 0, 0, 0.1, 0.1)[0]


def test_curves_of_a_speaker_mix_go_with_their_notes():
    curves = {"a": " ".join(map(str, range(40))), "b": "0.5", "c": " ".join(map(str, range(40, 0, -1)))}
    segment = FIRST | {"spk_mix": curves, "spk_mix_timestep": "0.05"}
    scores, write, _ = open_ds(content(segment), 120)
    moved = scores[0].times + np.array([0, -BEAT // 25, BEAT // 5, BEAT // 5, BEAT // 5, BEAT // 5])
    written = json.loads(write([moved]))[0]
    assert written["spk_mix"]["a"] == written["energy"] != segment["energy"]
    assert written["spk_mix"]["b"] == "0.5"
    assert (numbers(written["spk_mix"]["a"]) + numbers(written["spk_mix"]["c"]) == 40).all()
    assert written["spk_mix_timestep"] == "0.05"


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (b"{", "it is no JSON"),
        (b"{}", "segment 0 has no note_dur"),
        (b"3", "it is no list of segments"),
        (b"[1]", "it is no list of segments"),
        (b"[]", "it has no notes"),
        (content(SILENT), "it has no notes"),
        (content({"ph_seq": "a", "ph_dur": "1"}), "segment 0 has no note_dur"),
        (content(SECOND, SECOND | {"note_seq": "C4 D4"}), "segment 1 has 2 notes in note_seq and 1 in note_dur"),
        (content(SECOND | {"note_dur": "x"}), "segment 0: its note_dur are not all numbers"),
        (content(SECOND | {"note_dur": "-1"}), "segment 0: its note_dur are not all from 0"),
        (content(SECOND | {"note_dur": "inf"}), "segment 0: its note_dur are not all from 0"),
        (content(SECOND | {"note_dur": "0"}), "row 0 is a note of no length"),
    ],
)
def test_files_that_cannot_be_used(file, reason):
    with pytest.raises(InputError) as error:
        open_ds(file, 120)
    assert reason in str(error.value)
