"""Trained networks as ONNX files, for programs that have no torch; songs of any length, any number of them at once.

A file's inputs are a network's (see `models`): `quantized` float `(batch, notes)`, `singer` int64 `(batch)`, an index,
`mask` bool `(batch, notes)` and `step` float `(batch)`; its output is `predicted`, float `(batch, notes)`, ticks. Its
metadata has `singers`, the `singer_id` of each index, as JSON.

Networks write their own loops over notes so that they can be exported; see `models._loop`.
"""

import importlib
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from toy_duration_predictor.errors import InputError
from toy_duration_predictor.files import write
from toy_duration_predictor.inference.predictor import Predictor

INPUTS = ("quantized", "singer", "mask", "step")

# How far onnxruntime's numbers may be from torch's, ticks: both compute in single precision.
TOLERANCE = 0.01


def export(place: str | Path, path: str | Path) -> None:
    """Writes a model as an ONNX file, once onnxruntime computes the same with it as torch does with the model.

    Args:
        place: What `Predictor.load` takes.
        path: The file to write.

    Raises:
        InputError: The extra `onnx` is not installed, there is no such model, it cannot be exported, or the file cannot
            be written.
    """
    for module in ("onnxscript", "onnxruntime"):
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise InputError(
                f"{module} is not installed, which an export needs; pip install 'toy-duration-predictor[onnx]'."
            ) from error
    predictor = Predictor.load(place)
    name = type(predictor.network).__name__
    try:
        program = _program(_Exported(predictor.network, predictor.anonymous))
    except Exception as error:  # an exporter fails in as many ways as there are networks
        raise InputError(f"{place}: network {name} cannot be exported to ONNX ({type(error).__name__}).") from error
    program.model.metadata_props.update(network=name, singers=json.dumps(predictor.singers))

    def save(beside: Path) -> None:
        program.save(beside)
        away = _difference(beside, predictor)
        if not away <= TOLERANCE:
            raise InputError(
                f"{path} is not written: what onnxruntime computes of network {name} is {away:.3g} ticks away from "
                f"what torch does; take another network."
            )

    write(Path(path), save)


class _Exported(nn.Module):
    """A network that knows whether to tell singers apart."""

    def __init__(self, network: nn.Module, anonymous: bool) -> None:
        super().__init__()
        self.network, self.anonymous = network, anonymous

    def forward(self, quantized: Tensor, singer: Tensor, mask: Tensor, step: Tensor) -> Tensor:
        predicted: Tensor = self.network(quantized, singer * (not self.anonymous), mask, step)
        return predicted


def _program(network: _Exported) -> Any:
    """Returns the network as an ONNX program."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of libraries that it would not use here
    from onnx_ir.passes.common import RemoveUnusedNodesPass

    batch, notes = torch.export.Dim("batch"), torch.export.Dim("notes")
    shapes = ({0: batch, 1: notes}, {0: batch}, {0: batch, 1: notes}, {0: batch})
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of torch's own parts, of which it says that they will change
        # Strict: otherwise the lengths of an example's slices count as constants.
        exported = torch.export.export(network, _example(1, batch=2, notes=16), dynamic_shapes=shapes, strict=True)
        program: Any = torch.onnx.export(
            exported,
            dynamic_shapes=shapes,
            dynamo=True,
            input_names=INPUTS,
            output_names=["predicted"],
            verbose=False,
        )
    RemoveUnusedNodesPass()(program.model)
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()  # the exporter's notes, paths of this machine among them
    return program


def _example(singers: int, batch: int, notes: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Returns inputs, the first of which has no padding and the last the most."""
    rng = torch.Generator().manual_seed(0)
    lengths = torch.linspace(notes, 1, batch).long()
    mask = torch.arange(notes) < lengths[:, None]
    step = torch.tensor([15.0, 60.0, 120.0])[torch.arange(batch) % 3]
    quantized = step[:, None] * torch.randint(0, 9, (batch, notes), generator=rng) * mask
    return quantized, torch.randint(0, singers, (batch,), generator=rng), mask, step


def _difference(path: Path, predictor: Predictor) -> float:
    """Returns how far onnxruntime's numbers are from torch's at most, ticks."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    away = []
    for batch, notes in ((1, 1), (3, 40), (2, 300)):
        quantized, singer, mask, step = _example(len(predictor.singers), batch, notes)
        given = {"quantized": quantized, "singer": singer, "mask": mask, "step": step}
        (computed,) = session.run(None, {name: value.numpy() for name, value in given.items()})
        with torch.inference_mode():
            expected = predictor.network(quantized, singer * (not predictor.anonymous), mask, step)
        away.append((torch.from_numpy(computed) - expected).abs().max())
    return torch.stack(away).max().item()
