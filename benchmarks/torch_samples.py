"""Torch's own samples of its modules, as its tests have them, in the words of the language."""

import sys
import unittest
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from inspect import Parameter, signature
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from workers.network.kinds.modules import MODULES

RENAMED = {"Fold": "FoldPatches"}
RECURRENT = frozenset({"RNN", "GRU", "LSTM"})
STATES = ("h_0", "c_0")
DROPPED = frozenset({"device", "dtype", "batch_first", "inplace"})
ATTENTION_MASKS = frozenset({"attn_mask", "mask", "src_mask", "tgt_mask", "memory_mask"})


class NotExpressible(Exception):
    """The language has no words for a sample."""


@dataclass
class Sample:
    """A module of torch with inputs, batch first, and the settings of the node that is to compute the same.

    `inputs` are by position, `named` those that fields of the node refer to.
    """

    kind: str
    fields: dict[str, Any]
    module: nn.Module
    inputs: list[Tensor]
    named: dict[str, Tensor]


def install_test_shim() -> None:
    """Stand in for a package that torch's tests import for a base class, which no sample uses."""
    shim = ModuleType("expecttest")
    vars(shim)["TestCase"] = unittest.TestCase
    sys.modules.setdefault("expecttest", shim)


def load_module_database() -> list[Any]:
    """Return torch's `module_db`."""
    install_test_shim()
    from torch.testing._internal.common_modules import module_db

    return list(module_db)


def module_samples(info: Any) -> Iterator[Sample | NotExpressible]:
    """Yield the samples of an entry of `module_db`, in training and in evaluation, or why there is no node for one."""
    for training in (True, False):
        torch.manual_seed(0)
        samples = info.module_inputs_func(
            info, device="cpu", dtype=torch.float32, requires_grad=True, training=training
        )
        for found in samples:
            try:
                sample = _sample(info.module_cls, found)
                sample.module.train(training)
                yield sample
            except NotExpressible as error:
                yield error


def _sample(cls: type[nn.Module], found: Any) -> Sample:
    given, forward = found.constructor_input, found.forward_input
    kind = RENAMED.get(cls.__name__, cls.__name__.removeprefix("Lazy"))
    kwargs = {name: value for name, value in given.kwargs.items() if name != "_random_samples"}  # of the seed instead
    time_first = _needs_batch_first(cls, kwargs)
    arguments = _given_arguments(cls, given.args, kwargs)
    module = cls(*given.args, **kwargs)
    time_first |= _make_batch_first(module)
    fields = _fields(arguments)
    if kind not in MODULES:
        raise NotExpressible(f"{kind} is no kind")
    inputs = _tensors(forward.args)
    named = {name: value for name, value in forward.kwargs.items() if value is not None}
    if not inputs and "input" in named:
        inputs = [named.pop("input")]
    if kind in RECURRENT:
        inputs, states = inputs[:1], inputs[1:]
        named |= dict(zip(STATES, states, strict=False))
        fields["return_states"] = True
    if kind == "MultiheadAttention":
        fields["need_weights"] = True
    sample = Sample(kind, fields, module, inputs, named)
    _put_batch_first(sample, found.desc, time_first)
    return sample


def _needs_batch_first(cls: type[nn.Module], kwargs: dict[str, Any]) -> bool:
    """Ask a constructor for batches as the first dimension; return whether it would have had time there."""
    if cls.__name__ not in (*RECURRENT, "Transformer"):
        return False
    time_first = not kwargs.get("batch_first", False)
    kwargs["batch_first"] = True
    return time_first


def _make_batch_first(module: nn.Module) -> bool:
    attention = [part for part in module.modules() if isinstance(part, nn.MultiheadAttention)]
    time_first = any(not part.batch_first for part in attention)
    for part in attention:
        part.batch_first = True
    for part in module.modules():
        if isinstance(part, nn.TransformerEncoder):
            part.use_nested_tensor = False
    return time_first


def _given_arguments(cls: type, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a constructor by name that differ from their defaults."""
    parameters = signature(cls).parameters
    if any(each.kind is Parameter.VAR_POSITIONAL for each in parameters.values()):
        return dict(kwargs)
    bound = signature(cls).bind(*args, **kwargs).arguments
    return {name: value for name, value in bound.items() if not _is_same(value, parameters[name].default)}


def _is_same(value: Any, default: Any) -> bool:
    return not isinstance(value, Tensor) and type(value) is type(default) and bool(value == default)


def _fields(arguments: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in arguments.items():
        if name in ("encoder_layer", "decoder_layer"):
            fields |= _layer_fields(value)
        elif name not in DROPPED:
            fields[name] = _json_value(name, value)
    return fields


def _layer_fields(layer: Any) -> dict[str, Any]:
    return {
        "d_model": layer.self_attn.embed_dim,
        "nhead": layer.self_attn.num_heads,
        "dim_feedforward": layer.linear1.out_features,
        "dropout": layer.dropout.p,
        "activation": _json_value("activation", layer.activation),
        "layer_norm_eps": layer.norm1.eps,
        "norm_first": layer.norm_first,
        "bias": layer.linear1.bias is not None,
    }


def _json_value(name: str, value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.tolist()
    if isinstance(value, tuple | list | torch.Size):
        return [_json_value(name, item) for item in value]
    if name == "activation":
        return value if isinstance(value, str) else getattr(value, "__name__", type(value).__name__.lower())
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise NotExpressible(f"its {name} is a {type(value).__name__}")


def _tensors(values: Any) -> list[Tensor]:
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, tuple | list) and all(isinstance(each, int) for each in value):
            found.append(torch.tensor(value))
        elif isinstance(value, tuple | list):
            found += _tensors(value)
        elif value is not None:
            raise NotExpressible(f"it reads a {type(value).__name__}")
    return found


def _put_batch_first(sample: Sample, description: str, time_first: bool) -> None:
    """Give a sample without a batch dimension one of size 1, and put that of others first."""
    first, ranks = sample.inputs[0], MODULES[sample.kind].dimensions
    is_single = first.ndim + 1 in ranks and first.ndim not in ranks
    is_class_loss = sample.kind in ("CrossEntropyLoss", "NLLLoss") and first.ndim == 1
    if sample.kind == "CTCLoss" and sample.inputs[1].ndim == 1:
        raise NotExpressible("its targets are one list for all examples")
    time_first |= sample.kind == "CTCLoss"
    if first.ndim == 0 or is_single or is_class_loss or "no_batch_dim" in description:
        sample.inputs = [_moved(value, lambda each: each.unsqueeze(0)) for value in sample.inputs]
        for name in sample.named.keys() - ATTENTION_MASKS:
            place = 1 if name in STATES else 0
            sample.named[name] = sample.named[name].unsqueeze(place)
    elif time_first:
        count = 1 if sample.kind == "CTCLoss" else len(sample.inputs)
        sample.inputs[:count] = [_moved(value, lambda each: each.transpose(0, 1)) for value in sample.inputs[:count]]


def _moved(value: Tensor, move: Any) -> Tensor:
    """Return a leaf with the values moved."""
    moved: Tensor = move(value.detach()).clone()
    return moved.requires_grad_(value.requires_grad)
