"""Benchmarks of the networks: what they print, of a few songs and in next to no time, and how they fail."""

import re
import sys

import bench
import bench_networks
import bench_stages
import pytest

from toy_duration_predictor.data.simulate import simulate_songs


@pytest.fixture
def run(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["bench.py", *map(str, arguments)])
        bench.main()
        return capsys.readouterr().out

    return run


def rows(shown):
    """Returns the cells of a printed table, by the title of their row, of which there may be more than one."""
    found = {}
    for line in shown.splitlines():
        title, *cells = re.split(r"\s{2,}", line.strip())
        found.setdefault(title, []).append(cells)
    return found


def number(text):
    return float(text.split("x")[0].replace(",", ""))


@pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker processes")  # where there is one core
def test_ratios_are_of_the_published_network_in_the_same_run(tmp_path, run, monkeypatch):
    monkeypatch.setattr(bench_networks, "LEAST_SECONDS", 0.001)
    path = tmp_path / "songs.parquet"
    simulate_songs(12).to_parquet(path)
    shown = rows(run("networks", path, "--network", "phase", "--seconds", "0.001"))
    assert shown["epochs"] == [["1", "1"]]
    [[published, phase]] = shown["notes/s in training"]
    [of_training], [of_prediction] = shown["... of the published"], shown["... of the published in prediction"]
    assert of_training[0] == "1.0x"
    assert of_prediction[0] == "1.0x (1.0-1.0)"
    assert number(of_training[1]) == pytest.approx(number(phase) / number(published), abs=0.1)
    # It starts from the copy baseline.
    assert number(shown["best share in that time"][0][1]) <= 1


def test_growth_is_carried_on():
    """In a straight line, or by its power where that is higher."""
    large = bench_stages.THOUSAND
    assert bench_stages.extrapolated([1, large // 4], [0.0, 0.0]) == (0, pytest.approx(0.01))
    power, there = bench_stages.extrapolated([large // 4, large // 2], [5.0, 6.0])
    assert power < 1
    assert there == pytest.approx(8)
    assert bench_stages.extrapolated([large // 4, large // 2], [1.0, 4.0]) == pytest.approx((2, 16))


def test_the_ratio_of_speeds_is_the_median_over_rounds():
    assert bench_networks.ratios([20.0, 30.0, 48.0], [1.0, 1.0, 2.0]) == "24.0x (20.0-30.0)"


def test_the_way_to_a_share():
    curve = [(0.0, 1.0), (2.0, 0.8), (3.0, 0.82), (4.0, 0.7)]
    assert [bench_networks.seconds_to(goal, curve) for goal in (0.8, 0.75, 0.6)] == [2.0, 4.0, None]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["networks", "missing.parquet"], "missing.parquet does not exist"),
        (["networks", "missing.parquet", "--device", "cuda"], "--device cuda: torch sees no GPU here"),
        (["prepare", "missing"], "missing is no folder"),
    ],
)
def test_bad_input_ends_in_a_sentence(run, monkeypatch, arguments, sentence):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SystemExit, match=sentence):
        run(*arguments)


def test_songs_shorter_than_a_window_end_in_a_sentence(tmp_path, run):
    short = simulate_songs(12).map(
        lambda song: {name: value[:100] for name, value in song.items() if isinstance(value, list)}, keep_in_memory=True
    )
    short.to_parquet(tmp_path / "songs.parquet")
    with pytest.raises(SystemExit, match="No song has 128 notes and rests"):
        run("networks", tmp_path / "songs.parquet", "--network", "phase")
