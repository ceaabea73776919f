from tests.demo.midi_files import midi
from toy_duration_predictor.demo.songs import read_song
from toy_duration_predictor.demo.uploads import MOST_FILES, keep


def sent(tmp_path, *uploads):
    """Writes uploads, each into a folder of its own as Gradio does, and returns their places."""
    places = []
    for number, (name, content) in enumerate(uploads):
        places.append(tmp_path / str(number) / name)
        places[-1].parent.mkdir()
        places[-1].write_bytes(content)
    return places


def test_good_files_are_kept_and_others_named(tmp_path):
    uploads = sent(tmp_path, ("good.mid", midi()), ("bad.mid", b"MThd"), ("가 #1 <b>.mid", midi(4)))
    kept = keep(uploads, read_song)
    assert list(kept.files) == ["good", "가 1 b"]
    assert kept.files["good"].read_bytes() == midi()
    [refused] = kept.refused
    assert refused.startswith("bad.mid cannot be used: ")
    assert all(place.exists() for place in uploads)  # another visitor may have sent the same


def test_names_stay_apart(tmp_path):
    uploads = sent(tmp_path, *(("a.mid", midi(number)) for number in (1, 2, 3)))
    kept = keep(uploads, read_song, taken=["a 2"])
    assert [(name, place.read_bytes()) for name, place in kept.files.items()] == [
        ("a", midi(1)),
        ("a 3", midi(2)),
        ("a 4", midi(3)),
    ]


def test_names_lead_nowhere(tmp_path):
    [place] = sent(tmp_path, ("...mid", midi()))
    kept = keep([place], read_song)
    assert list(kept.files) == ["song"]


def test_too_many_files_are_refused(tmp_path):
    uploads = sent(tmp_path, *((f"{number}.mid", midi()) for number in range(MOST_FILES + 1)))
    kept = keep(uploads, read_song)
    assert kept == ({}, [f"{MOST_FILES + 1} files are too many at once; give at most {MOST_FILES}."])


def test_a_file_that_did_not_arrive_is_named(tmp_path):
    assert keep([tmp_path / "lost.mid"], read_song).refused == ["lost.mid cannot be used: it did not arrive."]
