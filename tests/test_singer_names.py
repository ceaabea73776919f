"""Names of singers on their way from a songs table to whoever asks a model for a singer."""

import json
import unicodedata
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from matplotlib.figure import Figure

from tests.conftest import ONE_EPOCH, SMALL, composed
from toy_duration_predictor import cli
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.sharing.cards import dataset_card
from toy_duration_predictor.sharing.hub import save_model
from toy_duration_predictor.training import figures
from toy_duration_predictor.training.evaluate import evaluate
from toy_duration_predictor.training.run_folder import load_run, read_run
from toy_duration_predictor.training.train import train

HANGUL = "이민수"
SONG = [120, 60, 240, 60]


def named(songs, offset=0):
    """The songs of singers 1 to 9: odd ones are called `Singer <n>`, and 2 is called by a name in Hangul."""
    songs = songs.filter(lambda song: song["singer_id"] < 10)

    def name(song):
        number = song["singer_id"]
        return {
            "singer_id": number + offset,
            "singer_name": HANGUL if number == 2 else f"Singer <{number}>" if number % 2 else None,
        }

    return songs.map(name)


@pytest.fixture(scope="module")
def run(tmp_path_factory, shared_songs):
    folder = tmp_path_factory.mktemp("named")
    named(shared_songs).to_parquet(folder / "songs.parquet")
    settings = ("data=parquet", f"data.path={folder / 'songs.parquet'}", *SMALL, ONE_EPOCH, f"logs={folder / 'logs'}")
    return Path(train(composed(*settings))["run/folder"])


@pytest.fixture(scope="module")
def saved(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "model"
    save_model(run, folder)
    return folder


@pytest.mark.parametrize("place", ["run", "saved"])
def test_a_model_knows_its_singers_by_name(place, request):
    predictor = Predictor.load(request.getfixturevalue(place))
    assert predictor.singers == list(range(1, 10))
    assert predictor.singer_names == {1: "Singer <1>", 2: HANGUL} | {n: f"Singer <{n}>" for n in (3, 5, 7, 9)}
    assert (predictor.label(2), predictor.label(4)) == (HANGUL, "Singer 4")
    by_number = predictor.predict(SONG, 2, 60)
    for name in (HANGUL, unicodedata.normalize("NFD", HANGUL), "2"):
        assert (predictor.predict(SONG, name, 60) == by_number).all()
    mixed = predictor.predict(SONG, {2: 1, 5: 3}, 60)
    assert (predictor.predict(SONG, {HANGUL: 1, "Singer <5>": 3}, 60) == mixed).all()
    with pytest.raises(InputError, match=r"Singer 'Singer 5' is not known; did you mean 'Singer <5>'"):
        predictor.predict(SONG, "Singer 5", 60)
    with pytest.raises(InputError, match="A singer has two weights"):
        predictor.predict(SONG, {HANGUL: 1, 2: 1}, 60)


def test_names_change_no_number(run, shared_songs, tmp_path):
    """The same songs without names: the same predictions, and nothing of names in the model."""
    plain = named(shared_songs).remove_columns("singer_name")
    plain.to_parquet(tmp_path / "songs.parquet")
    settings = ("data=parquet", f"data.path={tmp_path / 'songs.parquet'}", *SMALL, ONE_EPOCH, f"logs={tmp_path}")
    without = Path(train(composed(*settings))["run/folder"])
    assert read_run(without).predictions.equals(read_run(run).predictions.drop_columns(["singer_name"]))
    assert load_run(without).singer_names == {}
    save_model(without, tmp_path / "model")
    assert "singer_names" not in json.loads((tmp_path / "model" / "config.json").read_text())
    assert "names" not in (tmp_path / "model" / "README.md").read_text()


def test_the_cards_have_the_names(saved, shared_songs):
    assert f"| their names | Singer \\<1\\>, {HANGUL}, Singer \\<3\\>" in (saved / "README.md").read_text()
    songs = load_songs("simulated", songs=20)
    assert "| `singer_name` | name of the singer" in str(dataset_card(named(songs), "me/songs"))


def test_a_name_that_was_changed_by_hand_is_refused(saved, tmp_path):
    config = json.loads((saved / "config.json").read_text())
    unsealed = {key: value for key, value in config.items() if "sha" not in key}
    for name in ("a\nb", "7", ""):
        (tmp_path / "config.json").write_text(json.dumps(unsealed | {"singer_names": {"1": name}}))
        with pytest.raises(InputError, match=r"singer's name is empty|not written as the names of singers are"):
            Predictor.load(tmp_path)


def test_a_score_is_humanized_by_name(saved, tmp_path, capsys):
    score = tmp_path / "score.json"
    score.write_text(json.dumps({"ticks_per_beat": 480, "durations": SONG, "pitch": [60, 0, 62, 64]}))
    given = ["humanize", str(score), "--model", str(saved), "--singer"]
    for i, singer in enumerate([HANGUL, "2", "mix:Singer <1>=0.5,2=0.5"]):
        out = tmp_path / f"{i}.json"
        cli.main([*given, singer, "-o", str(out)])
        assert capsys.readouterr().out == f"{out}: with the timing of singer {singer}\n"
    with pytest.raises(SystemExit, match="A singer has two weights"):
        cli.main([*given, f"mix:{HANGUL}=0.5,2=0.5", "-o", str(tmp_path / "both.json")])
    assert (tmp_path / "0.json").read_bytes() == (tmp_path / "1.json").read_bytes()


def test_another_table_may_number_its_singers_otherwise(run, shared_songs, tmp_path):
    """Names decide: the predictions are those of the singers of the same names."""
    found = []
    for offset in (0, 1):
        path = tmp_path / f"{offset}.parquet"
        only = named(shared_songs, offset).filter(lambda song: song["singer_name"] is not None)
        only.to_parquet(path)
        settings = (f"run={run}", "data=parquet", f"data.path={path}", "trainer.threads=1")
        folder = evaluate(composed(*settings, name="evaluate"))["run/folder"]
        found.append(read_predictions(folder))
    assert all(map(np.array_equal, *found))
    stranger = named(shared_songs).map(lambda song: {"singer_name": "Zoe" if song["singer_id"] == 1 else None})
    stranger.to_parquet(tmp_path / "zoe.parquet")
    config = composed(f"run={run}", "data=parquet", f"data.path={tmp_path / 'zoe.parquet'}", name="evaluate")
    with pytest.raises(InputError, match=r"does not know singers \[1 \(Zoe\)\], only \[1 \(Singer <1>\), 2"):
        evaluate(config)


def read_predictions(folder):
    return [np.array(song) for song in pq.read_table(Path(folder) / "predictions.parquet")["predicted"].to_pylist()]


def test_pictures_have_the_names_that_they_can_write(run):
    predictions = read_run(run).predictions
    assert {"singer_name"} <= set(predictions.column_names)
    drawn = figures.bars_by_singer(["Kim", "Lee"], [1, 2], [1, 1])
    assert [each.get_text() for each in drawn.axes[0].get_xticklabels()] == ["Kim", "Lee"]
    # No font has letters of a script that does not exist.
    drawn = figures.bars_by_singer(["Kim", chr(0x10FFFE)], [1, 2], [1, 1])
    assert [each.get_text() for each in drawn.axes[0].get_xticklabels()] == ["1", "2"]
    for drawn in (figures.error_by_singer(predictions), figures.phrase(predictions)):
        assert isinstance(drawn, Figure)
        drawn.canvas.draw()  # a letter without a picture would be a warning, and an error here
