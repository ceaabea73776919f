import json

import pytest

from toy_duration_predictor.comparison.power import power, trial


def test_a_study_end_to_end(config, tmp_path):
    out = tmp_path / "power"
    small = ("effects=[0,2]", "songs=[252]", "repetitions=4", "baseline=neighbours", "resamples=200", f"out={out}")
    cells = power(config(*small, name="power"))
    assert [(cell.effect, cell.songs, sum(cell.words.values())) for cell in cells] == [(0, 252, 4), (2, 252, 4)]
    # Singers who are the same person do not help; very different ones do.
    assert cells[0].words.get("supported", 0) == 0
    assert cells[1].words.get("supported", 0) > 0
    assert cells[0].share < cells[1].share
    assert len(json.loads((out / "report.json").read_text())) == 2
    assert (out / "report.html").read_text().count("<svg") == 1
    assert "| 0 | 252 | 0 |" in (out / "report.md").read_text()


@pytest.mark.parametrize("baseline", [pytest.param("boosting", marks=pytest.mark.slow), "value"])
def test_a_trial_follows_from_its_seed(baseline):
    assert trial(1.0, 36, 5, baseline, 200) == trial(1.0, 36, 5, baseline, 200)
    assert trial(1.0, 36, 5, baseline, 200) != trial(1.0, 36, 6, baseline, 200)
