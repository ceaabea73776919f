"""What a run leaves for TensorBoard, read back from its event files."""

import numpy as np
import pyarrow as pa
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from toy_duration_predictor.training import figures
from toy_duration_predictor.training.run_folder import read_metrics


@pytest.fixture
def predictions():
    return pa.table(
        {
            "row": [4, 9],
            "singer_id": [7, 2],
            "quantized": [[15, 0, 30], [60]],
            "sung": [[13, 2, 33], [50]],
            "predicted": [[14.0, 2.0, 30.0], [56.0]],
        }
    )


def test_a_run_in_tensorboard(shared_run):
    events = EventAccumulator(str(shared_run)).Reload()
    tags = events.Tags()
    for tag in ("train/loss", "val/loss", "val/mae", "val/skill"):
        assert [event.step for event in events.Scalars(tag)] == [1, 2, 3]
    assert events.Scalars("when done/test/mae")[0].value == pytest.approx(read_metrics(shared_run)["test/mae"])
    assert {f"when done/{name}" for name in ("phrase", "error by singer", "residuals")} == set(tags["images"])
    assert {f"when done/residuals of {name}" for name in ("model", "copy")} == set(tags["histograms"])
    # It opens on the first tags: those are the curves.
    shown = sorted([*tags["scalars"], *tags["images"], *tags["histograms"]])
    curves = [tag for tag in shown if not tag.startswith("when done/")]
    assert shown[: len(curves)] == curves
    assert all(len(events.Scalars(tag)) == 3 for tag in curves)
    for name in ("copy", "model"):
        edges = np.array(events.Histograms(f"when done/residuals of {name}")[0].histogram_value.bucket_limit)
        assert (edges % 1 == 0.5).all()
        assert len(set(np.diff(edges))) == 1
    assert "config/text_summary" in tags["tensors"]

    plugin = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG)
    hparams = metadata.parse_session_start_info_plugin_data(plugin.plugin_data.content).hparams
    assert {name: value.WhichOneof("kind") for name, value in hparams.items()} == {
        "00 seed": "string_value",
        "01 model.name": "string_value",
        "02 training.max_epochs": "number_value",
        "03 training.learning_rate": "number_value",
    }
    assert hparams["02 training.max_epochs"].number_value == 3
    experiment = metadata.parse_experiment_plugin_data(
        events.SummaryMetadata(metadata.EXPERIMENT_TAG).plugin_data.content
    )
    assert [info.display_name for info in experiment.hparam_infos] == ["seed", "model", "epochs", "learning rate"]
    assert {"test/mae", "test/skill"} <= {info.display_name for info in experiment.metric_infos}
    assert {info.name.tag for info in experiment.metric_infos} <= set(tags["scalars"])

    assert "singers" in (shared_run / "projector_config.pbtxt").read_text()
    names = next(shared_run.glob("*/singers/metadata.tsv")).read_text().split("\n")
    assert names[:2] == ["singer 1", "singer 2"]


def test_note_errors(predictions):
    errors = figures.note_errors(predictions)
    assert errors["singer_id"].tolist() == [7, 7, 7, 2]
    assert errors["model"].tolist() == [1, 0, -3, 6]
    assert errors["copy"].tolist() == [2, -2, -3, 10]


def test_error_by_singer_shows_the_mean_of_each(predictions):
    axes = figures.error_by_singer(predictions).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["2", "7"]
    heights = [bar.get_height() for bar in axes.patches]
    assert heights == pytest.approx([10, 7 / 3, 6, 4 / 3])


def test_a_phrase_is_drawn_to_scale(predictions):
    axes = figures.phrase(predictions, song=0, notes=3).axes[0]
    drawn = [path.get_extents() for collection in axes.collections for path in collection.get_paths()]
    starts = np.array([box.x0 for box in drawn]).reshape(3, 3)
    assert starts.tolist() == [[0, 15, 15], [0, 13, 15], [0, 14, 16]]


def test_a_phrase_is_as_long_as_its_differences_can_be_seen(rng):
    """In a picture of 300 points, onsets that are off are off by some four of them; a few notes are always seen."""
    quantized = np.full(200, 120)
    for spread in (2, 10, 40):
        sung = quantized + rng.integers(-spread, spread + 1, size=200)
        notes = figures.seen(quantized, sung)
        off = np.abs(np.cumsum(sung - quantized)).mean()
        assert notes == 6 or 3.9 < 300 * off / (120 * notes) < 6
    assert figures.seen([120] * 3, [120] * 3) == 3


@pytest.mark.parametrize("furthest", [0, 3, 29, 31, 500])
def test_bins_hold_as_many_whole_ticks_each(furthest):
    errors = np.arange(-furthest, furthest + 1)
    edges = figures.tick_bins(errors, 30)
    assert len(edges) == 31
    whole = np.arange(int(edges[0] - 0.5), int(edges[-1] + 1.5))
    held, _ = np.histogram(whole, edges)
    assert set(held) == {int(edges[1] - edges[0])}
    assert np.histogram(errors, edges)[0].sum() >= 0.98 * len(errors)
