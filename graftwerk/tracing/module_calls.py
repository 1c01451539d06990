"""Calls of modules as nodes, named by the module's path, with its weights."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graftwerk.tracing.attention import attention_form, is_causal_mask, mask_refs
from graftwerk.tracing.functions.functional_forms import module_form
from graftwerk.tracing.graph_writer import GraphWriter, check_float32
from graftwerk.tracing.module_parameters import CELLS, RECURRENT_MODULES, UNPOOL_MODULES, Module, non_default_parameters
from graftwerk.tracing.recurrent_calls import RecurrentCall
from graftwerk.tracing.unsupported import UnsupportedOperation
from graftwerk.tracing.values import TensorRef, TupleValue, tensor_refs

ATTENTION_ARGUMENTS = ("query", "key", "value", "key_padding_mask", "need_weights", "attn_mask", "average_attn_weights")
ENCODER_ARGUMENTS = ("src", "src_mask", "src_key_padding_mask", "is_causal")
STACK_ARGUMENTS = ("src", "mask", "src_key_padding_mask", "is_causal")


@dataclass
class ModuleCallWriter:
    """Writes the calls of modules.

    `uses` counts how often each module is called, by identity. `lent` are the tensors, by identity, that a module
    cannot own alone: tied, frozen, or read by others; `tied` those that belong to the first node that has them.
    `tensor(path, tensor)` writes one as a leaf.
    """

    writer: GraphWriter
    kinds: Mapping[type, str]
    tensor: Callable[[str, Any], TensorRef]
    lent: frozenset[int] = frozenset()
    uses: Counter[int] = field(default_factory=Counter)
    tied: frozenset[int] = frozenset()
    _owners: dict[int, str] = field(default_factory=dict)  # of tied tensors
    _blocks: dict[int, str] = field(default_factory=dict)

    def call(
        self, path: str, module: Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], used: frozenset[int]
    ) -> Any:
        """Write a call and return its result. Raises `UnsupportedOperation`.

        `used`: the items of the result that are used.
        """
        kind = self.kinds[type(module)]
        check_float32(path, *module.parameters())
        if kind in ("TransformerEncoder", "TransformerEncoderLayer"):
            write = self._stack if kind == "TransformerEncoder" else self._encoder_layer
            return write(path, module, args, kwargs)
        if kind == "MultiheadAttention":
            return self._attention(path, module, args, kwargs, used)
        if kind in CELLS:
            return self._cell(path, module, kind, args, kwargs)
        if kind in RECURRENT_MODULES:
            self._refuse_lent(module, kind)
            call = RecurrentCall(self.writer, module, kind, self._batch_first_node, path)
            return call.write([*args, *kwargs.values()], used, is_shared=self.uses[id(module)] > 1)
        return self._plain_call(path, module, kind, args, kwargs)

    def _plain_call(
        self, path: str, module: Module, kind: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        if kind in UNPOOL_MODULES:
            return self._unpool(path, module, kind, args, kwargs)
        if kind == "AdaptiveLogSoftmaxWithLoss":
            self._refuse_lent(module, kind)
        options = {name: value for name, value in kwargs.items() if value is not None and value is not False}
        refs = tensor_refs([*args, *options.values()])
        if self._is_lent(module):
            return module_form(self.writer, module, kind, [*args, *options.values()][0], self._tensors(path, module))
        parameters = non_default_parameters(module, kind)
        outputs = ("output", "loss") if kind == "AdaptiveLogSoftmaxWithLoss" else ("output", "indices")
        several = kind == "AdaptiveLogSoftmaxWithLoss" or bool(parameters.get("return_indices"))
        node = self._node(path, module, kind, refs, parameters, outputs if several else ())
        if not several:
            return TensorRef(node)
        return TupleValue(lambda index: TensorRef(f"{node}.{outputs[index]}"), outputs)

    def _unpool(
        self, path: str, module: Module, kind: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> TensorRef:
        """Write MaxUnpool, of whose output size the spatial dimensions count."""
        given = dict(zip(("input", "indices", "output_size"), args, strict=False)) | dict(kwargs)
        parameters, size = non_default_parameters(module, kind), given.get("output_size")
        if size is not None:
            parameters["output_size"] = list(size)[-int(kind[-2]) :]
        return TensorRef(self.writer.add(kind, tensor_refs([given["input"], given["indices"]]), parameters, name=path))

    def _is_lent(self, module: Module) -> bool:
        return any(id(each) in self.lent for each in module.parameters())

    def _refuse_lent(self, module: Module, kind: str) -> None:
        if self._is_lent(module):
            raise UnsupportedOperation(
                f"{kind} cannot share, freeze or lend single tensors",
                "call one module twice, or give each its own tensor",
            )

    def _tensors(self, path: str, module: Module) -> dict[str, TensorRef]:
        return {name: self.tensor(f"{path}.{name}", each) for name, each in module.named_parameters()}

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

    def _node(
        self, path: str, module: Module, kind: str, refs: list[str], parameters: Mapping[str, Any],
        outputs: tuple[str, ...] = (),
    ) -> str:  # fmt: skip
        state = module.state_dict()
        if self.uses[id(module)] < 2 or not state:
            shared = {name: each for name, each in module.named_parameters() if id(each) in self.tied}
            tie = {name: self._owners[id(each)] for name, each in shared.items() if id(each) in self._owners}
            node = self.writer.add(kind, refs, {**parameters, **({"tie": tie} if tie else {})}, name=path)
            for name, each in shared.items():
                self._owners.setdefault(id(each), f"{node}.{name}")
            self.writer.add_weights(node, state)
            return node
        if id(module) not in self._blocks:
            self._blocks[id(module)] = self.writer.unique_name(f"{path}_shared", kind)
        node = self.writer.add_shared(self._blocks[id(module)], kind, refs, parameters, path, outputs)
        self.writer.add_weights(f"{node}.part", state)
        return node

    def _cell(self, path: str, module: Module, kind: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        self._refuse_lent(module, kind)
        x, state = args[0], args[1] if len(args) > 1 else kwargs.get("hx")
        if state is None:
            zeros = self.writer.add("zeros", tensor_refs([x]), {"shape": [module.hidden_size]})
            state = (TensorRef(zeros),) * (2 if kind == "LSTMCell" else 1)
        states = list(state) if isinstance(state, tuple | list) else [state]
        outputs = ("h", "c") if kind == "LSTMCell" else ()
        refs = tensor_refs([x, *states])
        node = self._node(path, module, kind, refs, non_default_parameters(module, kind), outputs)
        if not outputs:
            return TensorRef(node)
        return TupleValue(lambda index: TensorRef(f"{node}.{outputs[index]}"))

    def _stack(self, path: str, module: Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> TensorRef:
        arguments = dict(zip(STACK_ARGUMENTS, args, strict=False)) | dict(kwargs)
        value = arguments["src"]
        options = {f"src_{name}".replace("src_src_", "src_"): arguments.get(name) for name in STACK_ARGUMENTS[1:3]}
        for index, layer in enumerate(module.layers):
            if self.kinds.get(type(layer)) != "TransformerEncoderLayer":
                raise UnsupportedOperation(
                    f"layer {index} is a {type(layer).__name__}", "use nn.TransformerEncoderLayer"
                )
            value = self.call(f"{path}.layers.{index}", layer, (value,), options, frozenset())
        if module.norm is not None:
            if type(module.norm) not in self.kinds:
                raise UnsupportedOperation(f"norm is a {type(module.norm).__name__}", "use nn.LayerNorm")
            value = self.call(f"{path}.norm", module.norm, (value,), {}, frozenset())
        result: TensorRef = value
        return result

    def _encoder_layer(self, path: str, module: Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> TensorRef:
        arguments = dict(zip(ENCODER_ARGUMENTS, args, strict=False)) | dict(kwargs)
        mask, padding = arguments.get("src_mask"), arguments.get("src_key_padding_mask")
        if mask is None and arguments.get("is_causal"):
            raise UnsupportedOperation("is_causal needs a mask in torch", "give both")
        causal = mask is not None and is_causal_mask(mask)
        if padding is None and (mask is None or causal) and not self._is_lent(module):
            parameters = non_default_parameters(module, "TransformerEncoderLayer")
            parameters |= {"is_causal": True} if causal else {}
            refs, time_first = tensor_refs([arguments["src"]]), not module.self_attn.batch_first
            kind = "TransformerEncoderLayer"
            return TensorRef(self._batch_first_node(path, module, kind, refs, parameters, time_first))
        if self.uses[id(module)] > 1:
            raise UnsupportedOperation("a layer with a mask is called once", "give each call a layer of its own")
        return self._encoder_parts(path, module, arguments["src"], {"attn_mask": mask, "key_padding_mask": padding})

    def _encoder_parts(self, path: str, module: Module, value: TensorRef, masks: Mapping[str, Any]) -> TensorRef:
        """Write the layer as its parts."""
        activation = non_default_parameters(module, "TransformerEncoderLayer").get("activation", "relu")

        def part(name: str, each: TensorRef) -> TensorRef:
            result: TensorRef = self.call(f"{path}.{name}", getattr(module, name), (each,), {}, frozenset())
            return result

        def attention(each: TensorRef) -> TensorRef:
            arguments = {"query": each, "key": each, "value": each, **masks}
            name = f"{path}.self_attn"
            return part("dropout1", self.call(name, module.self_attn, (), arguments, frozenset({0})).get_item(0))

        def feed_forward(each: TensorRef) -> TensorRef:
            inner = TensorRef(self.writer.add("relu" if activation == "relu" else "gelu", [part("linear1", each).ref]))
            return part("dropout2", part("linear2", part("dropout", inner)))

        for block, norm in ((attention, "norm1"), (feed_forward, "norm2")):
            inner = block(part(norm, value) if module.norm_first else value)
            total = TensorRef(self.writer.add("add", [value.ref, inner.ref]), value.samples)
            value = total if module.norm_first else part(norm, total)
            value = TensorRef(value.ref, total.samples)
        return value

    def _attention(
        self, path: str, module: Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], used: frozenset[int]
    ) -> TupleValue:
        arguments = dict(zip(ATTENTION_ARGUMENTS, args, strict=False)) | dict(kwargs)
        query, key, value = tensor_refs([arguments[name] for name in ATTENTION_ARGUMENTS[:3]])
        mask, padding = arguments.get("attn_mask"), arguments.get("key_padding_mask")
        causal = mask is not None and is_causal_mask(mask)
        as_kind = padding is None and (mask is None or causal) and 1 not in used and not self._is_lent(module)
        if not as_kind:
            return self._attention_parts(path, module, (query, key, value), arguments)
        refs = [query] if query == key == value else [query, key] if key == value else [query, key, value]
        parameters = non_default_parameters(module, "MultiheadAttention") | ({"is_causal": True} if causal else {})
        output = TensorRef(
            self._batch_first_node(path, module, "MultiheadAttention", refs, parameters, not module.batch_first)
        )
        return TupleValue(lambda index: output)

    def _attention_parts(
        self, path: str, module: Module, operands: tuple[str, str, str], arguments: Mapping[str, Any]
    ) -> TupleValue:
        if self.uses[id(module)] > 1:
            raise UnsupportedOperation("attention with a mask is called once", "give each call a module of its own")
        if arguments.get("average_attn_weights") is False:
            raise UnsupportedOperation("the weights of each head are not available", "leave average_attn_weights out")
        masks = mask_refs(self.writer, arguments.get("attn_mask"), arguments.get("key_padding_mask"))
        turned = operands
        if not module.batch_first:
            swap = {"dim0": 0, "dim1": 1}
            found = {ref: self.writer.add("transpose", [ref], swap) for ref in dict.fromkeys(operands)}
            turned = (found[operands[0]], found[operands[1]], found[operands[2]])
        output, weights = attention_form(self.writer, module, turned, masks, self._tensors(path, module))
        if module.batch_first:
            output = TensorRef(self.writer.add("transpose", [output.ref], {"dim0": 0, "dim1": 1}))
        return TupleValue(lambda index: output if index == 0 else weights)
