"""Attention step by step, for what the kinds of the language do not have: masks, dropout and weights of attention."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from graftwerk.tracing.graph_writer import LOWEST_FLOAT, GraphWriter
from graftwerk.tracing.unsupported import UnsupportedOperation
from graftwerk.tracing.values import TensorRef

Module = Any  # torch.nn.Module


@dataclass(frozen=True)
class AttentionMasks:
    """References of bools, true for hidden keys, and of numbers that are added to the scores."""

    hidden: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    is_causal: bool = False


def attend(
    writer: GraphWriter, operands: tuple[str, str, str], masks: AttentionMasks, rate: float, scale: float
) -> tuple[TensorRef, TensorRef]:
    """Write attention of (query, key, value) with dropout of its weights. Returns the output and the weights."""
    query, key, value = operands
    turned = writer.add("transpose", [key], {"dim0": -2, "dim1": -1})
    product = writer.add("matmul", [query, turned])
    scores = writer.add("mul", [product], {"scalar": scale})
    hidden = list(masks.hidden)
    if masks.is_causal:
        lower = writer.add("tril", [writer.add("ones_like", [scores])])
        hidden.append(writer.add("eq", [lower], {"scalar": 0}))
    for mask in masks.added:
        scores = writer.add("add", [scores, mask])
    for mask in hidden:
        scores = writer.add("masked_fill", [scores, mask], {"value": LOWEST_FLOAT})
    weights = writer.add("softmax", [scores])
    dropped = writer.add("Dropout", [weights], {} if rate == 0.5 else {"p": rate}) if rate else weights
    return TensorRef(writer.add("matmul", [dropped, value])), TensorRef(dropped)


def is_causal_mask(mask: TensorRef) -> bool:
    """Return whether a mask of `nn.MultiheadAttention` hides exactly the later steps, whatever the inputs."""
    torch = import_module("torch")
    if mask.dependence == mask.dependence.DATA or not mask.samples:
        return False
    for each in mask.samples:
        if each.dim() != 2 or each.shape[0] != each.shape[1]:
            return False
        later = torch.ones(each.shape, dtype=torch.bool).triu(1)
        expected = later if each.dtype == torch.bool else torch.zeros(each.shape).masked_fill(later, float("-inf"))
        if not torch.equal(each.cpu().to(expected.dtype), expected):
            return False
    return True


def mask_refs(writer: GraphWriter, attn_mask: TensorRef | None, key_padding_mask: TensorRef | None) -> AttentionMasks:
    """Return the masks of `nn.MultiheadAttention` for scores (N, heads, L, S). Raises `UnsupportedOperation`."""
    if attn_mask is not None and is_causal_mask(attn_mask):
        masks, attn_mask = AttentionMasks(is_causal=True), None
    else:
        masks = AttentionMasks()
    if attn_mask is not None:
        if len(attn_mask.shape) != 2:
            raise UnsupportedOperation("a mask for each head is not supported", "give one mask (L, S)")
        (masks.hidden if attn_mask.dtype == "bool" else masks.added).append(attn_mask.ref)
    if key_padding_mask is not None:
        ref = writer.add("unsqueeze", [writer.add("unsqueeze", [key_padding_mask.ref], {"dim": 1})], {"dim": 1})
        (masks.hidden if key_padding_mask.dtype == "bool" else masks.added).append(ref)
    return masks


def attention_form(
    writer: GraphWriter, module: Module, operands: tuple[str, str, str], masks: AttentionMasks,
    weights: Mapping[str, TensorRef],
) -> tuple[TensorRef, TensorRef]:  # fmt: skip
    """Write `nn.MultiheadAttention` on (N, L, E) as operations. Returns the output (L, N, E) and weights (N, L, S).

    The output is laid out in memory as torch's, so that a dropout after it draws the same numbers for the same places.
    """
    if "in_proj_weight" not in weights or module.bias_k is not None or module.add_zero_attn:
        raise UnsupportedOperation("masks need attention without kdim, vdim, add_bias_kv and add_zero_attn")
    width, heads = module.embed_dim, module.num_heads
    parts = []
    for at, ref in enumerate(operands):
        fields = {"dim": 0, "start": at * width, "length": width}
        names = [name for name in ("in_proj_weight", "in_proj_bias") if name in weights]
        inner = [writer.add("narrow", [weights[name].ref], fields) for name in names]
        projected = writer.add("linear", [ref, *inner])
        split = writer.add("reshape", [projected], {"shape": [0, 0, heads, width // heads]})
        parts.append(writer.add("transpose", [split], {"dim0": 1, "dim1": 2}))
    output, attention = attend(writer, (parts[0], parts[1], parts[2]), masks, module.dropout, (width // heads) ** -0.5)
    joined = writer.add("permute", [output.ref], {"dims": [2, 0, 1, 3]})
    flat = writer.add("reshape", [joined], {"shape": [0, 0, width]})
    names = [name for name in ("out_proj.weight", "out_proj.bias") if name in weights]
    result = writer.add("linear", [flat, *(weights[name].ref for name in names)])
    return TensorRef(result), TensorRef(lambda: writer.add("mean", [attention.ref], {"dim": 1}))
