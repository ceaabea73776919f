import json
import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import midii
import pyarrow.parquet as pq
import pytest

from toy_duration_predictor.data.midi import engines, parts
from toy_duration_predictor.data.midi.naming import NAMES, song_and_singer
from toy_duration_predictor.data.midi.prepare import find_files, prepare
from toy_duration_predictor.data.midi.recipe import Recipe
from toy_duration_predictor.data.midi.smf import parse, unparse
from toy_duration_predictor.data.schema import LONGEST
from toy_duration_predictor.data.songs import fingerprint, validate_songs
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.errors import InputError


@pytest.fixture
def folder(tmp_path):
    """The four real songs of the midii package, one of them deeper, and a file that is none."""
    folder = tmp_path / "my songs"
    (folder / "more").mkdir(parents=True)
    for i, path in enumerate(midii.sample.dataset):
        shutil.copy(path, folder / "more" if i == 0 else folder)
    (folder / "notes.txt").write_text("not a song")
    return folder


@pytest.fixture
def reads(monkeypatch):
    """Counts the files that are read."""
    read = []
    original = parts.read_row
    monkeypatch.setattr(parts, "read_row", lambda path, *rest: read.append(path.name) or original(path, *rest))
    return read


def rows(path):
    return pq.read_table(path).to_pylist()


def test_four_real_songs(folder, tmp_path):
    summary = prepare(folder, tmp_path / "songs.parquet")
    assert (summary.files, summary.songs, summary.refused) == (4, 4, {})
    table = load_songs("parquet", path=tmp_path / "songs.parquet")
    assert sorted(table["song_id"]) == ["05688", "09303", "C0632", "C2835"]
    assert sorted(table["singer_id"]) == [2, 2, 16, 66]
    assert sorted(table["ticks_per_beat"]) == [120, 480, 480, 960]
    assert summary.notes == sum(map(len, table["durations"]))
    assert not list(tmp_path.glob(".*"))


def test_rows_are_in_the_order_of_their_files(folder, tmp_path):
    prepare(folder, tmp_path / "songs.parquet")
    names = [song_and_singer(Path(file).stem, NAMES)[0] for file in find_files(folder)]
    assert [row["song_id"] for row in rows(tmp_path / "songs.parquet")] == names


def test_the_sidecar_says_what_was_done(folder, tmp_path):
    (folder / "ba_00001_s03_x.mid").write_bytes(b"MThd broken")
    (folder / "unnamed.mid").write_bytes((folder / "ba_05688_-4_a_s02_m_02.mid").read_bytes())
    summary = prepare(folder, tmp_path / "songs.parquet")
    done = json.loads((tmp_path / "songs.parquet.json").read_text())
    assert done["recipe"]["shortest_rest"] == "0.3ticks"
    assert (done["files"], done["songs"]) == (6, 4)
    assert done["refused"] == summary.refused
    assert summary.refused["ba_00001_s03_x.mid"] == "it is not a Standard MIDI File"
    assert "does not say who sings" in summary.refused["unnamed.mid"]
    assert done["mended"] == {"a note begins before the last one ended": 5, "an end without a note": 5}


def test_strict_ends_at_the_first_refusal(folder, tmp_path):
    (folder / "ba_00001_s03_x.mid").write_bytes(b"MThd broken")
    for _ in range(2):
        with pytest.raises(InputError, match=r"ba_00001_s03_x\.mid: it is not a Standard MIDI File\.$"):
            prepare(folder, tmp_path / "songs.parquet", strict=True)
    assert not (tmp_path / "songs.parquet").exists()


def test_interrupted_work_goes_on(folder, tmp_path, reads, monkeypatch):
    monkeypatch.setattr(parts, "FILES_A_PART", 1)

    def interrupted(parts, _):
        for i, part in enumerate(parts):
            yield part
            if i == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(folder, tmp_path / "songs.parquet", progress=interrupted)
    assert not (tmp_path / "songs.parquet").exists()
    reads.clear()
    summary = prepare(folder, tmp_path / "songs.parquet")
    assert len(reads) == summary.read == 2
    assert len(rows(tmp_path / "songs.parquet")) == 4
    whole = tmp_path / "whole.parquet"
    prepare(folder, whole)
    assert rows(whole) == rows(tmp_path / "songs.parquet")


def test_only_changed_parts_are_read_again(folder, tmp_path, reads, monkeypatch):
    monkeypatch.setattr(parts, "FILES_A_PART", 1)
    out = tmp_path / "songs.parquet"
    prepare(folder, out, keep_parts=True)
    assert len(reads) == 4
    reads.clear()
    assert prepare(folder, out, keep_parts=True).read == 0
    assert not reads

    changed = folder / "ba_05688_-4_a_s02_m_02.mid"
    os.utime(changed, ns=(1, 1))
    (folder / "ba_09303_+0_a_s02_m_02.mid").unlink()
    summary = prepare(folder, out, keep_parts=True)
    assert reads == [changed.name]
    assert (summary.files, summary.songs) == (3, 3)
    assert len(rows(out)) == 3


def test_another_recipe_reads_all_again(folder, tmp_path, reads):
    out = tmp_path / "songs.parquet"
    prepare(folder, out, keep_parts=True)
    before = rows(out)
    reads.clear()
    prepare(folder, out, Recipe(grid="16"), keep_parts=True)
    assert len(reads) == 4
    assert rows(out) != before


def test_a_damaged_part_is_made_anew(folder, tmp_path, caplog):
    out = tmp_path / "songs.parquet"
    prepare(folder, out, keep_parts=True)
    before = out.read_bytes()
    stored = sorted((tmp_path / ".songs.parquet.parts").iterdir())
    assert [part.suffix for part in stored] == [".json", ".parquet"]
    for part in stored:
        for damaged in (part.read_bytes()[:-1], part.read_bytes().replace(b"0", b"1", 1), b"[]", b""):
            part.write_bytes(damaged)
            assert prepare(folder, out, keep_parts=True).read == 4
            assert caplog.messages == [f"{part.with_suffix('.parquet')} is damaged, and is made again."]
            assert prepare(folder, out, keep_parts=True).read == 0
            assert out.read_bytes() == before
            caplog.clear()


def test_a_second_preparation_waits_for_the_first(folder, tmp_path, reads, caplog):
    out = tmp_path / "songs.parquet"
    begun = threading.Event()

    def slowly(parts, _):
        begun.set()
        while not caplog.messages:
            time.sleep(0.01)
        yield from parts

    with ThreadPoolExecutor() as threads:
        first = threads.submit(prepare, folder, out, progress=slowly)
        begun.wait()
        second = threads.submit(prepare, folder, out)
        assert second.result() == first.result()
    assert caplog.messages == [f"Another process is making {out}: waiting for its end."]
    assert len(reads) == 8
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my songs", "songs.parquet", "songs.parquet.json"]


def test_a_file_more_leaves_the_other_parts_as_they_are(monkeypatch, tmp_path):
    monkeypatch.setattr(parts, "FILES_A_PART", 10)
    files = {f"{i:03d}.mid": "1-1" for i in range(500)}
    split = parts.split_into_parts(files, tmp_path, "")
    assert [file for part in split.values() for file in part] == list(files)
    assert 25 < len(split) < 100
    more = parts.split_into_parts(dict(sorted((files | {"2505.mid": "1-1"}).items())), tmp_path, "")
    assert len(more.keys() - split.keys()) in (1, 2)
    assert not parts.split_into_parts(files, tmp_path, "another recipe").keys() & split.keys()


def test_other_code_reads_all_again(folder, tmp_path, reads, monkeypatch):
    for code in ("this", "this", "other"):
        monkeypatch.setattr(parts, "_code_digest", lambda code=code: code)
        prepare(folder, tmp_path / "songs.parquet", keep_parts=True)
    assert len(reads) == 8


def test_processes_are_as_many_as_usable_cores(folder, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setitem(engines.ENGINES, "local", lambda work, parts, jobs: asked.append(jobs) or map(work, parts))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 5, 7}, raising=False)
    prepare(folder, tmp_path / "songs.parquet")
    assert asked == [3]


@pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker processes")  # where there is one core
def test_processes_give_the_same_rows(folder, tmp_path, monkeypatch):
    prepare(folder, tmp_path / "one.parquet", jobs=1)
    monkeypatch.setattr(engines, "FILES_WORTH_PROCESSES", 0)
    monkeypatch.setattr(parts, "FILES_A_PART", 1)
    prepare(folder, tmp_path / "two.parquet", jobs=2)
    assert rows(tmp_path / "one.parquet") == rows(tmp_path / "two.parquet")


def test_ray_gives_the_same_rows(folder, tmp_path):
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    prepare(folder, tmp_path / "local.parquet")
    prepare(folder, tmp_path / "ray.parquet", jobs=1, engine="ray")
    assert rows(tmp_path / "local.parquet") == rows(tmp_path / "ray.parquet")


def test_without_ray_the_engine_is_refused(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(InputError, match="engine=ray needs ray: pip install"):
        prepare(folder, tmp_path / "songs.parquet", engine="ray")


def test_published_differs_in_the_durations_alone(folder, tmp_path):
    prepare(folder, tmp_path / "sung.parquet")
    prepare(folder, tmp_path / "published.parquet", Recipe(published=True))
    for sung, published in zip(rows(tmp_path / "sung.parquet"), rows(tmp_path / "published.parquet"), strict=True):
        assert sung.pop("durations") != published.pop("durations")
        assert sung == published


@pytest.mark.parametrize(
    ("name", "song", "singer"),
    [
        ("ba_05688_-4_a_s02_m_02", "05688", 2),
        ("ba_09303_+0_s_s11_m_03", "09303", 11),
        ("SINGER_16_10TO29_CLEAR_FEMALE_BALLAD_C0632", "C0632", 16),
    ],
)
def test_names(name, song, singer):
    assert song_and_singer(name, NAMES) == (song, singer)


def test_names_by_the_users_pattern():
    assert song_and_singer("7-hello", r"(?P<singer>\d)-(?P<song>.*)") == ("hello", 7)
    assert song_and_singer("7-hello", r"(?P<singer>\d)-.*") == ("7-hello", 7)
    assert song_and_singer("Kim_hello", r"(?P<singer>[^_]+)_(?P<song>.*)") == ("hello", "Kim")
    with pytest.raises(InputError, match="does not say who sings, by"):
        song_and_singer("x-hello", r"(?P<singer>\d)-.*")


@pytest.mark.parametrize(
    ("names", "message"),
    [("(", "is no regular expression"), (r"s(\d+)", "has no group")],
)
def test_bad_patterns_are_refused(folder, tmp_path, names, message):
    with pytest.raises(InputError, match=message):
        prepare(folder, tmp_path / "songs.parquet", names=names)


def test_what_no_file_can_be_made_by_is_refused_before_reading(folder, tmp_path, reads):
    for recipe, message in (
        (Recipe(grid="7"), "There is no grid of 1/7"),
        (Recipe(published=True, forward_error=False), "leave out one of the two options"),
        (Recipe(track=-1), "give a track's number, from 0"),
        (Recipe(encoding="utf-9"), "There is no encoding 'utf-9'"),
    ):
        with pytest.raises(InputError, match=message):
            prepare(str(folder), str(tmp_path / "songs.parquet"), recipe)
    with pytest.raises(InputError, match="is that of a folder"):
        prepare(folder, tmp_path)
    with pytest.raises(InputError, match="jobs=0: give at least 1"):
        prepare(folder, tmp_path / "songs.parquet", jobs=0)
    assert not reads
    assert not list(tmp_path.glob(".*"))


def test_odd_names_and_lengths_are_refused_one_by_one(folder, tmp_path):
    content = (folder / "ba_05688_-4_a_s02_m_02.mid").read_bytes()
    (folder / f"ba_1_s{10**25}_x.mid").write_bytes(content)
    tracks = parse(content)
    late = [[(tick + LONGEST * 2 * (i > 500), *rest) for i, (tick, *rest) in enumerate(t)] for t in tracks.tracks]
    (folder / "ba_2_s01_x.mid").write_bytes(unparse(tracks._replace(tracks=late)))
    summary = prepare(folder, tmp_path / "songs.parquet")
    assert summary.songs == 4
    assert "a singer's number has at most 18 digits" in summary.refused[f"ba_1_s{10**25}_x.mid"]
    assert "the longest that can be is 16777216" in summary.refused["ba_2_s01_x.mid"]


def test_places_that_cannot_be_written_are_refused(folder, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file" / "songs.parquet", "/proc/songs.parquet"):
        with pytest.raises(InputError, match="cannot be written: "):
            prepare(folder, out)


def test_folders_without_songs_are_refused(tmp_path):
    with pytest.raises(InputError, match="nowhere is no folder"):
        prepare(tmp_path / "nowhere", tmp_path / "songs.parquet")
    with pytest.raises(InputError, match=r"has no \.mid, \.midi, \.kar, \.rmi files"):
        prepare(tmp_path, tmp_path / "songs.parquet")
    (tmp_path / "a_1_s01_b.mid").write_bytes(b"")
    with pytest.raises(InputError, match=r"None of 1 files can be used; the first is a_1_s01_b\.mid: it is not"):
        prepare(tmp_path, tmp_path / "songs.parquet")
    assert not list(tmp_path.glob(".*"))


def test_the_source_midi_prepares_into_the_cache(folder, tmp_path, monkeypatch, reads):
    monkeypatch.setenv("TDP_CACHE_DIR", str(tmp_path / "cache"))
    table = load_songs("midi", path=folder)
    assert len(reads) == len(table) == 4
    again = load_songs("midi", path=folder)
    assert len(reads) == 4
    assert fingerprint(again) == fingerprint(table)
    assert load_songs("midi", path=folder, grid="16")["quantized_durations"] != table["quantized_durations"]
    with pytest.raises(InputError, match=r"None of 4 files can be used; .* none of its voices is number 5"):
        load_songs("midi", path=folder, track=5)
    with pytest.raises(InputError, match="There is no grid of 1/33"):
        load_songs("midi", path=folder, grid="33")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give data.singer=NAME if one singer sang them all; or put each singer's files into a folder, as in DIR/"),
        ({"singer": "a", "names": "b"}, "data.singer and data.names exclude each other; leave out one of them."),
        ({"singer": " "}, "data.singer= : a singer's name is empty; give one."),
        ({"singer": "a", "track": "x"}, "data.track=x: give a track's number, from 0"),
    ],
)
def test_the_source_midi_names_settings_as_they_are_typed(folder, tmp_path, monkeypatch, options, message):
    monkeypatch.setenv("TDP_CACHE_DIR", str(tmp_path / "cache"))
    songs = tmp_path / "songs"
    songs.mkdir()
    shutil.copy(folder / "ba_09303_+0_a_s02_m_02.mid", songs / "hello.mid")
    with pytest.raises(InputError) as error:
        load_songs("midi", path=songs, **options)
    assert message in str(error.value)
    assert "--" not in str(error.value)


def test_published_and_corrected_tables_value_for_value(mssv, tmp_path):
    for name, published in (("published", True), ("corrected", False)):
        expected = {row["file"].removesuffix(".mid"): row for row in rows(mssv / f"{name}.parquet")}
        assert len(expected) == 160
        prepare(mssv / "midi", tmp_path / f"{name}.parquet", Recipe(published=published))
        for file, row in zip(find_files(mssv / "midi"), rows(tmp_path / f"{name}.parquet"), strict=True):
            for column in ("singer_id", "ticks_per_beat", "durations", "quantized_durations"):
                assert row[column] == expected[file.removesuffix(".mid")][column]
        validate_songs(load_songs("parquet", path=tmp_path / f"{name}.parquet"))


@pytest.mark.parametrize("name", ["songs.parquet", "songs.parquet.json"])
def test_a_table_that_was_changed_is_refused(folder, tmp_path, name):
    prepare(folder, tmp_path / "songs.parquet", jobs=1)
    changed = tmp_path / name
    content = changed.read_bytes()
    changed.write_bytes(
        content.replace(b"s", b"t", 1) if name.endswith(".json") else content.replace(b"C0632", b"C0633")
    )
    with pytest.raises(InputError, match=f"{name} is damaged or was changed"):
        load_songs("parquet", path=tmp_path / "songs.parquet")
