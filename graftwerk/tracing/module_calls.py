"""Modules of the language, as nodes: each under its path, with its weights."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graftwerk.tracing.graph_writer import GraphWriter, check_tensors
from graftwerk.tracing.module_parameters import RECURRENT_MODULES, Module, non_default_parameters
from graftwerk.tracing.unsupported import UnsupportedOperation
from graftwerk.tracing.values import TensorRef, TupleValue

NO_MASKS = "masks are no part of the language"


@dataclass
class ModuleCallWriter:
    """Writes the calls of modules. `uses` counts how often each module is called, by identity."""

    writer: GraphWriter
    kinds: Mapping[type, str]
    uses: Counter[int] = field(default_factory=Counter)
    _blocks: dict[int, str] = field(default_factory=dict)

    def call(self, path: str, module: Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], alone: Any) -> Any:
        """Write a call, and return what it gives. `alone` says which part of several is taken. Raises `Refusal`."""
        kind = self.kinds[type(module)]
        if kind == "TransformerEncoder":
            return self._stack(path, module, args, kwargs)
        if kind == "MultiheadAttention":
            return self._attention(path, module, args, kwargs)
        asked = {name: value for name, value in kwargs.items() if value is not None and value is not False}
        refs = tensor_refs([*args, *asked.values()])
        if kind in RECURRENT_MODULES:
            return self._recurrent(path, module, kind, refs, alone)
        if kind == "TransformerEncoderLayer" and len(refs) > 1:
            raise UnsupportedOperation(
                f"TransformerEncoderLayer takes one tensor here: {NO_MASKS}", "leave the mask out"
            )
        first = kind == "TransformerEncoderLayer" and not module.self_attn.batch_first
        return TensorRef(self._batch_first_node(path, module, kind, refs, non_default_parameters(module, kind), first))

    def _batch_first_node(
        self, path: str, module: Module, kind: str, refs: list[str], found: Mapping[str, Any], swapped: bool
    ) -> str:
        """Write a node, between two transpositions where the module has the sequence's steps before the examples."""
        if not swapped:
            return self._node(path, module, kind, refs, found)
        turned = {ref: self.writer.add("transpose", [ref], {"dim0": 0, "dim1": 1}) for ref in dict.fromkeys(refs)}
        made = self._node(path, module, kind, [turned[ref] for ref in refs], found)
        if found.get("returns") in ("state", "last"):
            return made
        return self.writer.add("transpose", [made], {"dim0": 0, "dim1": 1})

    def _node(self, path: str, module: Module, kind: str, refs: list[str], found: Mapping[str, Any]) -> str:
        state = module.state_dict()
        check_tensors(path, *module.parameters())
        if self.uses[id(module)] < 2 or not state:
            made = self.writer.add(kind, refs, found, name=path)
            self.writer.add_weights(made, state)
            return made
        if id(module) not in self._blocks:
            self._blocks[id(module)] = self.writer.unique_name(f"{path}_shared", kind)
        made = self.writer.add_shared(self._blocks[id(module)], kind, refs, found, path)
        self.writer.add_weights(f"{made}.part", state)
        return made

    def _stack(self, path: str, module: Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> TensorRef:
        refs = tensor_refs([*args, *(value for value in kwargs.values() if value is not None)])
        if len(refs) > 1:
            raise UnsupportedOperation(f"TransformerEncoder takes one tensor here: {NO_MASKS}", "leave the mask out")
        ref = refs[0]
        for place, layer in enumerate(module.layers):
            if self.kinds.get(type(layer)) != "TransformerEncoderLayer":
                raise UnsupportedOperation(
                    f"layer {place} is a {type(layer).__name__}", "use nn.TransformerEncoderLayer"
                )
            ref = self.call(f"{path}.layers.{place}", layer, (TensorRef(ref),), {}, None).ref
        if module.norm is not None:
            if type(module.norm) not in self.kinds:
                raise UnsupportedOperation(f"norm is a {type(module.norm).__name__}", "use nn.LayerNorm")
            ref = self.call(f"{path}.norm", module.norm, (TensorRef(ref),), {}, None).ref
        return TensorRef(ref)

    def _attention(self, path: str, module: Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> TupleValue:
        names = ("query", "key", "value", "key_padding_mask", "need_weights", "attn_mask", "average_attn_weights")
        given = dict(zip(names, args, strict=False)) | dict(kwargs)
        if any(given.get(name) is not None for name in ("key_padding_mask", "attn_mask")) or given.get("is_causal"):
            raise UnsupportedOperation(f"MultiheadAttention attends to everything: {NO_MASKS}", "leave the mask out")
        query, key, value = tensor_refs([given[name] for name in names[:3]])
        refs = [query] if query == key == value else [query, key] if key == value else [query, key, value]
        found = non_default_parameters(module, "MultiheadAttention")
        made = TensorRef(
            self._batch_first_node(path, module, "MultiheadAttention", refs, found, not module.batch_first)
        )

        def take(index: int) -> TensorRef:
            if index != 0:
                raise UnsupportedOperation("the weights of attention are not given", "use the output alone")
            return made

        return TupleValue(take)

    def _recurrent(self, path: str, module: Module, kind: str, refs: list[str], alone: Any) -> TupleValue:
        """Write a recurrent module that returns all steps, or where nothing else is taken its final state."""
        if len(refs) > 1:
            raise UnsupportedOperation(f"{kind} starts from zeros", "leave the first state out")
        found = non_default_parameters(module, kind)
        if alone == 1 and self.uses[id(module)] < 2:
            state = self._batch_first_node(
                path, module, kind, refs, found | {"returns": "state"}, not module.batch_first
            )
            final = FinalState(self.writer, module, "", state)
        else:
            sequence = self._batch_first_node(path, module, kind, refs, found, not module.batch_first)
            final = FinalState(self.writer, module, sequence, "")
        return TupleValue(lambda index: TensorRef(final.sequence) if index == 0 else final.states(kind == "LSTM"))


@dataclass(frozen=True)
class FinalState:
    """The last layer's final state: a node that gives it, or what its sequence ends with."""

    writer: GraphWriter
    module: Module
    sequence: str
    state: str

    def states(self, cell: bool) -> TupleValue:
        """Return the final states of all layers and directions, of which the last layer's can be taken."""
        if not cell:
            return TupleValue(self._direction, ("squeeze",))

        def take(index: int) -> TupleValue:
            if index != 0:
                raise UnsupportedOperation("the cell state of an LSTM is not given", "use its hidden state, or a GRU")
            return TupleValue(self._direction, ("squeeze",))

        return TupleValue(take)

    def _direction(self, index: int) -> TensorRef:
        directions = 2 if self.module.bidirectional else 1
        count = directions * self.module.num_layers
        direction = index - (count if index >= 0 else 0) + directions
        if not 0 <= direction < directions:
            raise UnsupportedOperation(
                "the states of inner layers are not given", f"use the last layer's, h[{-directions}:]"
            )
        if directions == 1 and self.state:
            return TensorRef(self.state)
        width = self.module.hidden_size
        if self.state:  # both directions side by side
            return TensorRef(
                self.writer.add("narrow", [self.state], {"dim": 1, "start": direction * width, "length": width})
            )
        steps = 0 if not self.module.batch_first else 1
        ends = -1 if direction == 0 else 0  # the way back ends at the first step
        last = self.writer.add("select", [self.sequence], {"dim": steps, "index": ends})
        if directions == 1:
            return TensorRef(last)
        return TensorRef(self.writer.add("narrow", [last], {"dim": 1, "start": direction * width, "length": width}))


def tensor_refs(values: list[Any]) -> list[str]:
    """Return the tensors among the operands of a call. Raises `Refusal` for anything else."""
    for value in values:
        if not isinstance(value, TensorRef):
            raise UnsupportedOperation("one of its operands is no single tensor", "take one part of it")
    return [value.ref for value in values]
