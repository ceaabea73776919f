import pytest

from tests.demo.midi_files import midi
from toy_duration_predictor.demo.songs import read_song
from toy_duration_predictor.demo.uploads import MOST_FILES, keep


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "visit"
    made.mkdir()
    return made


def sent(tmp_path, *uploads):
    """Writes uploads, each into a folder of its own as Gradio does, and returns their places."""
    places = []
    for number, (name, content) in enumerate(uploads):
        places.append(tmp_path / str(number) / name)
        places[-1].parent.mkdir()
        places[-1].write_bytes(content)
    return places


def test_good_files_are_kept_and_others_named(tmp_path, folder):
    uploads = sent(tmp_path, ("good.mid", midi()), ("bad.mid", b"MThd"), ("가 #1 <b>.mid", midi(4)))
    kept = keep(uploads, folder, read_song)
    assert list(kept.files) == ["good", "가 1 b"]
    assert kept.files["good"].read_bytes() == midi()
    [refused] = kept.refused
    assert refused.startswith("bad.mid cannot be used: ")
    assert not any(place.exists() for place in uploads)
    assert all(place.parent == folder for place in kept.files.values())


def test_names_stay_apart(tmp_path, folder):
    uploads = sent(tmp_path, *(("a.mid", midi(number)) for number in (1, 2, 3)))
    kept = keep(uploads, folder, read_song, taken=["a 2"])
    assert [(name, place.read_bytes()) for name, place in kept.files.items()] == [
        ("a", midi(1)),
        ("a 3", midi(2)),
        ("a 4", midi(3)),
    ]


def test_names_lead_nowhere(tmp_path, folder):
    [place] = sent(tmp_path, ("...mid", midi()))
    kept = keep([place], folder, read_song)
    assert list(kept.files) == ["song"]


def test_too_many_files_are_refused_and_gone(tmp_path, folder):
    uploads = sent(tmp_path, *((f"{number}.mid", midi()) for number in range(MOST_FILES + 1)))
    kept = keep(uploads, folder, read_song)
    assert kept == ({}, [f"{MOST_FILES + 1} files are too many at once; give at most {MOST_FILES}."])
    assert not any(place.exists() for place in uploads)
    assert not list(folder.iterdir())


def test_a_file_that_did_not_arrive_is_named(tmp_path, folder):
    assert keep([tmp_path / "lost.mid"], folder, read_song).refused == ["lost.mid cannot be used: it did not arrive."]


def test_a_file_keeps_its_format(tmp_path, folder):
    uploads = sent(tmp_path, ("a.KAR", midi()), ("b.html", midi()))
    assert [place.name for place in keep(uploads, folder, read_song).files.values()] == ["a.kar", "b.mid"]
