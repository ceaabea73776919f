"""Bidirectional GRUs over windows that end in padding.

Shapes: `B` windows, `T` notes, `H` size of the state in one direction.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from toy_duration_predictor.models._loop import loop


def gru_states(gru: nn.GRU, inputs: Tensor, mask: Tensor | None) -> Tensor:
    """Returns a GRU's states, float `(B, T, 2H)`; 0 at padding.

    Args:
        gru: Bidirectional, batch first.
        inputs: float `(B, T, inputs)`.
        mask: bool `(B, T)`, true for notes, which padding follows; None to read padding as notes.
    """
    if torch.compiler.is_exporting():
        return scanned_states(gru, inputs, torch.ones_like(inputs[..., 0], dtype=torch.bool) if mask is None else mask)
    if mask is None:
        states: Tensor = gru(inputs)[0]
        return states
    # Lengths are needed on the CPU. Packed, the backward direction begins at a row's last note, not at its padding.
    packed = pack_padded_sequence(inputs, mask.sum(1).cpu(), batch_first=True, enforce_sorted=False)
    states, _ = pad_packed_sequence(gru(packed)[0], batch_first=True, total_length=mask.shape[1])
    return states


def scanned_states(gru: nn.GRU, inputs: Tensor, mask: Tensor) -> Tensor:
    """Returns the same states, computed note by note.

    An exporter needs it: it has no packed sequences, and an `nn.GRU` for songs of one length only. There is no dropout
    between layers, as in evaluation.
    """
    x, real = inputs.transpose(0, 1), mask.T[..., None]
    for layer in range(gru.num_layers):
        forwards = _direction(gru, x, real, f"l{layer}")
        # In reverse, padding comes first: there the state stays at zero.
        backwards = _direction(gru, x.flip(0), real.flip(0), f"l{layer}_reverse").flip(0)
        x = torch.cat([forwards, backwards], dim=-1) * real
    return x.transpose(0, 1)


def _direction(gru: nn.GRU, x: Tensor, real: Tensor, suffix: str) -> Tensor:
    weights = [getattr(gru, f"{name}_{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]

    def next_state(state: Tensor, inputs: Tensor, real: Tensor) -> Tensor:
        return torch.where(real, torch.gru_cell(inputs, state, *weights), state)

    return loop(next_state, x.new_zeros(x.shape[1], gru.hidden_size), x, real)[1:]
