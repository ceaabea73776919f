import re
import zipfile
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from scipy.io import wavfile

from tests.conftest import cpu_seconds
from tests.demo.midi_files import midi, voice
from toy_duration_predictor.data.midi.smf import META, Tracks, parse, unparse
from toy_duration_predictor.demo.choices import LIKE
from toy_duration_predictor.demo.performance import MOST_BEATS, MOST_SECONDS, TAKES, draw
from toy_duration_predictor.demo.songs import read_song
from toy_duration_predictor.demo.studio import GONE, Studio, Upload, Wanted
from toy_duration_predictor.demo.voice import RATE
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.scores.perform import HumanizeSettings, Sings

PREDICTOR = Predictor.load("demo")
ONE = Wanted([3], {}, 1.0, 1.0, 0)
NOBODY = ONE._replace(singers=[])


@pytest.fixture
def studio(tmp_path):
    return Studio(PREDICTOR, tmp_path)


def show(studio, song="Ode to Joy", files=None, wanted=ONE, said=(), session="abc"):
    return studio.show(session, song, uploads(files or {}), wanted, said)[0]


def uploads(files, track=None):
    return {name: Upload(place, track) for name, place in files.items()}


def sounds(view):
    return [wavfile.read(unquote(address.partition("=")[2]))[1] for address in view["sounds"]]


def midis(view):
    places = re.findall(r'href="gradio_api/file=([^"]+\.mid)"', view["html"])
    return [voice(Path(unquote(place)).read_bytes()) for place in places]


def write(tmp_path, name, content):
    place = tmp_path / f"{name}.mid"
    place.write_bytes(content)
    return place


def test_singers_stand_below_each_other(studio):
    view = show(studio, wanted=ONE._replace(singers=[3, 1, 10]))
    assert view["html"].count('class="lane"') == 3
    for name in ("The score", "Singer 3", "Singer 1", "Singer 10"):
        assert name in view["html"]
    first, *others = sounds(view)
    assert len(others) == 3
    assert not any(np.array_equal(first, other) for other in others)
    score = voice(studio.examples["Ode to Joy"].read_bytes())
    for sung in midis(view):
        assert sung.lyric == score.lyric
        assert 0 < np.abs(sung.onset - score.onset).max() <= 31


def test_at_strength_0_everybody_sings_the_score(studio):
    view = show(studio, wanted=ONE._replace(strength=0, singers=[3, 1]))
    first, *others = sounds(view)
    assert all(np.array_equal(first, other) for other in others)
    assert view["html"].count("begins notes on time, sounds 100&nbsp;% of their written length") == 2


def test_a_seed_is_a_take(studio):
    takes = [sounds(show(studio, wanted=ONE._replace(seed=seed)))[1] for seed in (0, 1, 0)]
    assert np.array_equal(takes[0], takes[2])
    assert not np.array_equal(takes[0], takes[1])


def test_the_line_on_a_singer_does_not_change_with_the_take(studio):
    lines = {
        re.search("<b>Singer 3</b> ([^<]*)", show(studio, wanted=ONE._replace(seed=seed))["html"])[1] for seed in (0, 9)
    }
    assert len(lines) == 1
    assert f"in {TAKES} takes" in show(studio)["html"]


def test_figures_are_those_of_takes_drawn_one_by_one(studio):
    song = read_song(studio.examples["Ode to Joy"].read_bytes())
    settings = HumanizeSettings(temperature=1.0)
    found = draw(song, PREDICTOR, Sings(3), settings)
    late = []
    for seed in range(TAKES):
        view = show(studio, wanted=ONE._replace(seed=seed))
        late.append(song.midi.voice.seconds(midis(view)[0].onset) - song.midi.voice.seconds(song.midi.voice.onset))
    assert found.habits.late == pytest.approx(1000 * np.median(late), abs=1e-3)
    assert found.takes_apart == pytest.approx(1000 * np.median(np.abs(late[0] - late[1])), abs=1e-3)
    assert draw(song, PREDICTOR, Sings(3), HumanizeSettings()).takes == 1


def test_the_singer_of_recordings_stands_beside_the_others(studio, tmp_path):
    recordings = {"mine": write(tmp_path, "mine", midi(40, ticks=250)), "second": write(tmp_path, "second", midi(30))}
    view = show(studio, wanted=ONE._replace(singers=[LIKE, 3], recordings=recordings))
    assert "Like mine and 1 more" in view["html"]
    assert len(view["sounds"]) == 3


def test_singers_are_called_by_their_names(tmp_path):
    predictor = Predictor.load("demo")
    predictor.singer_names = {3: "<Kim>/A", 1: "KimA"}
    named = Studio(predictor, tmp_path)
    view = show(named, wanted=ONE._replace(singers=[3, 1, 7]))
    assert re.findall("<b>(.*?)</b>", view["html"]) == ["&lt;Kim&gt;/A", "KimA", "Singer 7"]
    downloads = re.findall(r'download="([^"]*)\.mid"', view["html"])
    assert downloads == [f"Ode to Joy - {each}" for each in ("KimA", "KimA 2", "Singer 7")]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"singers": []}, "Choose a singer"),
        ({"singers": [1, 2, 3, 4, 5]}, "up to 4"),
        ({"singers": [99]}, "not known"),
        ({"singers": [LIKE]}, "not known"),
        ({"strength": 9}, "strength=9"),
        ({"temperature": -1}, "temperature"),
    ],
)
def test_what_cannot_be_sung_says_why_and_leaves_nothing_to_hear(studio, changes, reason):
    view = show(studio, wanted=ONE._replace(**changes), said=["Before."])
    assert reason in view["html"]
    assert "Before." in view["html"]
    assert not view.keys() & {"sounds", "song"}


def test_after_a_refusal_there_is_nothing_but_the_reason(studio):
    view = show(studio, song=None, said=["bad.mid cannot be used: <i>."])
    assert view == {"html": '<div class="said" role="status"><p>bad.mid cannot be used: &lt;i&gt;.</p></div>'}


def test_files_that_are_gone_are_named(studio, tmp_path):
    assert GONE in show(studio, "mine", {"mine": tmp_path / "gone.mid"})["html"]
    gone = Upload(tmp_path / "gone.mid")
    assert studio.pack("abc", {"mine": gone}, ONE) == (None, [f"mine: {GONE}"])
    assert studio.choose(gone, "1") == gone._replace(track="1")


def test_a_long_song_says_where_it_is_cut(studio, tmp_path):
    long = {"long": write(tmp_path, "long", midi(1_300))}  # 325 seconds
    view = show(studio, "long", long)
    assert "The song lasts 5:25. Picture and sound end after 5:00; the MIDI files are whole." in view["html"]
    assert view["end"] == MOST_SECONDS
    assert len(midis(view)[0].onset) == 1_300
    assert "this song's first 1,000 notes in 3 takes" in view["html"]
    assert "The song lasts" not in show(studio)["html"]


def test_what_was_mended_is_said(studio, tmp_path):
    chord = unparse(
        Tracks(0, 480, [[(0, 0x90, 60, b"\1"), (0, 0x90, 64, b"\1"), (480, 0x80, 60, b"\0"), (480, 0x80, 64, b"\0")]])
    )
    assert "several notes begin at once (1 times)" in show(studio, "c", {"c": write(tmp_path, "c", chord)})["html"]


def test_the_track_that_is_chosen_is_sung(studio, tmp_path):
    """On the page as in the zip file, where each file has its own."""
    found = Upload(write(tmp_path, "two", midi(8, others=5)))
    chosen = studio.choose(found, "1")
    assert studio.choose(chosen, "0") == found  # no choice: the track that is found
    files = {"found": found, "chosen": chosen}
    views = {name: studio.show("abc", name, files, ONE, []) for name in files}
    assert [view["notes"] for view, _ in views.values()] == [8, 5]
    assert [song.midi.voice.taken.number for _, song in views.values()] == ["0", "1"]
    assert "8 lyrics): lyrics." in views["found"][0]["html"]
    assert "5 notes): asked for." in views["chosen"][0]["html"]
    place, _ = studio.pack("abc", files, ONE)
    with zipfile.ZipFile(place) as packed:
        for name, track in (("found", 0), ("chosen", 1)):
            sung, score = (parse(each).tracks for each in (packed.read(f"{name} - Singer 3.mid"), midi(8, others=5)))
            assert [one != other for one, other in zip(sung, score, strict=True)] == [track == 0, track == 1]


def test_a_song_whose_track_cannot_be_sung_can_have_another_one(studio, tmp_path):
    view, song = studio.show("abc", "two", uploads({"two": write(tmp_path, "two", midi(8, others=5))}), NOBODY, [])
    assert "Choose a singer" in view["html"]
    assert [each.number for each in song.voices] == ["0", "1"]


def test_all_files_are_packed(studio, tmp_path):
    files = {name: write(tmp_path, name, midi(notes)) for name, notes in (("a", 8), ("b", 9))}
    files["bad"] = write(tmp_path, "bad", b"MThd")
    files = uploads(files)
    place, said = studio.pack("abc", files, ONE._replace(singers=[3, 1]))
    with zipfile.ZipFile(place) as packed:
        assert packed.namelist() == [f"{song} - Singer {singer}.mid" for song in "ab" for singer in (3, 1)]
        assert packed.read("a - Singer 3.mid") != packed.read("a - Singer 1.mid")
        assert len(voice(packed.read("b - Singer 1.mid")).onset) == 9
    [refused] = said
    assert refused.startswith("bad: ")
    assert studio.pack("abc", files, NOBODY) == (None, ["Choose a singer, or up to 4 of them."])


# No event may come later than 2^28 ticks after the one before.
LATE = [*((n * 2**27, META, 1, b"") for n in range(16)), (2**31 - 9, 0x90, 0, b"\1")]


@pytest.mark.parametrize(
    "content",
    [
        midi(notes=6_000),
        unparse(Tracks(0, 1, [[(0, META, 0x51, b"\0\0\1"), *LATE, (2**31 - 1, 0x80, 0, b"\0")]])),
        unparse(Tracks(0, 1, [[(0, META, 0x58, b"\0\xff\0\0"), (0, 0x90, 127, b"\1"), (30_000, 0x80, 127, b"\0")]])),
        unparse(Tracks(0, 96, [[(0, 0x90, 60, b"\1")] * 9_000 + [(9, 0x80, 60, b"\0")] * 9_000])),
    ],
    ids=["6,000 notes", "days of silence", "endless beats", "9,000 notes at once"],
)
def test_odd_files_take_little_longer_than_long_ones(studio, content, tmp_path):
    """The picture and the sound of a song have an end, whatever the song has."""
    files, view = {"odd": write(tmp_path, "odd", content), "long": write(tmp_path, "long", midi(1_300))}, {}
    long = cpu_seconds(lambda: show(studio, "long", files), times=1)
    assert cpu_seconds(lambda: view.update(show(studio, "odd", files)), times=1) < 10 * long
    assert all(len(each) <= RATE * (MOST_SECONDS + 1) for each in sounds(view))
    assert view["html"].count('class="bar"') <= MOST_BEATS
    assert len(midis(view)[0].onset) == len(voice(content).onset)


def test_a_visit_leaves_nothing_behind(studio, tmp_path):
    visits = tmp_path / "files" / "visits"
    for session in ("a", "b", "../../escaped"):
        for seed in range(3):
            show(studio, wanted=ONE._replace(seed=seed), session=session)
    assert len(list(visits.iterdir())) == 3
    assert all(len(list(visit.iterdir())) == 2 for visit in visits.iterdir())  # the last, and what was shown meanwhile
    for session in ("a", "b", "../../escaped"):
        studio.visits.end(session)
    assert not list(visits.iterdir())
