"""Trained networks as ONNX files, for programs that have no torch; songs of any length, any number of them at once.

A file's inputs are a network's (see `models`): `durations` float `(batch, notes)`, `singer` int64 `(batch)`, an index,
`mask` bool `(batch, notes)` and `step` float `(batch)`; its output is `predicted`, float `(batch, notes)`, ticks. Its
metadata has `singers`, the `singer_id` of each index, as JSON.

An exporter writes a Python loop as often as it is run, so for export the networks' loops over notes are replaced by
`scan`, which ONNX has as an operator.

Shapes: `B` windows, `T` notes, `K` states, `H` a GRU's states.
"""

import importlib
import json
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan

from toy_duration_predictor.data.files import write
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.models import _chain
from toy_duration_predictor.predictor import Predictor

INPUTS = ("durations", "singer", "mask", "step")

# How far onnxruntime's numbers may be from torch's, ticks: both compute in single precision.
TOLERANCE = 0.01


def export(place: str | Path, path: str | Path) -> None:
    """Writes a model as an ONNX file, once onnxruntime computes the same with it as torch does with the model.

    Not to be called while other threads of the process use networks.

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
    """A copy of a network whose GRUs are scanned, and which knows whether to tell singers apart."""

    def __init__(self, network: nn.Module, anonymous: bool) -> None:
        super().__init__()
        self.network = deepcopy(network)
        self.anonymous = anonymous
        for name, part in list(self.network.named_children()):
            if isinstance(part, nn.GRU):
                setattr(self.network, name, _ScannedGRU(part))

    def forward(self, durations: Tensor, singer: Tensor, mask: Tensor, step: Tensor) -> Tensor:
        predicted: Tensor = self.network(durations, singer * (not self.anonymous), mask, step)
        return predicted


class _ScannedGRU(nn.Module):
    """A bidirectional GRU, batch first, that takes padding as a packed sequence has it."""

    def __init__(self, gru: nn.GRU) -> None:
        super().__init__()
        self.gru = gru

    def forward(self, given: Tensor | tuple[Tensor, Tensor]) -> tuple[Tensor, None]:
        """Returns the states, float `(B, T, 2H)`, of inputs `(B, T, inputs)`, or of these and their lengths `(B,)`."""
        inputs, lengths = given if isinstance(given, tuple) else (given, torch.full((len(given),), given.shape[1]))
        x = inputs.transpose(0, 1)
        real = (torch.arange(len(x))[:, None] < lengths)[..., None]
        for layer in range(self.gru.num_layers):
            forwards = self._direction(x, real, f"l{layer}")
            backwards = self._direction(x.flip(0), real.flip(0), f"l{layer}_reverse").flip(0)
            x = torch.cat([forwards, backwards], dim=-1) * real
        return x.transpose(0, 1), None

    def _direction(self, x: Tensor, real: Tensor, of: str) -> Tensor:
        weights = [getattr(self.gru, f"{name}_{of}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]

        def note(state: Tensor, given: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            new = torch.where(given[1], torch.gru_cell(given[0], state, *weights), state)
            return new, new.clone()

        states: Tensor = scan(note, x.new_zeros(x.shape[1], self.gru.hidden_size), (x, real))[1]
        return states


def _scanned_run(state: Tensor, differences: Tensor, ends: Tensor) -> Tensor:
    """The same as `models._chain.run`, with a scan for its loop."""

    def note(state: Tensor, given: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        new = _chain.step(state, *given)
        return new, new.clone()

    states: Tensor = scan(note, state.contiguous(), (differences, ends))[1]
    return torch.cat([state[None], states])


@contextmanager
def _scans_for_loops(network: nn.Module) -> Iterator[None]:
    """Lets a network use `_scanned_run`, and hand padded sequences to `_ScannedGRU` as they are."""
    its_file = sys.modules[type(network).__module__]
    replaced: list[tuple[Any, str, Any]] = [
        (_chain, "run", _scanned_run),
        (its_file, "pack_padded_sequence", lambda inputs, lengths, **_: (inputs, lengths)),
        (its_file, "pad_packed_sequence", lambda states, **_: (states, None)),
    ]
    before = [(module, name, getattr(module, name)) for module, name, _ in replaced if hasattr(module, name)]
    try:
        for module, name, value in replaced:
            if hasattr(module, name):
                setattr(module, name, value)
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


def _program(network: _Exported) -> Any:
    """Returns the network as an ONNX program."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of libraries that it would not use here
    from onnx_ir.passes.common import RemoveUnusedNodesPass

    batch, notes = torch.export.Dim("batch"), torch.export.Dim("notes")
    shapes = ({0: batch, 1: notes}, {0: batch}, {0: batch, 1: notes}, {0: batch})
    with warnings.catch_warnings(), torch.no_grad(), _scans_for_loops(network.network):
        warnings.simplefilter("ignore")  # of torch's own parts, of which it says that they will change
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
    durations = step[:, None] * torch.randint(0, 9, (batch, notes), generator=rng) * mask
    return durations, torch.randint(0, singers, (batch,), generator=rng), mask, step


def _difference(path: Path, predictor: Predictor) -> float:
    """Returns how far onnxruntime's numbers are from torch's at most, ticks."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    away = []
    for batch, notes in ((1, 1), (3, 40), (2, 300)):
        durations, singer, mask, step = _example(len(predictor.singers), batch, notes)
        given = {"durations": durations, "singer": singer, "mask": mask, "step": step}
        (computed,) = session.run(None, {name: value.numpy() for name, value in given.items()})
        with torch.inference_mode():
            expected = predictor.network(durations, singer * (not predictor.anonymous), mask, step)
        away.append((torch.from_numpy(computed) - expected).abs().max())
    return torch.stack(away).max().item()
