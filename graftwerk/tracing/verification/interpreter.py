"""A network of the language as torch runs it, as far as tracing writes networks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from graftwerk.tracing.module_parameters import CELLS, RECURRENT_MODULES, UNPOOL_MODULES
from graftwerk.tracing.verification.operations import operation

Tensor = Any  # torch.Tensor
Document = Mapping[str, Any]
STRUCTURE = frozenset({"id", "kind", "inputs", "tie"})
BATCH_FIRST = RECURRENT_MODULES | {"MultiheadAttention", "TransformerEncoderLayer"}
LAST_DIMENSION = frozenset({"Softmax", "Softmin", "LogSoftmax"})
OUTPUTS = {
    "LSTMCell": ("h", "c"),
    "AdaptiveLogSoftmaxWithLoss": ("output", "loss"),
}  # by default those of topk and sort
STATES = frozenset({"h_0", "c_0"})  # fields that name values
CALL_FIELDS = frozenset({"returns", "is_causal", "return_states", *STATES})


class InterpretedNetwork:
    """A network with its weights, from a spec's `model` document."""

    def __init__(self, document: Document, blocks: Mapping[str, Document], weights: Mapping[str, Tensor]) -> None:
        self._document, self._nodes = document, list(document["nodes"])
        self._parts: dict[str, Any] = {}
        self._leaves: dict[str, Tensor] = {}
        shared: dict[str, InterpretedNetwork] = {}
        for node in self._nodes:
            name = node["id"]
            own = {key.removeprefix(f"{name}."): each for key, each in weights.items() if key.startswith(f"{name}.")}
            if node["kind"] == "block":
                if node["share"] not in shared:
                    shared[node["share"]] = InterpretedNetwork(blocks[node["name"]], blocks, own)
                self._parts[name] = shared[node["share"]]
            elif node["kind"] in ("Parameter", "Buffer", "Constant"):
                self._leaves[name] = _leaf(node, weights.get(name))
            elif node["kind"][0].isupper():
                self._parts[name] = _module(node, own)
        for node in self._nodes:
            for weight, source in (node.get("tie") or {}).items():
                owner, _, name = source.partition(".")
                self._parts[node["id"]].register_parameter(weight, self._parts[owner].get_parameter(name))

    def __call__(self, *inputs: Tensor) -> dict[str, Tensor]:
        """Return the outputs by name, for inputs (N, *) in order."""
        torch = import_module("torch")
        values: dict[str, Any] = dict(zip(self._document["inputs"], inputs, strict=True))
        for node in self._nodes:
            read = [values[name] for name in node.get("inputs", ())]
            result = self._run(node, read, {name: values[node[name]] for name in STATES & node.keys()})
            results = list(result.values()) if isinstance(result, dict) else result
            values[node["id"]] = results[0] if isinstance(results, list | tuple) else results
            names = list(result) if isinstance(result, dict) else OUTPUTS.get(node["kind"], ("values", "indices"))
            if isinstance(results, list | tuple):
                values[f"{node['id']}.output"] = results[0]
                values |= {f"{node['id']}.{name}": each for name, each in zip(names, results, strict=False)}
        outputs = self._document.get("outputs") or {"output": self._nodes[-1]["id"]}
        return {name: torch.as_tensor(values[source]) for name, source in outputs.items()}

    def _run(self, node: Document, inputs: Sequence[Tensor], states: Mapping[str, Tensor]) -> Any:
        name, kind = node["id"], node["kind"]
        if name in self._leaves:
            return self._leaves[name]
        if name in self._parts:
            runner = MODULE_RUNNERS.get(kind)
            part = self._parts[name]
            return part(*inputs) if runner is None else runner(part, *inputs, **{**_call_fields(node), **states})
        return operation(kind, {key: value for key, value in node.items() if key not in STRUCTURE})(*inputs)

    def modules(self) -> Iterator[Any]:
        """Yield the modules of torch."""
        for part in {id(each): each for each in self._parts.values()}.values():
            yield from part.modules() if isinstance(part, InterpretedNetwork) else [part]

    def parameters(self) -> Iterator[Tensor]:
        """Yield the parameters that are trained."""
        trained = {id(each): each for module in self.modules() for each in module.parameters()}  # tied ones once
        yield from trained.values()
        networks = [self, *(part for part in self._parts.values() if isinstance(part, InterpretedNetwork))]
        for network in networks:
            yield from (leaf for leaf in network._leaves.values() if leaf.requires_grad)

    def train(self, mode: bool) -> None:
        """Switch to training or evaluation."""
        for module in self.modules():
            module.train(mode)


def _leaf(node: Document, weight: Tensor | None) -> Tensor:
    torch = import_module("torch")
    if node["kind"] == "Constant":
        return torch.tensor(node["value"], dtype=torch.float32).to(torch.get_default_dtype())
    tensor = weight.detach().cpu().clone().to(torch.get_default_dtype())  # type: ignore[union-attr]
    return tensor.requires_grad_(node["kind"] == "Parameter")


def _module(node: Document, weights: Mapping[str, Tensor]) -> Any:
    torch = import_module("torch")
    kind = node["kind"]
    left_out = STRUCTURE | _call_fields(node).keys()
    fields = {name: _as_tuple(value) for name, value in node.items() if name not in left_out}
    if kind in BATCH_FIRST:
        fields["batch_first"] = True
    if kind in LAST_DIMENSION:
        fields.setdefault("dim", -1)
    module = getattr(torch.nn, kind)(**fields)
    module.load_state_dict({name: tensor.detach().cpu() for name, tensor in weights.items()}, strict=True)
    return module.to(torch.get_default_dtype())


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _call_fields(node: Document) -> dict[str, Any]:
    names = {"output_size"} if node["kind"] in UNPOOL_MODULES else CALL_FIELDS
    return {name: value for name, value in node.items() if name in names}


def _run_recurrent(
    module: Any,
    x: Tensor,
    lengths: Tensor | None = None,
    returns: str = "sequence",
    return_states: bool = False,
    **states: Tensor,
) -> Any:
    rnn = import_module("torch.nn.utils.rnn")
    first = [states[name].transpose(0, 1).contiguous() for name in ("h_0", "c_0") if name in states]
    state = None if not first else first[0] if len(first) == 1 else tuple(first)
    if lengths is None:
        output, final = module(x, state)
        lengths = import_module("torch").full((len(x),), x.shape[1])
    else:
        packed = rnn.pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        steps, final = module(packed, state)
        output, _ = rnn.pad_packed_sequence(steps, batch_first=True, total_length=x.shape[1])
    chosen = _chosen_steps(module, output, lengths, returns)
    finals = final if isinstance(final, tuple) else (final,)
    names = zip(("h_n", "c_n"), finals, strict=False)
    return {"output": chosen} | {name: each.transpose(0, 1) for name, each in names} if return_states else chosen


def _chosen_steps(module: Any, output: Tensor, lengths: Tensor, returns: str) -> Tensor:
    if returns == "sequence":
        return output
    last = output[range(len(output)), lengths - 1]
    half = output.shape[2] // 2
    if returns == "last" or not module.bidirectional:
        return last
    return import_module("torch").cat([last[:, :half], output[:, 0, half:]], 1)


def _later(query: Tensor, key: Tensor) -> Tensor:
    """Return a mask (L, S), true for keys after the query."""
    torch = import_module("torch")
    return torch.ones(query.shape[1], key.shape[1], dtype=torch.bool).triu(1)


def _run_attention(
    module: Any, query: Tensor, key: Tensor | None = None, value: Tensor | None = None, is_causal: bool = False
) -> Tensor:
    key = query if key is None else key
    value = key if value is None else value
    later = _later(query, key) if is_causal else None
    return module(query, key, value, attn_mask=later, need_weights=False)[0]


def _run_encoder(module: Any, x: Tensor, is_causal: bool = False) -> Tensor:
    return module(x, _later(x, x) if is_causal else None)


def _run_unpool(module: Any, x: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
    return module(x, indices, output_size)


def _run_cell(module: Any, x: Tensor, *states: Tensor) -> Any:
    return module(x, states if len(states) > 1 else states[0])


MODULE_RUNNERS: Mapping[str, Callable[..., Any]] = {
    **dict.fromkeys(RECURRENT_MODULES, _run_recurrent),
    **dict.fromkeys(CELLS, _run_cell),
    **dict.fromkeys(UNPOOL_MODULES, _run_unpool),
    "MultiheadAttention": _run_attention,
    "TransformerEncoderLayer": _run_encoder,
}
