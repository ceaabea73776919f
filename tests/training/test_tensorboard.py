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
        assert len(events.Scalars(tag)) == 3
    assert events.Scalars("test/mae")[0].value == pytest.approx(read_metrics(shared_run)["test/mae"])
    assert {"phrase", "error by singer", "residuals"} <= set(tags["images"])
    assert {"residuals/model", "residuals/copy"} <= set(tags["histograms"])
    assert "config/text_summary" in tags["tensors"]

    plugin = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG)
    hparams = metadata.parse_session_start_info_plugin_data(plugin.plugin_data.content).hparams
    assert hparams["data.pairing"].string_value == "quantized"
    assert hparams["model.width"].number_value == 8
    experiment = metadata.parse_experiment_plugin_data(
        events.SummaryMetadata(metadata.EXPERIMENT_TAG).plugin_data.content
    )
    assert {"test/mae", "test/skill"} <= {info.name.tag for info in experiment.metric_infos}

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
