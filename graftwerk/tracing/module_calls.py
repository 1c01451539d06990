"""Calls of modules as nodes, named by the module's path, with its weights."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graftwerk.tracing.graph_writer import GraphWriter, check_tensors
from graftwerk.tracing.module_parameters import RECURRENT_MODULES, Module, non_default_parameters
from graftwerk.tracing.unsupported import UnsupportedOperation
from graftwerk.tracing.values import TensorRef, TupleValue

NO_MASKS = "the language has no masks"


@dataclass
class ModuleCallWriter:
    """Writes the calls of modules. `uses` counts how often each module is called, by identity."""

    writer: GraphWriter
    kinds: Mapping[type, str]
    uses: Counter[int] = field(default_factory=Counter)
    _blocks: dict[int, str] = field(default_factory=dict)

    def call(self, path: str, module: Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], used_index: Any) -> Any:
        """Write a call and return its result. Raises `UnsupportedOperation`.

        `used_index`: the only item of the result that is used, if there is one.
        """
        kind = self.kinds[type(module)]
        if kind == "TransformerEncoder":
            return self._stack(path, module, args, kwargs)
        if kind == "MultiheadAttention":
            return self._attention(path, module, args, kwargs)
        options = {name: value for name, value in kwargs.items() if value is not None and value is not False}
        refs = tensor_refs([*args, *options.values()])
        if kind in RECURRENT_MODULES:
            return self._recurrent(path, module, kind, refs, used_index)
        if kind == "TransformerEncoderLayer" and len(refs) > 1:
            raise UnsupportedOperation(
                f"TransformerEncoderLayer takes one tensor here: {NO_MASKS}", "leave the mask out"
            )
        time_first = kind == "TransformerEncoderLayer" and not module.self_attn.batch_first
        parameters = non_default_parameters(module, kind)
        return TensorRef(self._batch_first_node(path, module, kind, refs, parameters, time_first))

    def _batch_first_node(
        self, path: str, module: Module, kind: str, refs: list[str], parameters: Mapping[str, Any], time_first: bool
    ) -> str:
        """Write a node; if its tensors are (time, batch, …), between two transpositions."""
        if not time_first:
            return self._node(path, module, kind, refs, parameters)
        transposed = {ref: self.writer.add("transpose", [ref], {"dim0": 0, "dim1": 1}) for ref in dict.fromkeys(refs)}
        node = self._node(path, module, kind, [transposed[ref] for ref in refs], parameters)
        if parameters.get("returns") in ("state", "last"):
            return node
        return self.writer.add("transpose", [node], {"dim0": 0, "dim1": 1})

    def _node(self, path: str, module: Module, kind: str, refs: list[str], parameters: Mapping[str, Any]) -> str:
        state = module.state_dict()
        check_tensors(path, *module.parameters())
        if self.uses[id(module)] < 2 or not state:
            node = self.writer.add(kind, refs, parameters, name=path)
            self.writer.add_weights(node, state)
            return node
        if id(module) not in self._blocks:
            self._blocks[id(module)] = self.writer.unique_name(f"{path}_shared", kind)
        node = self.writer.add_shared(self._blocks[id(module)], kind, refs, parameters, path)
        self.writer.add_weights(f"{node}.part", state)
        return node

    def _stack(self, path: str, module: Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> TensorRef:
        refs = tensor_refs([*args, *(value for value in kwargs.values() if value is not None)])
        if len(refs) > 1:
            raise UnsupportedOperation(f"TransformerEncoder takes one tensor here: {NO_MASKS}", "leave the mask out")
        ref = refs[0]
        for index, layer in enumerate(module.layers):
            if self.kinds.get(type(layer)) != "TransformerEncoderLayer":
                raise UnsupportedOperation(
                    f"layer {index} is a {type(layer).__name__}", "use nn.TransformerEncoderLayer"
                )
            ref = self.call(f"{path}.layers.{index}", layer, (TensorRef(ref),), {}, None).ref
        if module.norm is not None:
            if type(module.norm) not in self.kinds:
                raise UnsupportedOperation(f"norm is a {type(module.norm).__name__}", "use nn.LayerNorm")
            ref = self.call(f"{path}.norm", module.norm, (TensorRef(ref),), {}, None).ref
        return TensorRef(ref)

    def _attention(self, path: str, module: Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> TupleValue:
        names = ("query", "key", "value", "key_padding_mask", "need_weights", "attn_mask", "average_attn_weights")
        arguments = dict(zip(names, args, strict=False)) | dict(kwargs)
        if any(arguments.get(name) is not None for name in ("key_padding_mask", "attn_mask")) or arguments.get(
            "is_causal"
        ):
            raise UnsupportedOperation(f"MultiheadAttention attends to everything: {NO_MASKS}", "leave the mask out")
        query, key, value = tensor_refs([arguments[name] for name in names[:3]])
        refs = [query] if query == key == value else [query, key] if key == value else [query, key, value]
        parameters = non_default_parameters(module, "MultiheadAttention")
        output = TensorRef(
            self._batch_first_node(path, module, "MultiheadAttention", refs, parameters, not module.batch_first)
        )

        def take(index: int) -> TensorRef:
            if index != 0:
                raise UnsupportedOperation("the attention weights are not available", "use only the output")
            return output

        return TupleValue(take)

    def _recurrent(self, path: str, module: Module, kind: str, refs: list[str], used_index: Any) -> TupleValue:
        """Write a recurrent module that returns all time steps, or its final state if only that is used."""
        if len(refs) > 1:
            raise UnsupportedOperation(f"the initial state of {kind} is zero here", "leave the initial state out")
        parameters = non_default_parameters(module, kind)
        if used_index == 1 and self.uses[id(module)] < 2:
            state = self._batch_first_node(
                path, module, kind, refs, parameters | {"returns": "state"}, not module.batch_first
            )
            final = FinalState(self.writer, module, "", state)
        else:
            sequence = self._batch_first_node(path, module, kind, refs, parameters, not module.batch_first)
            final = FinalState(self.writer, module, sequence, "")
        return TupleValue(lambda index: TensorRef(final.sequence) if index == 0 else final.states(kind == "LSTM"))


@dataclass(frozen=True)
class FinalState:
    """The last layer's final state: a node of its own, or the end of the sequence."""

    writer: GraphWriter
    module: Module
    sequence: str
    state: str

    def states(self, cell: bool) -> TupleValue:
        """Return the final states by layer and direction, of which only the last layer's are available."""
        if not cell:
            return TupleValue(self._direction, ("squeeze",))

        def take(index: int) -> TupleValue:
            if index != 0:
                raise UnsupportedOperation(
                    "the cell state of an LSTM is not available", "use its hidden state, or a GRU"
                )
            return TupleValue(self._direction, ("squeeze",))

        return TupleValue(take)

    def _direction(self, index: int) -> TensorRef:
        directions = 2 if self.module.bidirectional else 1
        count = directions * self.module.num_layers
        direction = index - (count if index >= 0 else 0) + directions
        if not 0 <= direction < directions:
            raise UnsupportedOperation(
                "the states of inner layers are not available", f"use the last layer's, h[{-directions}:]"
            )
        if directions == 1 and self.state:
            return TensorRef(self.state)
        width = self.module.hidden_size
        if self.state:  # both directions, concatenated
            return TensorRef(
                self.writer.add("narrow", [self.state], {"dim": 1, "start": direction * width, "length": width})
            )
        time_dim = 0 if not self.module.batch_first else 1
        end = -1 if direction == 0 else 0  # the backward direction ends at the first time step
        last = self.writer.add("select", [self.sequence], {"dim": time_dim, "index": end})
        if directions == 1:
            return TensorRef(last)
        return TensorRef(self.writer.add("narrow", [last], {"dim": 1, "start": direction * width, "length": width}))


def tensor_refs(values: list[Any]) -> list[str]:
    """Return the references of tensors. Raises `UnsupportedOperation` if a value is not a tensor."""
    for value in values:
        if not isinstance(value, TensorRef):
            raise UnsupportedOperation("an operand is not a single tensor", "take one of its items")
    return [value.ref for value in values]
