"""Calls of recurrent modules: their first states, lengths of sequences, and final states."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graftwerk.tracing.graph_writer import GraphWriter
from graftwerk.tracing.module_parameters import Module, non_default_parameters
from graftwerk.tracing.unsupported import UnsupportedOperation
from graftwerk.tracing.values import PackedValue, TensorRef, TupleValue

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
    state: str = ""  # the last layer's final state (N, directions H)
    _time_first: bool = False

    def write(self, values: list[Any], used: frozenset[int], is_shared: bool) -> TupleValue:
        """Write a node that returns all steps, or the final state if only that is used. `values`: the arguments.

        Raises `UnsupportedOperation`.
        """
        first, *states = [value for value in values if value is not None]
        self._check_first_states(states)
        packed = first if isinstance(first, PackedValue) else None
        if not isinstance(first, TensorRef | PackedValue):
            raise UnsupportedOperation("an operand is not a single tensor", "take one of its items")
        refs = [first.ref] if isinstance(first, TensorRef) else [first.sequence.ref]
        time_first = packed.is_time_first if packed is not None else not self.module.batch_first
        if packed is not None:
            self.lengths = packed.lengths.ref
        parameters = non_default_parameters(self.module, self.kind)
        if used == {1} and not is_shared:
            self.state = self._node(refs, parameters | {"returns": "state"}, time_first)
        else:
            self.sequence = self._node(refs, parameters, time_first)
        output: Any = TensorRef(self.sequence)
        if packed is not None:
            output = PackedValue(TensorRef(self.sequence), packed.lengths, time_first)
        self._time_first = time_first
        return TupleValue(lambda index: output if index == 0 else self._states())

    def _node(self, refs: list[str], parameters: Mapping[str, Any], time_first: bool) -> str:
        """Write the node; lengths (N) are not transposed."""
        if time_first and self.lengths:
            turned = self.writer.add("transpose", refs, {"dim0": 0, "dim1": 1})
            node = self.node(self.path, self.module, self.kind, [turned, self.lengths], parameters, False)
            if parameters.get("returns") == "state":
                return node
            return self.writer.add("transpose", [node], {"dim0": 0, "dim1": 1})
        inputs = [*refs, *([self.lengths] if self.lengths else [])]
        return self.node(self.path, self.module, self.kind, inputs, parameters, time_first)

    def _check_first_states(self, states: list[Any]) -> None:
        flat = [each for state in states for each in (state if isinstance(state, tuple | list) else [state])]
        if not all(isinstance(each, TensorRef) and each.is_zero for each in flat):
            raise UnsupportedOperation(
                f"the first state of {self.kind} is zero in the language, but here it is another",
                "leave the first state out, or use the Scan of the language with a cell",
            )

    def _states(self) -> TupleValue:
        """Return the final states by layer and direction, of which only the last layer's are available."""
        hidden = TupleValue(self._direction, ("squeeze",), self._stacked)
        if self.kind != "LSTM":
            return hidden

        def take(index: int) -> TupleValue:
            if index != 0:
                raise UnsupportedOperation(
                    "the cell state of an LSTM is not available", "use its hidden state, or a GRU"
                )
            return hidden

        return TupleValue(take)

    def _stacked(self) -> TensorRef:
        """Return the final states (directions, N, H) of a module with one layer."""
        if self.module.num_layers > 1:
            raise UnsupportedOperation("the states of inner layers are not available", "use the last layer's, h[-1]")
        parts = [self._direction(at).ref for at in range(2 if self.module.bidirectional else 1)]
        if len(parts) == 1:
            return TensorRef(self.writer.add("unsqueeze", parts, {"dim": 0}))
        return TensorRef(self.writer.add("stack", parts, {"dim": 0}))

    def _direction(self, index: int) -> TensorRef:
        directions = 2 if self.module.bidirectional else 1
        count = directions * self.module.num_layers
        direction = index - (count if index >= 0 else 0) + directions
        if not 0 <= direction < directions:
            raise UnsupportedOperation(
                "the states of inner layers are not available", f"use the last layer's, h[-{directions}:]"
            )
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
