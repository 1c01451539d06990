"""Calls of recurrent modules: their first states, lengths of sequences, and final states."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graftwerk.tracing.graph_writer import GraphWriter
from graftwerk.tracing.module_parameters import Module, non_default_parameters
from graftwerk.tracing.unsupported import UnsupportedOperation
from graftwerk.tracing.values import PackedValue, TensorRef, TupleValue, tensor_refs

NodeWriter = Callable[[str, Module, str, list[str], Mapping[str, Any], bool], str]


@dataclass
class RecurrentCall:
    """A call of nn.RNN, nn.GRU or nn.LSTM."""

    writer: GraphWriter
    module: Module
    kind: str
    node: NodeWriter
    path: str
    lengths: str = ""
    sequence: str = ""  # all steps
    layers: str = ""  # the node, of which the final states of all layers can be outputs; empty for a shared one
    state: str = ""  # the last layer's final state (N, directions H)
    _time_first: bool = False

    def write(self, values: list[Any], used: frozenset[int], is_shared: bool) -> TupleValue:
        """Write a node that returns all steps, or the final state if only that is used. `values`: the arguments.

        Raises `UnsupportedOperation`.
        """
        first, *states = [value for value in values if value is not None]
        given = self._first_states(states, is_shared)
        packed = first if isinstance(first, PackedValue) else None
        if not isinstance(first, TensorRef | PackedValue):
            raise UnsupportedOperation("an operand is not a single tensor", "take one of its items")
        refs = [first.ref] if isinstance(first, TensorRef) else [first.sequence.ref]
        time_first = packed.is_time_first if packed is not None else not self.module.batch_first
        if packed is not None:
            self.lengths = packed.lengths.ref
        parameters = non_default_parameters(self.module, self.kind) | given
        if used == {1} and not is_shared:
            self.state = self._node(refs, parameters | {"returns": "state"}, time_first)
        else:
            self.sequence = self._node(refs, parameters, time_first)
        self.layers = "" if is_shared else self.layers
        output: Any = TensorRef(self.sequence)
        if packed is not None:
            output = PackedValue(TensorRef(self.sequence), packed.lengths, time_first)
        self._time_first = time_first
        return TupleValue(lambda index: output if index == 0 else self._states())

    def _node(self, refs: list[str], parameters: Mapping[str, Any], time_first: bool) -> str:
        """Write the node; lengths (N) are not transposed."""
        read = [self._transpose(ref) for ref in refs] if time_first else refs
        inputs = [*read, *([self.lengths] if self.lengths else [])]
        self.layers = self.node(self.path, self.module, self.kind, inputs, parameters, False)
        return self._transpose(self.layers) if time_first and parameters.get("returns") != "state" else self.layers

    def _transpose(self, ref: str) -> str:
        return self.writer.add("transpose", [ref], {"dim0": 0, "dim1": 1})

    def _first_states(self, states: list[Any], is_shared: bool) -> dict[str, str]:
        """Return the fields of the first states; none for those that are zero. Raises `UnsupportedOperation`."""
        flat: list[Any] = []
        for state in states:
            if isinstance(state, TupleValue) and state.tensor is None:  # of another LSTM
                flat += [state.get_item(0), state.get_item(1)]
            else:
                flat += state if isinstance(state, tuple | list) else [state]
        if all(isinstance(each, TensorRef) and each.is_zero for each in flat):
            return {}
        if is_shared:
            raise UnsupportedOperation(
                f"a {self.kind} with a first state other than zero is called once", "give each call a module of its own"
            )
        tensors = [each.tensor() if isinstance(each, TupleValue) and each.tensor else each for each in flat]
        refs = tensor_refs(tensors)
        return dict(zip(("h_0", "c_0"), map(self._transpose, refs), strict=False))

    def _final_states(self, name: str, where: str, hint: str) -> str:
        """Return the output of the node with the final states (N, layers x directions, H). `where` is for errors."""
        if not self.layers:
            raise UnsupportedOperation(f"{where} of a {self.kind} that is called twice are not available", hint)
        node = next(each for each in self.writer.nodes if each["id"] == self.layers)
        node["return_states"] = True
        return f"{self.layers}.{name}"

    def _cells(self) -> TupleValue:
        """Return the final cell states of an LSTM."""
        name = self._final_states("c_n", "the cell states", "use its hidden state, or give each call its own module")
        return TupleValue(
            lambda index: TensorRef(self.writer.add("select", [name], {"dim": 1, "index": index})),
            ("squeeze",),
            lambda: TensorRef(self._transpose(name)),
        )

    def _states(self) -> TupleValue:
        """Return the final states by layer and direction."""
        hidden = TupleValue(self._direction, ("squeeze",), self._stacked)
        if self.kind != "LSTM":
            return hidden

        def take(index: int) -> TupleValue:
            return self._cells() if index in (1, -1) else hidden

        return TupleValue(take)

    def _stacked(self) -> TensorRef:
        """Return the final states (layers x directions, N, H)."""
        if self.module.num_layers > 1:
            return TensorRef(self._transpose(self._final_states("h_n", "the states of inner layers", "use h[-1]")))
        parts = [self._direction(at).ref for at in range(2 if self.module.bidirectional else 1)]
        if len(parts) == 1:
            return TensorRef(self.writer.add("unsqueeze", parts, {"dim": 0}))
        return TensorRef(self.writer.add("stack", parts, {"dim": 0}))

    def _direction(self, index: int) -> TensorRef:
        directions = 2 if self.module.bidirectional else 1
        count = directions * self.module.num_layers
        direction = index - (count if index >= 0 else 0) + directions
        if not 0 <= direction < directions:
            states = self._final_states("h_n", "the states of inner layers", f"use h[-{directions}:]")
            return TensorRef(self.writer.add("select", [states], {"dim": 1, "index": index}))
        width = self.module.proj_size or self.module.hidden_size
        fields = {"dim": 1, "start": direction * width, "length": width}
        if self.state:  # both directions, concatenated
            return TensorRef(self.state if directions == 1 else self.writer.add("narrow", [self.state], fields))
        last = self._last_step(backward=direction == 1)
        return TensorRef(last if directions == 1 else self.writer.add("narrow", [last], fields))

    def _last_step(self, backward: bool) -> str:
        """Return the step at which a direction ends: the backward one at the first."""
        time_dim = 0 if self._time_first else 1
        if not self.lengths or backward:
            return self.writer.add("select", [self.sequence], {"dim": time_dim, "index": 0 if backward else -1})
        sequence = self.sequence
        if self._time_first:
            sequence = self.writer.add("transpose", [sequence], {"dim0": 0, "dim1": 1})
        return self.writer.add("pool_sequence", [sequence, self.lengths], {"by": "last"})
