"""A traced module is the module: built by the workers, with its weights, it gives the same."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest
import torch
from torch import Tensor, nn

import workers.torch_setup  # noqa: F401 - before torchvision
from app.spec.network.nodes import NODE_KINDS
from app.spec.network.validation import check_network
from app.spec.network.wiring import RESERVED_IDS
from graftwerk import CannotExpress, Client, trace
from graftwerk.tracing.functions.function_table import NN_FUNCTIONS, PYTHON_OPERATORS, TORCH_FUNCTIONS
from graftwerk.tracing.functions.operator_schema import REQUIRED, OperatorSchema
from graftwerk.tracing.graph_writer import reserved_names
from graftwerk.tracing.module_parameters import MODULE_PARAMETERS
from tests.graftwerk.scripted_transport import URL, ScriptedTransport, job_document
from tests.graftwerk.tracing.modules_to_trace import (
    Classifier,
    DataDependentBranch,
    FunctionalConvolution,
    HandWrittenAttention,
    JointAttention,
    RawParameters,
    SequenceClassifier,
    SmallTransformer,
)
from tests.workers.network.networks import Columns, make_examples, parse_model, schema
from workers.network.runtime.build import build

WORDS: Columns = {"words": ((7,), "int64")}
MLP: Callable[[], nn.Module] = lambda: nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 3))  # noqa: E731


def rebuilt(module: nn.Module, columns: Columns) -> tuple[dict[str, Any], Mapping[str, Tensor], float]:
    """Trace a module, build what comes out with its weights; returns the network, outputs, and the difference."""
    names = tuple(columns)
    traced = trace(module, inputs=names)
    model = json.loads(json.dumps(traced.model))
    network = parse_model(model)
    assert check_network(network, names, names) == []
    other = build(network, schema(columns), names)
    other.load_state_dict(dict(traced.weights), strict=True)
    values = make_examples(columns)
    with torch.no_grad():
        found, wanted = other.eval()(values), module.eval()(*values.values())
    several = (
        wanted
        if isinstance(wanted, dict)
        else dict(zip(found, wanted if isinstance(wanted, tuple) else (wanted,), strict=True))
    )
    assert found.keys() == several.keys()
    return model, found, max(float((found[name] - several[name]).abs().max()) for name in found)


def resnet18() -> nn.Module:
    from torchvision.models import resnet18

    return resnet18(num_classes=10)


@pytest.mark.parametrize(
    ("make", "columns", "most"),
    [
        (MLP, {"x": (3, 4)}, 0.0),
        (resnet18, {"image": (3, 32, 32)}, 0.0),
        (Classifier, WORDS, 0.0),
        (lambda: Classifier(both=True), WORDS, 0.0),
        (lambda: Classifier(first=False), WORDS, 1e-6),
        (SequenceClassifier, WORDS, 0.0),
        (lambda: SequenceClassifier(both=False), WORDS, 0.0),
        (RawParameters, {"x": (4,)}, 0.0),
        (HandWrittenAttention, {"x": (5, 8)}, 1e-6),
        (JointAttention, {"x": (5, 8)}, 1e-6),
        (lambda: SmallTransformer(True), WORDS, 1e-6),
        (lambda: SmallTransformer(False), WORDS, 1e-6),
        (FunctionalConvolution, {"image": (1, 8, 8)}, 0.0),
    ],
)
def test_the_traced_network_gives_the_same(make: Callable[[], nn.Module], columns: Columns, most: float) -> None:
    torch.manual_seed(1)
    module = make()
    before, modes = set(vars(module)), [part.training for part in module.modules()]
    _, _, difference = rebuilt(module.train(), columns)
    assert difference <= most
    assert set(vars(module)) == before
    assert len(modes) == len(list(module.modules()))


def test_names_follow_the_module_s_paths() -> None:
    model = trace(resnet18(), inputs=("image",)).model
    names = [node["id"] for node in model["nodes"]]
    assert names[:6] == ["conv1", "bn1", "relu", "maxpool", "layer1_0_conv1", "layer1_0_bn1"]
    assert "layer1_0_add" in names
    assert trace(nn.Sequential(nn.Linear(2, 2), nn.Tanh())).weights.keys() == {"linear0.weight", "linear0.bias"}


def test_only_what_differs_from_the_defaults_is_written() -> None:
    module = nn.Sequential(
        nn.Conv2d(1, 4, (3, 3), padding=(1, 1), bias=False), nn.MaxPool2d(2, 2), nn.BatchNorm2d(4), nn.GELU("tanh")
    )
    written = [
        {key: value for key, value in node.items() if key not in ("id", "inputs")}
        for node in trace(module).model["nodes"]
    ]
    assert written == [
        {"kind": "Conv2d", "in_channels": 1, "out_channels": 4, "kernel_size": 3, "padding": 1, "bias": False},
        {"kind": "MaxPool2d", "kernel_size": 2},
        {"kind": "BatchNorm2d", "num_features": 4},
        {"kind": "GELU", "approximate": "tanh"},
    ]


def test_a_module_that_is_used_twice_is_shared() -> None:
    model, _, _ = rebuilt(SequenceClassifier(), WORDS)
    uses = [node for node in model["nodes"] if node["kind"] == "block"]
    assert [(use["id"], use["share"]) for use in uses] == [("fc", "fc_shared"), ("fc_2", "fc_shared")]


def test_a_raw_parameter_is_drawn_as_it_was() -> None:
    nodes = {node["id"]: node for node in trace(RawParameters()).model["nodes"]}
    assert nodes["scale"] == {"id": "scale", "kind": "Parameter", "shape": [4], "init": {"kind": "ones"}}
    assert nodes["w"]["init"]["kind"] == "normal"
    assert nodes["mu"]["kind"] == "Constant"


def test_ids_avoid_what_a_network_uses_itself() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.x, self.blueprint = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.blueprint(self.x(x)).relu()

    model, _, difference = rebuilt(Odd(), {"x": (2,)})
    assert [node["id"] for node in model["nodes"]] == ["x_2", "blueprint_2", "relu"]
    assert difference == 0


def obstacles(module: nn.Module, inputs: tuple[str, ...] = ("x",)) -> list[tuple[str, str]]:
    with pytest.raises(CannotExpress) as caught:
        trace(module, inputs=inputs)
    assert all(str(obstacle) in str(caught.value) for obstacle in caught.value.obstacles)
    return [(obstacle.source, obstacle.detail) for obstacle in caught.value.obstacles]


def test_every_line_that_stands_in_the_way_is_told() -> None:
    found = obstacles(DataDependentBranch())
    assert [source.partition("# ")[2] for source, _ in found] == ["line one", "line two", "line three", "line four"]
    assert "Python branches here on a tensor's value" in found[0][1]
    assert found[2][1] == "kron is not in the language"
    with pytest.raises(CannotExpress, match=r"modules_to_trace.py:\d+: gt: .*\n *if x.sum\(\) > 0:.*\n *hint: "):
        trace(DataDependentBranch())


ATTENTION = nn.MultiheadAttention(2, 1)


class Forward(nn.Module):
    """A forward of one line."""

    def __init__(self, does: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        self.does = does
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Any:
        return self.does(self, x)


@pytest.mark.parametrize(
    ("does", "parts", "words"),
    [
        (lambda self, x: nn.functional.dropout(x), {}, "this samples in evaluation too"),
        (lambda self, x: x + 1 if self.training else x, {}, "training and evaluation differ from here on"),
        (lambda self, x: x[:, : x.shape[1] // 2], {}, "computed from sizes that differ between inputs"),
        (lambda self, x: self.rnn(self.rnn(x)[0])[1][0], {"rnn": nn.GRU(3, 3, 2)}, "states of inner layers"),
        (lambda self, x: self.rnn(self.rnn(x)[0])[1][1], {"rnn": nn.LSTM(3, 3)}, "cell states"),
        (lambda self, x: self.rnn(x, self.rnn(x)[1])[0], {"rnn": nn.GRU(3, 3)}, "is called once"),
        (lambda self, x: self.emb(x), {"emb": nn.Embedding(3, 3, sparse=True)}, "Embedding has no sparse"),
        (lambda self, x: self.a(x, x, x, average_attn_weights=False)[1], {"a": ATTENTION}, "weights of each head"),
        (lambda self, x: [row + 1 for row in x], {}, "a tensor of unknown size cannot be iterated"),
        (lambda self, x: int(x.sum()), {}, "torch.fx cannot trace this"),
        (lambda self, x: self.a(x.double()), {"a": nn.Linear(3, 3).double()}, "no float64"),
        (lambda self, x: self.a(x), {"a": nn.Linear(3, 3).half()}, "no inputs were found"),
        (lambda self, x: x.view(x.size(1), x.size(0)), {}, "computed from sizes that differ between inputs"),
        (lambda self, x: x.sum().item(), {}, "item is not in the language"),
        (lambda self, x: {"a b": x + 1}, {}, 'the output "a b"'),
        (lambda self, x: self.missing(x), {}, "no attribute"),
    ],
)
def test_what_cannot_be_expressed(does: Callable[..., Any], parts: dict[str, Any], words: str) -> None:
    module = Forward(does, **parts)
    assert words in " ".join(detail for _, detail in obstacles(module))


def test_inputs_must_fit_forward() -> None:
    assert "needs y" in obstacles(Two())[0][1]
    assert "takes 2 inputs" in obstacles(Two(), ("a", "b", "c"))[0][1]
    assert trace(Two(), inputs=("a", "b")).model["inputs"] == ["a", "b"]


class Two(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


def test_the_tables_speak_the_language() -> None:
    for kind, names in MODULE_PARAMETERS.items():
        assert set(names) <= set(NODE_KINDS[kind].fields), kind
    forms: list[OperatorSchema] = [*TORCH_FUNCTIONS.values(), *NN_FUNCTIONS.values(), *PYTHON_OPERATORS.values()]
    for form in forms:
        for name, torchs, ours in form.fields:
            told = NODE_KINDS[form.kind].fields.get(name)
            if told is None:  # may be passed, with the one value that asks for nothing
                assert torchs == ours, form
            else:
                assert (told[1] if isinstance(told, tuple) else REQUIRED) == ours, form
    assert reserved_names() >= RESERVED_IDS


def test_examples_fix_the_sizes_of_inputs() -> None:
    """What Python decides by sizes holds for the sizes of the examples: the network refuses others."""
    module = Forward(lambda self, x: x[:, :5] if x.shape[1] > 5 else x)
    traced = trace(module, examples=[torch.rand(3, 8)])
    assert traced.model["nodes"][0] == {"id": "x_sizes", "kind": "reshape", "inputs": ["x"], "shape": [0, 8]}
    assert "the size of an input" not in str(traced.model)
    with pytest.raises(ValueError, match="one tensor"):
        trace(module, examples=[])
    with pytest.raises(CannotExpress, match="forward does not run on the examples"):
        trace(nn.Linear(3, 3), examples=[torch.rand(2, 4)])


def test_verification_can_be_left_out_and_needs_no_gradient_mode() -> None:
    def kept(self: Any, x: Tensor) -> Tensor:
        self.count = self.count + 1
        return self.a(x) * self.count

    module = Forward(kept, a=nn.Linear(3, 3), count=torch.zeros(()))
    with pytest.raises(CannotExpress, match="count is another after each forward"):
        trace(module)
    assert trace(module, verify=False).weights.keys() == {"a.weight", "a.bias"}
    with torch.no_grad():
        assert trace(nn.Sequential(nn.Linear(3, 3))).model["nodes"][0]["kind"] == "Linear"


def test_the_module_is_left_as_it_was() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5)).train()
    module[0].weight.grad = torch.ones(4, 3)
    before = {name: each.clone() for name, each in module.state_dict().items()}
    state = torch.get_rng_state()
    trace(module)
    assert all(torch.equal(before[name], each) for name, each in module.state_dict().items())
    assert torch.equal(module[0].weight.grad, torch.ones(4, 3))
    assert torch.equal(state, torch.get_rng_state())
    assert module.training


def test_frozen_weights_that_a_spec_cannot_hold_are_not_lost() -> None:
    module = nn.Linear(200, 100)
    module.weight.requires_grad_(False)
    assert trace(module).frozen == ("weight",)
    client = Client(URL, "gw_test", transport=ScriptedTransport())
    with pytest.raises(CannotExpress, match="start_from"):
        client.jobs.create(model=module, data={"kind": "builtin", "name": "digits"})


def test_a_module_is_submitted_by_its_parts() -> None:
    script = ScriptedTransport(*[httpx.Response(200, json=job_document()) for _ in range(2)])
    client = Client(URL, "gw_test", transport=script)
    data = {"kind": "builtin", "name": "digits", "inputs": ["image"]}
    client.jobs.create(model=MLP(), data=data, objective={"loss": {"kind": "CrossEntropyLoss"}})
    client.jobs.create(model=MLP(), data={"kind": "builtin", "name": "digits"}, inputs=("image",))
    first, second = (json.loads(request.content) for request in script.requests)
    assert first["model"]["inputs"] == second["model"]["inputs"] == ["image"]
    assert first["data"] == data
    with pytest.raises(TypeError, match="a spec, or its parts"):
        client.jobs.create()
    with pytest.raises(TypeError, match="a spec, or its parts"):
        client.jobs.create({}, model=MLP())
