import os
import time

import pytest

from toy_duration_predictor.demo.visits import IDLE_SECONDS, Visits


@pytest.fixture
def visits(tmp_path):
    return Visits(tmp_path / "visits")


def test_what_the_page_still_shows_stays_while_the_next_is_made(visits):
    songs, first, shown, new = (visits.new_folder("a", purpose) for purpose in ("scores", "sung", "sung", "sung"))
    assert songs.exists()
    assert new.exists()
    assert shown.exists()
    assert not first.exists()
    assert new.name != shown.name  # no browser shows a file of the last one


def test_an_idle_visit_is_deleted_by_the_next_one(visits, tmp_path):
    idle, other = visits.new_folder("idle", "sung"), visits.new_folder("other", "sung")
    mine, shared = tmp_path / "mine.mid", tmp_path / "shared.mid"
    for upload in (mine, shared):
        upload.touch()
    visits.add("idle", [mine, shared])
    visits.add("other", [shared])
    before = time.time() - IDLE_SECONDS - 1
    os.utime(idle.parent, (before, before))
    visits.new_folder("new", "sung")
    assert not idle.parent.exists()
    assert not mine.exists()
    assert shared.exists()
    assert other.exists()
    visits.end("other")
    assert not shared.exists()


def test_uploads_in_use_do_not_grow_old(visits, tmp_path):
    upload = tmp_path / "song.mid"
    upload.touch()
    os.utime(upload, (0, 0))
    visits.add("a", [upload])
    visits.new_folder("a", "sung")
    assert upload.stat().st_mtime > 0


def test_a_visit_that_ends_at_the_same_moment_is_no_mistake(visits, tmp_path):
    (tmp_path / "visits" / "ended").symlink_to(tmp_path / "gone")  # listed, and not there
    assert visits.new_folder("a", "sung").exists()
