"""Files that a run has written, and a fault of the disk has changed: a sentence, or no harm."""

import random
import shutil

import pytest

from tests.conftest import RUN
from tests.faults.processes import result, same
from toy_duration_predictor.data.midi.prepare import prepare
from toy_duration_predictor.data.origin import declared
from toy_duration_predictor.data.songs import fingerprint
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.download import load_model
from toy_duration_predictor.sharing.hub import save_model
from toy_duration_predictor.training.train import train

pytestmark = pytest.mark.faults

# Of a finished run, and of a saved model; of an interrupted run, which then goes on, in a second; of prepared songs.
DAMAGES, DAMAGES_BEFORE_THE_END, DAMAGES_OF_SONGS = 200, 60, 60

FINISHED = ("config.yaml", "sources.json", "metrics.json", "predictions.parquet", "checkpoints/best.ckpt")
INTERRUPTED = ("sources.json", "checkpoints/best.ckpt", "checkpoints/last.ckpt", "checkpoints/previous.ckpt")
MODEL = ("config.json", "model.safetensors")


def damage(content: bytes, chance: random.Random) -> bytes:
    """Returns a file's content with one fault: a bit, some bytes, a block of zeros, a missing end or middle."""
    begin = chance.randrange(len(content))
    end = begin + chance.choice((1, 8, 64, 512))
    return chance.choice(
        (
            content[:begin] + bytes([content[begin] ^ 1 << chance.randrange(8)]) + content[begin + 1 :],
            content[:begin] + chance.randbytes(end - begin) + content[end:],
            content[:begin] + bytes(end - begin) + content[end:],
            content[:begin],
            content[:begin] + content[end:],
            b"",
        )
    )


@pytest.fixture
def damaged(tmp_path):
    """Makes a copy of a folder with one file damaged."""

    def make(folder, files, chance):
        copy = tmp_path / "logs" / folder.name
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        path = copy / chance.choice(files)
        path.write_bytes(damage(path.read_bytes(), chance))
        return copy

    return make


def silent(use, expected):
    """Returns whether a damaged folder gives another result without a word. An error but `InputError` is raised."""
    try:
        return not same(use(), expected)
    except InputError:
        return False


def test_damages_of_a_finished_run(shared_run, damaged):
    expected = result(shared_run)
    found = []
    for number in range(DAMAGES):
        folder = damaged(shared_run, FINISHED, random.Random(number))
        if silent(lambda folder=folder: result(folder), expected):
            found.append(number)
    assert not found


def test_damages_of_a_saved_model(shared_run, damaged, tmp_path):
    save_model(shared_run, tmp_path / "saved")

    def use(folder):
        model = load_model(folder)
        return {**model._asdict(), "network": model.network.state_dict(), "of": type(model.network)}

    expected = use(tmp_path / "saved")
    found = []
    for number in range(DAMAGES):
        folder = damaged(tmp_path / "saved", MODEL, random.Random(number))
        if silent(lambda folder=folder: use(folder), expected):
            found.append(number)
    assert not found


def test_damages_of_an_interrupted_run(shared_run, config, damaged, tmp_path, monkeypatch):
    monkeypatch.setattr("toy_duration_predictor.training.train._test", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(config(*RUN))
    monkeypatch.undo()
    # Where a checkpoint lies is written in it, so every copy goes on in the same place.
    (tmp_path / "logs").rename(tmp_path / "before")
    (interrupted,) = (tmp_path / "before").iterdir()
    expected = result(shared_run)
    found, went_on = [], 0
    for number in range(DAMAGES_BEFORE_THE_END):
        folder = damaged(interrupted, INTERRUPTED, random.Random(number))

        def use(folder=folder):
            train(config(*RUN))
            return result(folder)

        if silent(use, expected):
            found.append(number)
        went_on += (folder / "metrics.json").is_file()
    assert not found
    assert went_on


def test_damages_of_a_prepared_table(folder, damaged, tmp_path):
    prepare(folder, tmp_path / "made" / "songs.parquet")

    def use(folder):
        table = load_songs("parquet", path=folder / "songs.parquet")
        return {"songs": fingerprint(table), "durations": declared(table)}

    expected = use(tmp_path / "made")
    found = []
    for number in range(DAMAGES_OF_SONGS):
        folder = damaged(tmp_path / "made", ("songs.parquet", "songs.parquet.json"), random.Random(number))
        if silent(lambda folder=folder: use(folder), expected):
            found.append(number)
    assert not found


def test_a_damaged_cache_is_made_again(folder, tmp_path, monkeypatch, caplog):
    cache = tmp_path / "cache"
    monkeypatch.setenv("TDP_CACHE_DIR", str(cache))
    expected = fingerprint(load_songs("midi", path=folder))
    kept = {path: path.read_bytes() for path in cache.rglob("*") if path.is_file()}
    assert len(kept) == 4  # the table and one part, and the file beside either
    said = 0
    for number in range(DAMAGES_OF_SONGS):
        chance = random.Random(number)
        path = chance.choice(sorted(kept))
        path.write_bytes(damage(kept[path], chance))
        caplog.clear()
        assert fingerprint(load_songs("midi", path=folder)) == expected
        assert {path: path.read_bytes() for path in kept} == kept
        said += "is damaged, and is made again" in caplog.text
    assert said
