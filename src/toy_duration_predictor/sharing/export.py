"""Trained networks as ONNX files, for programs that have no torch; songs of any length, any number of them at once.

A file's inputs are a network's (see `models`), of whole songs: `quantized` float `(batch, notes)`, `mask` and `rest`
bool `(batch, notes)`, `step` float `(batch)`; and who sings. That is `style`, float `(batch, features)`, if the network
reads one: its metadata has `styles`, the style of each `singer_id`, as JSON, and 0 is nobody in particular. Other
networks have `singer`, int64 `(batch)`, an index in `singers`, a JSON list of `singer_id`. Where singers have names,
`names` has them by `singer_id`. The output is `predicted`,
float `(batch, notes)`, ticks.

Networks write their own loops over notes so that they can be exported; see `models._loop`.
"""

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from toy_duration_predictor.errors import InputError, need
from toy_duration_predictor.files import write
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.inference.singers import performer
from toy_duration_predictor.models import Inputs

# How far onnxruntime's numbers may be from torch's, ticks, on average: both compute in single precision. Where two
# paths have nearly the same expected error, they may choose different ones, in some notes of ten thousand.
TOLERANCE = 0.05


def export(place: str | Path, path: str | Path) -> None:
    """Writes a model as an ONNX file, once onnxruntime computes the same with it as torch does with the model.

    Args:
        place: What `Predictor.load` takes.
        path: The file to write.

    Raises:
        InputError: The extra `onnx` is not installed, there is no such model, it cannot be exported, or the file cannot
            be written.
    """
    need("An export", "onnx", "onnxscript", "onnxruntime")
    predictor = Predictor.load(place)
    name = type(predictor.network).__name__
    network = _Exported(predictor)
    try:
        program = _program(network)
    except Exception as error:  # an exporter fails in as many ways as there are networks
        raise InputError(f"{place}: network {name} cannot be exported to ONNX ({type(error).__name__}).") from error
    program.model.metadata_props.update(network=name, **network.metadata())

    def save(beside: Path) -> None:
        program.save(beside)
        away = _difference(beside, network)
        if not away <= TOLERANCE:
            raise InputError(
                f"{path} is not written: what onnxruntime computes of network {name} is {away:.3g} ticks away from "
                f"what torch does, on average; take another network."
            )

    write(Path(path), save)


class _Exported(nn.Module):
    """A predictor's network as a function of tensors that other programs can make."""

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.network, self.singers, self.anonymous = predictor.network, predictor.singers, predictor.anonymous
        self.reads_style, self.names = predictor.reads_style, predictor.singer_names

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs, in the order of `forward`."""
        return "quantized", "style" if self.reads_style else "singer", "mask", "step", "rest"

    def forward(self, quantized: Tensor, who: Tensor, mask: Tensor, step: Tensor, rest: Tensor) -> Tensor:
        nobody = torch.zeros_like(step, dtype=torch.int64)
        inputs = Inputs(
            quantized,
            mask,
            step,
            rest,
            start=torch.zeros_like(step),
            singer=nobody if self.anonymous or self.reads_style else who,
            style=who if self.reads_style else None,
        )
        predicted: Tensor = self.network(inputs)
        return predicted

    def metadata(self) -> dict[str, str]:
        """Returns what a file says of its singers."""
        named = {"names": json.dumps(self.names, ensure_ascii=False)} if self.names else {}
        if not self.reads_style:
            return {"singers": json.dumps(self.singers), **named}
        known = {each: performer(self.network, self.singers, self.anonymous, each).style for each in self.singers}
        styles = {each: [] if style is None else style.tolist() for each, style in known.items()}
        return {"styles": json.dumps(styles), **named}

    def example(self, batch: int, notes: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Returns inputs, the first of which has no padding and the last the most."""
        rng = torch.Generator().manual_seed(0)
        lengths = torch.linspace(notes, 1, batch).long()
        mask = torch.arange(notes) < lengths[:, None]
        step = torch.tensor([15.0, 60.0, 120.0])[torch.arange(batch) % 3]
        quantized = step[:, None] * torch.randint(0, 9, (batch, notes), generator=rng) * mask
        rest = torch.rand(batch, notes, generator=rng) < 0.3
        if self.reads_style:
            prior: Any = self.network.style_prior
            return quantized, torch.randn(batch, prior.shape[1], generator=rng), mask, step, rest
        return quantized, torch.randint(0, len(self.singers), (batch,), generator=rng), mask, step, rest


def _program(network: _Exported) -> Any:
    """Returns the network as an ONNX program."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of libraries that it would not use here
    from onnx_ir.passes.common import RemoveUnusedNodesPass

    batch, notes = torch.export.Dim("batch"), torch.export.Dim("notes")
    shapes = ({0: batch, 1: notes}, {0: batch}, {0: batch, 1: notes}, {0: batch}, {0: batch, 1: notes})
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of torch's own parts, of which it says that they will change
        # Strict: otherwise the lengths of an example's slices count as constants.
        exported = torch.export.export(network, network.example(batch=2, notes=16), dynamic_shapes=shapes, strict=True)
        program: Any = torch.onnx.export(
            exported,
            dynamic_shapes=shapes,
            dynamo=True,
            input_names=network.inputs,
            output_names=["predicted"],
            verbose=False,
        )
    RemoveUnusedNodesPass()(program.model)
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()  # the exporter's notes, paths of this machine among them
    return program


def _difference(path: Path, network: _Exported) -> float:
    """Returns how far onnxruntime's durations are from torch's, ticks, the mean over notes and rests."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    away = []
    for batch, notes in ((1, 1), (3, 40), (2, 300)):
        given = network.example(batch, notes)
        (computed,) = session.run(None, {name: each.numpy() for name, each in zip(network.inputs, given, strict=True)})
        with torch.inference_mode():
            off: Tensor = (torch.from_numpy(computed) - network(*given)).abs()
        away.append(off[given[network.inputs.index("mask")]])
    return torch.cat(away).mean().item()
