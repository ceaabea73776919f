import json
from functools import partial

import numpy as np
import pytest

from tests.conftest import composed
from toy_duration_predictor.comparison.quantizer_figures import FIGURES
from toy_duration_predictor.comparison.quantizers import quantizers
from toy_duration_predictor.data.quantize import carried, grid_step
from toy_duration_predictor.data.quantizers import WAYS
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.training.task import DurationTask

# A network that takes any table, and a training that takes a second.
EACH = (
    "each=['model=bigru','model.hidden_size=8','model.num_layers=1','training.window=32','training.max_epochs=1',"
    "'data.split=published']"
)


def compose(overrides):
    return composed(*overrides)


def settings(tmp_path, *overrides):
    few = ("data.songs=20", "resamples=100", "trainer.threads=1", EACH)
    made = composed(*few, *overrides, name="quantizers")
    # A folder whose name has a meaning in the words of an override.
    made.logs, made.out = (str(tmp_path / "it's, {1}" / name) for name in ("logs", "out"))
    return made


def test_a_study_end_to_end_and_again(tmp_path, monkeypatch):
    ways = ["rounded", "forwarded", "timeline", "forwarded_64"]
    study = partial(quantizers, settings(tmp_path, f"ways={ways}", "seeds=1"), compose)
    found = study()
    assert found.same == {"timeline": "forwarded"}
    assert list(found.figures) == ["forwarded", "rounded", "timeline", "forwarded_64"]
    assert all(list(each) == list(FIGURES) for each in found.figures.values())
    assert found.speed["forwarded"].ratio == 1
    trained = ["forwarded", "rounded", "forwarded_64"]
    judged = found.judged
    assert len(list((tmp_path / "it's, {1}" / "logs").glob("model_b*"))) == len(trained)
    assert (judged.seeds, judged.test_songs, judged.unit) == (1, 2, "beats")
    for measure in ("onset", "ioi", "duration"):
        assert [each.rival for each in judged.compared[measure]] == trained[1:]
        assert {each.verdict for each in judged.compared[measure]} == {"not enough to tell"}  # there is one seed
        restored = judged.restored[measure]
        for each in judged.compared[measure]:
            models = (restored[name].model["beats"] for name in (each.rival, "forwarded"))
            assert each.difference.estimate == pytest.approx(next(models) - next(models))
        assert judged.no_difference[measure] == pytest.approx(restored["forwarded"].copy["beats"] / 100)
    for measure, shares in judged.matrix.items():
        assert list(shares) == trained
        for way, tested in shares.items():
            assert list(tested) == trained
            # By another path, the matrix has the same models on the same songs.
            assert tested[way] == pytest.approx(judged.restored[measure][way].share, rel=1e-5)
    # Errors are in the ticks of the song as it was sung, and a finer grid has a smaller one.
    ticks = [judged.restored["onset"][way].copy["ticks"] for way in ("forwarded", "forwarded_64")]
    assert ticks[0] == pytest.approx(2 * ticks[1], rel=0.2)

    report = json.loads((tmp_path / "it's, {1}" / "out" / "report.json").read_text())
    assert report["same"] == found.same
    text = (tmp_path / "it's, {1}" / "out" / "report.md").read_text()
    assert "the same as forwarded to the tick" in text
    assert text.count("## ") == 9
    short = text.split("\n## ")[1]
    moved = {way: found.figures[way]["times moved, ms"].estimate for way in trained}
    assert short.startswith(
        f"In short\n\nIn 20 songs the published way to quantize, forwarded, moves the ends of notes and rests by "
        f"{moved['forwarded']:.1f} ms on average; rounded by {moved['rounded']:.1f}, forwarded_64 by "
        f"{moved['forwarded_64']:.1f}. With Model B, onsets of 2 test songs lie "
        f"{judged.restored['onset']['forwarded'].model['ms']:.1f} ms from where they were sung. The published way is "
        f"better (Q0): not enough to tell; after it, Model B is "
    )
    assert " further off than after forwarded_64 (" in short
    assert "With 1 seed nothing can be supported; run at least six." in short
    assert "| ways to quantize |" in text.split("\n## What the words mean")[1]
    # What is finished is not trained again.
    monkeypatch.setattr(DurationTask, "training_step", lambda *_: 1 / 0)
    assert study().judged == judged


def test_without_training_there_are_the_quantizers_own_figures(tmp_path, monkeypatch):
    monkeypatch.setitem(WAYS, "music21", WAYS["music21"]._replace(package="no_such_package"))
    found = quantizers(settings(tmp_path, "ways=[forwarded,absorbed,music21]", "seeds=0"), compose)
    assert found.judged is None
    assert found.left_out == {"music21": "no_such_package"}
    assert found.figures["absorbed"]["rests emptied"].estimate > found.figures["forwarded"]["rests emptied"].estimate
    text = (tmp_path / "it's, {1}" / "out" / "report.md").read_text()
    assert "left out: no_such_package is not installed" in text
    assert "Nothing was trained, so that Q0 has no answer here." in text.split("\n## ")[1]
    assert "Q0:" not in text
    assert not (tmp_path / "it's, {1}" / "logs").exists()


def test_carried_values_are_refused(tmp_path):
    def store(song):
        quantized = song["quantized_durations"]
        return {"durations": carried(song["durations"], grid_step(np.array(quantized)))}

    path = tmp_path / "carried.parquet"
    load_songs("simulated", songs=8).map(store).to_parquet(str(path))
    config = composed("data=parquet", f"data.path={path}", f"out={tmp_path}", "seeds=0", name="quantizers")
    with pytest.raises(InputError, match="are carried values, not sung; recover them"):
        quantizers(config, compose)
