"""Jobs with an algorithm, and their networks as the engine builds them, in float64 with weights drawn at random."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from app.spec.data.columns import DataSchema
from app.spec.job import JobSpec, named_dataset_schema, parse_job
from workers.network.runtime.build import BuiltNetwork, build, network_part

ROWS, OBSERVED = 7, 3
LOW, HIGH = [-1.0, -2.0], [3.0, 2.0]  # of two actions: halves of the ranges 2 and 2, middles 1 and 0
TOLERANCE = {"rtol": 1e-7, "atol": 1e-9}  # torch inverts tanh in log_prob
Values = Mapping[str, Tensor]
LAYERS = {  # names in a body of `mlp`, and in torch's own layers
    f"linear{layer}.{name}": f"{place}.{name}" for layer, place in ((1, 0), (2, 2)) for name in ("weight", "bias")
}


def linear(out_features: int) -> dict[str, Any]:
    """Return a layer."""
    return {"kind": "Linear", "out_features": out_features}


def mlp(out_features: int, hidden: int = 8) -> dict[str, Any]:
    """Return a body of two layers."""
    return {"layers": [linear(hidden), "Tanh", linear(out_features)]}


def dynamics(action: Mapping[str, Any], observed: int = OBSERVED) -> dict[str, Any]:
    """Return an environment of nodes, of which nothing but its spaces matters."""
    still = {"inputs": ["state", "action"], "nodes": [{"id": "same", "kind": "mul", "inputs": "state", "scalar": 1}]}
    return {
        "state": {"shape": [observed]},
        "action": dict(action),
        "time_limit": 10,
        "reset": {"layers": [{"kind": "rand_like"}]},
        "step": {
            **still,
            "nodes": [*still["nodes"], {"id": "reward", "kind": "sum", "inputs": "state", "dim": 1}],
            "outputs": {"state": "same", "reward": "reward"},
        },
    }


BOX = {"kind": "box", "shape": [2], "low": LOW, "high": HIGH}
CLASSES = {"kind": "discrete", "n": 3}


def algorithm_job(
    kind: str,
    model: Mapping[str, Any],
    action: Mapping[str, Any] = BOX,
    training: Mapping[str, Any] = MappingProxyType({}),
    **settings: Any,
) -> dict[str, Any]:
    """Return a job in the short form."""
    return {
        "model": dict(model),
        "data": {"kind": "environment", "dynamics": dynamics(action)},
        "objective": {"kind": kind, **settings},
        "training": {"steps": 1000, **training},
    }


class WrittenNetwork:
    """The network of a job in the short form, and a batch for it."""

    def __init__(self, document: Mapping[str, Any], seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.job: JobSpec = parse_job(dict(document))
        schema = named_dataset_schema(self.job)
        assert schema is not None
        self.schema: DataSchema = schema
        self.network: BuiltNetwork = build(self.job.model, schema, schema.inputs).double()
        with torch.no_grad():  # also what starts as zero
            for parameter in self.network.parameters():
                parameter.copy_(torch.randn(parameter.shape, dtype=torch.float64) * 0.7)
        self.batch = {name: self._column(name) for name in self.job.model.inputs or ()}

    def _column(self, name: str) -> Tensor:
        column = self.schema[name]
        if column.classes is not None:
            return torch.randint(0, column.classes, (ROWS,))
        if name == "terminated":
            return torch.tensor([0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0], dtype=torch.float64)[:, None]
        return torch.randn(ROWS, *column.shape, dtype=torch.float64)

    def outputs(self, *names: str, seed: int = 1) -> dict[str, Tensor]:
        """Return outputs of the part of the network that they need, as an update or the collector computes it."""
        torch.manual_seed(seed)
        part = network_part(self.network, names)
        return part(self.batch)

    def update_gradients(self, place: int, seed: int = 1) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of an update, and its gradients by parameter: of those alone that it trains."""
        update = self.job.training.updates[place]
        heads = {name: self.job.objective.all_heads()[name] for name in update.loss}
        outputs = self.outputs(*(head.output or "" for head in heads.values()), seed=seed)
        loss = torch.stack([head.weight * outputs[head.output or ""].mean() for head in heads.values()]).sum()
        trained = dict(self.network.named_parameters())
        if update.parameters is not None:
            trained = {
                name: value
                for name, value in trained.items()
                if any(f"{name}.".startswith(f"{path}.") for path in update.parameters)
            }
        gradients = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
        found = dict(zip(trained, gradients, strict=True))
        assert all(gradient is not None for gradient in found.values()), found
        return loss.detach(), {name: gradient for name, gradient in found.items() if gradient is not None}

    def body(self, node: str) -> nn.Sequential:
        """Return torch's own layers with the weights of a node that uses a body of `mlp`."""
        stored = self.network.state_dict()
        first, second = stored[f"{node}.linear1.weight"], stored[f"{node}.linear2.weight"]
        layers = nn.Sequential(nn.Linear(*first.shape[::-1]), nn.Tanh(), nn.Linear(*second.shape[::-1])).double()
        layers.load_state_dict({theirs: stored[f"{node}.{own}"] for own, theirs in LAYERS.items()})
        return layers


def assert_gradients_of(gradients: Values, node: str, body: nn.Sequential) -> None:
    """Compare the gradients of a node with those of torch's own layers."""
    parameters = dict(body.named_parameters())
    for own, theirs in LAYERS.items():
        torch.testing.assert_close(gradients[f"{node}.{own}"], parameters[theirs].grad, **TOLERANCE)


def normal(*shape: int, seed: int = 1) -> Tensor:
    """Return what the first normal noise of a part of the network is, after `seed`."""
    torch.manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64)


def names_of(paths: Iterable[str]) -> set[str]:
    """Return the nodes of the names of parameters."""
    return {path.partition(".")[0] for path in paths}
