"""Functions with weights as arguments, and modules in that form: where weights are tied, frozen or computed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graftwerk.tracing.attention import AttentionMasks, attend
from graftwerk.tracing.functions.operator_call import OperatorCall
from graftwerk.tracing.graph_writer import GraphWriter
from graftwerk.tracing.unsupported import UnsupportedOperation
from graftwerk.tracing.values import TensorRef, VaryingSize, tensor_refs

Module = Any  # torch.nn.Module
_CONVOLUTION = (("stride", 1), ("padding", 0), ("dilation", 1), ("groups", 1))


def _refs(values: Sequence[Any]) -> list[str]:
    return tensor_refs([value for value in values if value is not None])


def _linear(call: OperatorCall) -> TensorRef:
    return call.add("linear", _refs([call.operand, call.argument(1, "weight"), call.argument(2, "bias")]))


def _convolution(kind: str) -> Callable[[OperatorCall], TensorRef]:
    def handler(call: OperatorCall) -> TensorRef:
        fields: dict[str, Any] = {}
        for at, (name, default) in enumerate(_CONVOLUTION, 3):
            value = call.argument(at, name, default)
            value = value[0] if isinstance(value, tuple | list) and len(set(value)) == 1 else value
            fields |= {} if value == default else {name: list(value) if isinstance(value, tuple) else value}
        refs = _refs([call.operand, call.argument(1, "weight"), call.argument(2, "bias")])
        return call.add(kind, refs, **fields)

    return handler


def _embedding(call: OperatorCall) -> TensorRef:
    padding = call.argument(2, "padding_idx")
    if call.argument(3, "max_norm") is not None or call.argument(5, "scale_grad_by_freq") or call.argument(6, "sparse"):
        raise UnsupportedOperation("embedding has no max_norm, scale_grad_by_freq or sparse", "leave them out")
    weight = call.argument(1, "weight")
    if padding is not None and padding < 0:
        padding += weight.shape[0]
    fields = {} if padding is None else {"padding_idx": padding}
    return call.add("embedding", _refs([call.operand, weight]), **fields)


def _affine(writer: GraphWriter, ref: str, weight: Any, bias: Any) -> TensorRef:
    for kind, each in (("mul", weight), ("add", bias)):
        ref = ref if each is None else writer.add(kind, [ref, *tensor_refs([each])])
    return TensorRef(ref)


def _layer_norm(call: OperatorCall) -> TensorRef:
    shape, eps = call.argument(1, "normalized_shape"), call.argument(4, "eps", 1e-5)
    fields = {"normalized_shape": list(shape), "elementwise_affine": False} | ({} if eps == 1e-5 else {"eps": eps})
    plain = call.add("LayerNorm", [call.tensor()], **fields)
    return _affine(call.writer, plain.ref, call.argument(2, "weight"), call.argument(3, "bias"))


def _rms_norm(call: OperatorCall) -> TensorRef:
    shape, eps = call.argument(1, "normalized_shape"), call.argument(3, "eps")
    fields = {"normalized_shape": list(shape), "elementwise_affine": False} | ({} if eps is None else {"eps": eps})
    plain = call.add("RMSNorm", [call.tensor()], **fields)
    return _affine(call.writer, plain.ref, call.argument(2, "weight"), None)


def _per_channel(writer: GraphWriter, value: Any, dimensions: int) -> Any:
    """Return a vector with `dimensions` dimensions of size one behind it."""
    if value is None or not dimensions:
        return value
    ref = tensor_refs([value])[0]
    for _ in range(dimensions):
        ref = writer.add("unsqueeze", [ref], {"dim": -1})
    return TensorRef(ref)


def _group_norm(call: OperatorCall) -> TensorRef:
    eps, weight, bias = call.argument(4, "eps", 1e-5), call.argument(2, "weight"), call.argument(3, "bias")
    fields = {"num_groups": call.argument(1, "num_groups"), "affine": False} | ({} if eps == 1e-5 else {"eps": eps})
    plain = call.add("GroupNorm", [call.tensor()], num_channels=call.shape[1], **fields)
    behind = len(call.shape) - 2
    return _affine(
        call.writer, plain.ref, _per_channel(call.writer, weight, behind), _per_channel(call.writer, bias, behind)
    )


def _weight_norm(call: OperatorCall) -> TensorRef:
    """Salimans and Kingma (2016): v g / ‖v‖, with a norm for each index of `dim`."""
    g, dim = call.argument(1, "g"), call.argument(2, "dim", 0)
    dims = [each for each in range(len(call.shape)) if each != dim % len(call.shape)]
    norm = call.add("vector_norm", [call.tensor()], dim=dims, keepdim=True)
    return call.add("mul", [call.tensor(), call.add("div", [*tensor_refs([g]), norm.ref]).ref])


def _attention(call: OperatorCall) -> TensorRef:
    query, key, value = (call.argument(at, name) for at, name in enumerate(("query", "key", "value")))
    mask, rate = call.argument(3, "attn_mask"), call.argument(4, "dropout_p", 0.0)
    causal, scale = bool(call.argument(5, "is_causal", False)), call.kwargs.get("scale")
    if call.kwargs.get("enable_gqa"):
        raise UnsupportedOperation("scaled_dot_product_attention has no enable_gqa", "repeat the keys and values")
    if not rate:
        fields = {**({"is_causal": True} if causal else {}), **({} if scale is None else {"scale": scale})}
        refs = _refs([query, key, value, mask])
        return call.add("scaled_dot_product_attention", refs, **fields)
    hidden, added = [], []
    if mask is not None and mask.dtype == "bool":
        hidden = [call.add("logical_not", [mask.ref]).ref]
    elif mask is not None:
        added = [mask.ref]
    width = query.shape[-1]
    if isinstance(width, VaryingSize):
        raise UnsupportedOperation("the width of attention differs between inputs", "pass examples=(…) to trace")
    masks = AttentionMasks(hidden, added, causal)
    return attend(call.writer, (query.ref, key.ref, value.ref), masks, rate, width**-0.5 if scale is None else scale)[0]


def _stochastic_depth(call: OperatorCall) -> TensorRef:
    """Huang et al. (2016): whole examples are dropped in training."""
    rate, mode = call.argument(1, "p"), call.argument(2, "mode")
    if rate == 0:
        return call.operand
    if mode != "row":
        raise UnsupportedOperation('stochastic depth drops single examples here: mode "row"', 'use mode="row"')
    ones = call.add("ones", [call.tensor()], shape=[1] * (len(call.shape) - 1))
    dropped = call.add("Dropout", [ones.ref], **({} if rate == 0.5 else {"p": rate}))
    return call.add("mul", [call.tensor(), dropped.ref])


FUNCTIONAL_HANDLERS: Mapping[str, Callable[[OperatorCall], Any]] = {
    "linear": _linear,
    **{f"conv{d}d": _convolution(f"conv{d}d") for d in (1, 2, 3)},
    "embedding": _embedding,
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "group_norm": _group_norm,
    "_weight_norm": _weight_norm,
    "scaled_dot_product_attention": _attention,
    "stochastic_depth": _stochastic_depth,
}


def module_form(
    writer: GraphWriter, module: Module, kind: str, value: TensorRef, weights: Mapping[str, TensorRef]
) -> Any:
    """Write a module's call with tensors in the place of its own weights. Raises `UnsupportedOperation`."""
    weight, bias = weights.get("weight"), weights.get("bias")
    arguments: dict[str, tuple[Any, ...]] = {
        "Linear": (weight, bias),
        "Embedding": (weight, getattr(module, "padding_idx", None), getattr(module, "max_norm", None)),
        "LayerNorm": (getattr(module, "normalized_shape", ()), weight, bias, getattr(module, "eps", 0.0)),
        "RMSNorm": (getattr(module, "normalized_shape", ()), weight, getattr(module, "eps", None)),
        "GroupNorm": (getattr(module, "num_groups", 1), weight, bias, getattr(module, "eps", 0.0)),
    }
    if kind in ("Conv1d", "Conv2d", "Conv3d") and module.padding_mode == "zeros":
        settings = (module.stride, module.padding, module.dilation, module.groups)
        arguments[kind] = (weight, bias, *settings)
    if kind.startswith("BatchNorm"):
        return _batch_norm(writer, module, kind, value, weights)
    if kind not in arguments:
        raise UnsupportedOperation(
            f"{kind} cannot share, freeze or lend single tensors", "call one module twice, or give each its own tensor"
        )
    call = OperatorCall(writer, (value, *arguments[kind]), {})
    return FUNCTIONAL_HANDLERS[FUNCTION_OF_KIND[kind]](call)


def _batch_norm(
    writer: GraphWriter, module: Module, kind: str, value: TensorRef, weights: Mapping[str, TensorRef]
) -> TensorRef:
    names = (("eps", 1e-5), ("momentum", 0.1), ("track_running_stats", True))
    fields = {name: getattr(module, name) for name, default in names if getattr(module, name) != default}
    plain = writer.add(kind, [value.ref], {"num_features": module.num_features, "affine": False, **fields})
    writer.add_weights(plain, dict(module.named_buffers()))
    behind = len(value.shape) - 2
    affine = [_per_channel(writer, weights.get(name), behind) for name in ("weight", "bias")]
    return _affine(writer, plain, *affine)


FUNCTION_OF_KIND = {
    "Linear": "linear",
    "Embedding": "embedding",
    "LayerNorm": "layer_norm",
    "RMSNorm": "rms_norm",
    "GroupNorm": "group_norm",
    **{f"Conv{d}d": f"conv{d}d" for d in (1, 2, 3)},
}
