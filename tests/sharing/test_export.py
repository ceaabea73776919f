"""Exported files against the networks they were made of, on songs of lengths that the exporter has not seen."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from toy_duration_predictor import cli
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.inference.saved_model import HubModel
from toy_duration_predictor.sharing import export

SINGERS = [3, 5, 8]
STATISTICS = {"target_mean": 120.0, "target_std": 190.0}
GRU_SIZES = {"hidden_size": 8, "singer_embedding_dim": 4, "num_layers": 2}
PHASE_SIZES = {"width": 8, "layers": 2, "phases": 5}


def save(folder, network, anonymous=False, statistics=STATISTICS):
    """Writes a model of random weights, as the Hub keeps it."""
    torch.manual_seed(0)
    sizes = PHASE_SIZES if network.startswith("phase") else GRU_SIZES
    model = HubModel(network, sizes, SINGERS, statistics, anonymous)
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter)  # what begins at zero says nothing yet
    model.save_pretrained(folder)
    return folder


def test_without_the_extra_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"pip install 'toy-duration-predictor\[onnx\]'"):
        export.export(tmp_path, tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("network", "anonymous", "statistics"),
    [
        ("bigru", True, STATISTICS),
        pytest.param("bigru_published", False, STATISTICS, marks=pytest.mark.slow),
        pytest.param("phase", False, {"carried": 1.0}, marks=pytest.mark.slow),
        pytest.param("phase_gru", False, {}, marks=pytest.mark.slow),
        pytest.param("phase_transformer", False, {}, marks=pytest.mark.slow),
    ],
)
def test_the_same_numbers_come_out(network, anonymous, statistics, tmp_path, rng, capsys):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    predictor = Predictor.load(save(tmp_path / "saved", network, anonymous, statistics))
    cli.main(["export", str(tmp_path / "saved"), "-o", str(tmp_path / "model.onnx")])
    assert "model.onnx: the model " in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "saved"]
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    assert json.loads(session.get_modelmeta().custom_metadata_map["singers"]) == SINGERS
    assert [each.name for each in session.get_inputs()] == ["quantized", "singer", "mask", "step"]
    for length in (1, 2, 77, 500):
        songs = 60 * rng.integers(0, 9, size=(len(SINGERS), length))
        songs[:, 0] = 60  # so that this is the step
        mask = np.arange(length) < rng.integers(1, length + 1, size=len(SINGERS))[:, None]
        given = {
            "quantized": (songs * mask).astype(np.float32),
            "singer": np.arange(len(SINGERS)),
            "mask": mask,
            "step": np.full(len(SINGERS), 60, dtype=np.float32),
        }
        (computed,) = session.run(["predicted"], given)
        with torch.inference_mode():
            singer = torch.zeros(len(SINGERS), dtype=torch.int64) if anonymous else torch.arange(len(SINGERS))
            expected = predictor.network(
                torch.from_numpy(given["quantized"]), singer, torch.from_numpy(mask), torch.full((len(SINGERS),), 60.0)
            )
        np.testing.assert_allclose(computed, expected, rtol=1e-4, atol=2e-3)
        if network == "bigru_published":  # it reads padding as notes
            continue
        for row, singer_id in enumerate(SINGERS):
            notes = mask[row].sum()
            alone = predictor.predict(songs[row, :notes], singer_id, step=60)
            np.testing.assert_allclose(computed[row, :notes], alone, rtol=1e-4, atol=2e-3)
    # The check that ends an export sees other weights.
    assert export._difference(tmp_path / "model.onnx", predictor) < 2e-3
    for parameter in predictor.network.parameters():
        parameter += 0.1
    assert export._difference(tmp_path / "model.onnx", predictor) > 0.1


def test_what_differs_is_not_written(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    program = SimpleNamespace(model=SimpleNamespace(metadata_props={}), save=lambda path: path.write_text("wrong"))
    monkeypatch.setattr(export, "_program", lambda network: program)
    monkeypatch.setattr(export, "_difference", lambda path, predictor: float("nan"))
    with pytest.raises(InputError, match=r"model.onnx is not written: what onnxruntime computes of network BiGRU is"):
        export.export(save(tmp_path / "saved", "bigru"), tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_what_cannot_be_exported_is_refused(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    monkeypatch.setattr(torch, "gru_cell", lambda *given: torch.from_numpy(given[0].detach().numpy()))
    with pytest.raises(InputError, match=r"saved: network BiGRU cannot be exported to ONNX"):
        export.export(save(tmp_path / "saved", "bigru"), tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()
