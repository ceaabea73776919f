"""Exported files against the networks they were made of, on songs of lengths that the exporter has not seen."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from toy_duration_predictor import cli
from toy_duration_predictor.data.style import FEATURES
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.inference.saved_model import HubModel
from toy_duration_predictor.sharing import export

SINGERS = [3, 5, 8]
STATISTICS = {"target_mean": 120.0, "target_std": 190.0, "style_features": FEATURES}
GRU_SIZES = {"hidden_size": 8, "singer_embedding_dim": 4, "num_layers": 2}
PHASE_SIZES = {"width": 8, "layers": 2, "phases": 5}


def save(folder, network, anonymous=False, scores=0):
    """Writes a model of random weights, as the Hub keeps it."""
    torch.manual_seed(0)
    sizes = PHASE_SIZES if network.startswith("phase") else GRU_SIZES
    model = HubModel(network, sizes, SINGERS, {**STATISTICS, "scores": scores}, anonymous)
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.3)  # what begins at zero says nothing yet
    if network.startswith("phase") and not anonymous:
        with torch.no_grad():
            model.network.set_styles(torch.randn(len(SINGERS), FEATURES), 0.5 * torch.ones(4, FEATURES))
    model.save_pretrained(folder)
    return folder


def test_without_the_extra_it_says_so(tmp_path, monkeypatch):
    for name in ("onnxscript", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=r"An export needs onnxscript: pip install 'toy-duration-predictor\[onnx\]'"):
        export.export(tmp_path, tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("network", "anonymous", "scores"),
    [
        ("bigru", True, 0),
        pytest.param("bigru_published", False, 0, marks=pytest.mark.slow),
        pytest.param("phase", False, 0, marks=pytest.mark.slow),
        pytest.param("phase", True, 0, marks=pytest.mark.slow),
        pytest.param("phase", False, 1, marks=pytest.mark.slow),
        pytest.param("phase_gru", False, 0, marks=pytest.mark.slow),
        pytest.param("phase_transformer", False, 0, marks=pytest.mark.slow),
    ],
)
def test_the_same_numbers_come_out(network, anonymous, scores, tmp_path, rng, capsys):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    predictor = Predictor.load(save(tmp_path / "saved", network, anonymous, scores))
    cli.main(["export", str(tmp_path / "saved"), "-o", str(tmp_path / "model.onnx")])
    assert "model.onnx: the model " in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "saved"]
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    if predictor.reads_style:
        styles = json.loads(metadata["styles"])
        who = {"style": np.array([styles[str(singer)] for singer in SINGERS], dtype=np.float32)}
    else:
        assert json.loads(metadata["singers"]) == SINGERS
        who = {"singer": np.arange(len(SINGERS))}
    assert [each.name for each in session.get_inputs()] == ["quantized", *who, "mask", "step", "rest"]
    away = []
    for length in (1, 2, 77, 500):
        songs = 60 * rng.integers(0, 9, size=(len(SINGERS), length))
        rest = rng.random(songs.shape) < 0.3
        mask = np.arange(length) < rng.integers(1, length + 1, size=len(SINGERS))[:, None]
        given = {
            "quantized": (songs * mask).astype(np.float32),
            **who,
            "mask": mask,
            "step": np.full(len(SINGERS), 60, dtype=np.float32),
            "rest": rest,
        }
        (computed,) = session.run(["predicted"], given)
        if network == "bigru_published":  # it reads padding as notes
            continue
        for row, singer_id in enumerate(SINGERS):
            notes = mask[row].sum()
            alone = predictor.predict(songs[row, :notes], singer_id, step=60, rest=rest[row, :notes])
            away.append(np.abs(computed[row, :notes] - alone))
            assert (computed[row, notes:] == 0).all()
    # Of two paths with nearly the same expected error, either may be chosen.
    assert not away or (np.concatenate(away) > 2e-3).mean() < 0.01
    # The check that ends an export sees other weights.
    exported = export._Exported(predictor)
    assert export._difference(tmp_path / "model.onnx", exported) < export.TOLERANCE
    for parameter in predictor.network.parameters():
        parameter += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
    assert export._difference(tmp_path / "model.onnx", exported) > export.TOLERANCE


def test_what_differs_is_not_written(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    program = SimpleNamespace(model=SimpleNamespace(metadata_props={}), save=lambda path: path.write_text("wrong"))
    monkeypatch.setattr(export, "_program", lambda network: program)
    monkeypatch.setattr(export, "_difference", lambda path, network: float("nan"))
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
