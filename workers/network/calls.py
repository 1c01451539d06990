"""How a node is called where calling its module or a function of torch is not enough.

`model.py` carries the source of the functions it uses, so each of them depends on nothing but torch.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def run_recurrent(module: nn.RNNBase, x: Tensor, lengths: Tensor | None = None, *, returns: str = "sequence") -> Tensor:
    """Run over x (N, L, F); with `lengths` (N), each at least 1, no step beyond a sequence's end is computed.

    Returns all outputs (N, L, H) as "sequence", the output of the last step (N, H) as "last", or the last layer's
    final hidden state (N, H) as "state"; H counts both directions.
    """
    output: Tensor
    state: Tensor | tuple[Tensor, Tensor]
    if lengths is None:
        output, state = module(x)
    else:
        lengths = lengths.long()
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        packed, state = module(packed)
        output, _ = pad_packed_sequence(packed, batch_first=True, total_length=x.shape[1])
    if returns == "sequence":
        return output
    if returns == "last" and lengths is not None:
        return output[torch.arange(len(x), device=x.device), lengths.to(x.device) - 1]
    if returns == "last":
        return output[:, -1]
    hidden = state[0] if isinstance(state, tuple) else state  # an LSTM has a cell state too
    return torch.cat([hidden[-2], hidden[-1]], dim=-1) if module.bidirectional else hidden[-1]


def attend(
    module: nn.MultiheadAttention, query: Tensor, key: Tensor | None = None, value: Tensor | None = None
) -> Tensor:
    """Attend from query (N, L, E) to key and value (N, S, E): to itself without a key, to the key without a value."""
    key = query if key is None else key
    output: Tensor = module(query, key, key if value is None else value, need_weights=False)[0]
    return output


def reshape(x: Tensor, *, shape: Sequence[int]) -> Tensor:
    """Give x another shape; 0 keeps the dimension at that place, -1 is what is left."""
    return x.reshape([x.shape[place] if size == 0 else size for place, size in enumerate(shape)])
