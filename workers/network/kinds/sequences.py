"""Calls of recurrent modules and of attention, and stacks of Transformer layers.

`model.py` carries the source of those that it uses, so they may import only torch and the standard library.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

States = Tensor | tuple[Tensor, Tensor] | None  # (layers x directions, N, H), with the cells' of an LSTM


def run_padded(module: nn.RNNBase, x: Tensor, lengths: Tensor, states: States = None) -> Tensor:
    """Return the outputs (N, L, H) for x (N, L, F), zero past `lengths` (N); H counts both directions.

    The outputs equal those for a packed sequence, whose backward takes O(L²) time on a CPU, since the gradient of every
    step has the size of the sequence. Here the steps past the ends are computed and discarded.
    """
    ends, places = lengths.long().unsqueeze(1), torch.arange(x.shape[1], device=x.device)
    reversed_places = torch.where(places < ends, ends - 1 - places, places).unsqueeze(2)
    run = getattr(torch, module.mode.lower())  # gru, lstm, rnn_tanh, rnn_relu
    directions = 2 if module.bidirectional else 1
    sides: list[Tensor] = []
    for number, weights in enumerate(module.all_weights):
        backward = number % directions
        if number and not backward:  # the next layer
            x, sides = nn.functional.dropout(torch.cat(sides, 2), module.dropout, module.training), []
        steps = x.gather(1, reversed_places.expand(-1, -1, x.shape[2])) if backward else x
        begin: Tensor | tuple[Tensor, ...]
        if states is None:
            hidden = x.new_zeros(1, x.shape[0], module.proj_size or module.hidden_size)
            cell = x.new_zeros(1, x.shape[0], module.hidden_size)
            begin = (hidden, cell) if module.mode == "LSTM" else hidden
        elif isinstance(states, tuple):
            begin = tuple(state[number : number + 1] for state in states)
        else:
            begin = states[number : number + 1]
        side = run(steps, begin, weights, module.bias, 1, 0.0, module.training, False, True)[0]
        sides.append(side.gather(1, reversed_places.expand(-1, -1, side.shape[2])) if backward else side)
    return torch.cat(sides, 2).masked_fill((places >= ends).unsqueeze(2), 0.0)


def first_states(module: nn.RNNBase, x: Tensor, h_0: Tensor | None, c_0: Tensor | None) -> States:
    """Return the first states for x (N, L, F) as torch takes them, of h_0 and c_0 (N, layers x directions, H)."""
    if h_0 is None and c_0 is None:
        return None
    count = module.num_layers * (2 if module.bidirectional else 1)
    h, c = (None if state is None else state.transpose(0, 1).contiguous() for state in (h_0, c_0))
    if h is None:
        h = x.new_zeros(count, x.shape[0], module.proj_size or module.hidden_size)
    if module.mode != "LSTM":
        return h
    return h, x.new_zeros(count, x.shape[0], module.hidden_size) if c is None else c


def run_recurrent(
    module: nn.RNNBase,
    x: Tensor,
    lengths: Tensor | None = None,
    *,
    h_0: Tensor | None = None,
    c_0: Tensor | None = None,
    returns: str = "sequence",
    return_states: bool = False,
) -> Tensor | tuple[Tensor, ...]:
    """Run a recurrent module on x (N, L, F); with `lengths` (N), each at least 1, each sequence ends there.

    Returns all outputs (N, L, H) for "sequence", the output of the last step (N, H) for "last", or the last layer's
    final hidden state (N, H) for "state"; H counts both directions. With `return_states` the final states
    (N, layers x directions, H) follow. `h_0` and `c_0` of that shape are the first ones, by default zero.
    """
    output: Tensor
    states, final = first_states(module, x, h_0, c_0), None
    if lengths is None:
        output, final = module(x, states)
    elif x.is_cuda or return_states:
        packed = pack_padded_sequence(x, lengths.long().cpu(), batch_first=True, enforce_sorted=False)
        packed_output, final = module(packed, states)
        output, _ = pad_packed_sequence(packed_output, batch_first=True, total_length=x.shape[1])
    else:
        output = run_padded(module, x, lengths, states)
    result = output if returns == "sequence" else last_output(module, output, lengths, returns)
    if not return_states:
        return result
    parts = final if isinstance(final, tuple) else (final,)
    return result, *(state.transpose(0, 1) for state in parts)


def last_output(module: nn.RNNBase, output: Tensor, lengths: Tensor | None, returns: str) -> Tensor:
    """Return the last step (N, H) of outputs (N, L, H), or the final state: that of the backward direction is first."""
    if lengths is None:
        last = output[:, -1]
    else:
        last = output[torch.arange(output.shape[0], device=output.device), lengths.long().to(output.device) - 1]
    if returns == "last" or not module.bidirectional:
        return last
    half = output.shape[2] // 2
    return torch.cat([last[:, :half], output[:, 0, half:]], dim=-1)  # the backward direction ends at the first step


def padding_mask(x: Tensor, lengths: Tensor | None, mask: Tensor | None) -> Tensor | None:
    """Return the mask (N, L) of the steps of x (N, L, E) that are not read: those past `lengths` (N), or `mask`."""
    if lengths is None:
        return mask
    return torch.arange(x.shape[1], device=x.device) >= lengths.to(x.device).unsqueeze(1)


def attention_mask(queries: Tensor, keys: Tensor, mask: Tensor | None, heads: int, is_causal: bool) -> Tensor | None:
    """Return the mask of attention as torch takes it: (L, S) or (N heads, L, S).

    `mask` is (L, S), (N, L, S) or (N, heads, L, S); without one, the keys after each query are masked if `is_causal`.
    """
    if mask is None:
        places = torch.arange(keys.shape[1], device=keys.device)
        return places > torch.arange(queries.shape[1], device=keys.device).unsqueeze(1) if is_causal else None
    if mask.ndim == 2:
        return mask
    per_head = mask.unsqueeze(1) if mask.ndim == 3 else mask
    return per_head.expand(-1, heads, -1, -1).flatten(0, 1)


def attend(
    module: nn.MultiheadAttention,
    query: Tensor,
    key: Tensor | None = None,
    value: Tensor | None = None,
    lengths: Tensor | None = None,
    *,
    key_padding_mask: Tensor | None = None,
    attn_mask: Tensor | None = None,
    is_causal: bool = False,
    need_weights: bool = False,
    average_attn_weights: bool = True,
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the attention (N, L, E) of query (N, L, E) to key and value (N, S, E), by default query and key.

    With `lengths` (N), each at least 1, keys past their end are masked; with `is_causal`, those after the query. With
    `need_weights` the weights (N, L, S) follow, or those of all heads (N, heads, L, S).
    """
    key = query if key is None else key
    value = key if value is None else value
    hidden = padding_mask(key, lengths, key_padding_mask)
    later = attention_mask(query, key, attn_mask, module.num_heads, is_causal)
    output: tuple[Tensor, Tensor] = module(
        query,
        key,
        value,
        key_padding_mask=hidden,
        attn_mask=later,
        need_weights=need_weights,
        average_attn_weights=average_attn_weights,
    )
    return output if need_weights else output[0]


def encode(
    module: nn.TransformerEncoderLayer,
    x: Tensor,
    lengths: Tensor | None = None,
    *,
    src_mask: Tensor | None = None,
    src_key_padding_mask: Tensor | None = None,
    is_causal: bool = False,
) -> Tensor:
    """Return the outputs (N, L, E) for x (N, L, E).

    With `lengths` (N), each at least 1, steps past the end are masked; with `is_causal`, those after each step. Outputs
    past the end are undefined.
    """
    hidden = padding_mask(x, lengths, src_key_padding_mask)
    output: Tensor = module(x, attention_mask(x, x, src_mask, module.self_attn.num_heads, is_causal), hidden)
    return output


def encode_stack(
    module: nn.TransformerEncoder,
    x: Tensor,
    lengths: Tensor | None = None,
    *,
    mask: Tensor | None = None,
    src_key_padding_mask: Tensor | None = None,
    is_causal: bool = False,
) -> Tensor:
    """Return the outputs (N, L, E) of a stack for x (N, L, E), masked as by `encode`."""
    heads: int = module.layers[0].self_attn.num_heads
    hidden = padding_mask(x, lengths, src_key_padding_mask)
    later = attention_mask(x, x, mask, heads, is_causal)
    output: Tensor = module(x, later, hidden, is_causal=False)  # torch compares the mask with a causal one otherwise
    return output


def decode(
    module: nn.TransformerDecoderLayer | nn.TransformerDecoder,
    x: Tensor,
    memory: Tensor,
    lengths: Tensor | None = None,
    *,
    tgt_mask: Tensor | None = None,
    memory_mask: Tensor | None = None,
    tgt_key_padding_mask: Tensor | None = None,
    memory_key_padding_mask: Tensor | None = None,
    is_causal: bool = False,
) -> Tensor:
    """Return the outputs (N, L, E) for x (N, L, E) and memory (N, S, E).

    `lengths` (N), each at least 1, are those of the memory, whose steps past the end are masked. With `is_causal`,
    steps of x after each step are masked.
    """
    first: nn.Module = module.layers[0] if isinstance(module, nn.TransformerDecoder) else module
    heads: int = first.self_attn.num_heads  # type: ignore[union-attr, assignment]
    output: Tensor = module(
        x,
        memory,
        attention_mask(x, x, tgt_mask, heads, is_causal),
        attention_mask(x, memory, memory_mask, heads, False),
        tgt_key_padding_mask,
        padding_mask(memory, lengths, memory_key_padding_mask),
        tgt_is_causal=False,  # torch compares the mask with a causal one otherwise
    )
    return output


def transform(
    module: nn.Transformer,
    source: Tensor,
    target: Tensor,
    lengths: Tensor | None = None,
    *,
    src_mask: Tensor | None = None,
    tgt_mask: Tensor | None = None,
    memory_mask: Tensor | None = None,
    src_key_padding_mask: Tensor | None = None,
    tgt_key_padding_mask: Tensor | None = None,
    memory_key_padding_mask: Tensor | None = None,
    is_causal: bool = False,
) -> Tensor:
    """Return the outputs (N, L, E) for source (N, S, E) and target (N, L, E).

    `lengths` (N), each at least 1, are those of the source, whose steps past the end are masked in encoder and decoder.
    With `is_causal`, steps of the target after each step are masked.
    """
    output: Tensor = module(
        source,
        target,
        attention_mask(source, source, src_mask, module.nhead, False),
        attention_mask(target, target, tgt_mask, module.nhead, is_causal),
        attention_mask(target, source, memory_mask, module.nhead, False),
        padding_mask(source, lengths, src_key_padding_mask),
        tgt_key_padding_mask,
        padding_mask(source, lengths, memory_key_padding_mask),
        src_is_causal=False,  # torch compares the masks with causal ones otherwise
        tgt_is_causal=False,
    )
    return output


def run_lstm_cell(module: nn.LSTMCell, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """Return h and c (N, H) after one step of an LSTM."""
    states: tuple[Tensor, Tensor] = module(x, (h, c))
    return states
