"""The language beside torch's own samples of its modules: ``python benchmarks/torch_parity.py`` (a minute).

Torch tests its modules on samples (`torch.testing._internal.common_modules.module_db`): settings, and inputs. Here each
is written as one node, built as the network of a job is, and given the weights of torch's module. Both are run, in
training and in evaluation: outputs, gradients of all inputs and parameters, and buffers are compared bit by bit. The
batch is the first dimension on both sides, and a sample without one has one of size 1. The share is the mean over
torch's modules, since it has half of all samples of one of them.

So are its samples of optimisers (`common_optimizers.optim_db`): weights after three steps.
"""

import argparse
import sys
import warnings
from collections import Counter
from typing import Any

import torch
from machine import write_results
from pydantic import ValidationError
from torch import Tensor
from torch_optimizer_samples import optimizer_outcomes
from torch_samples import (
    ATTENTION_MASKS,
    RECURRENT,
    STATES,
    NotExpressible,
    Sample,
    load_module_database,
    module_samples,
)

from app.errors import InvalidInput
from app.spec.data.columns import Column, DataSchema
from app.spec.network.network import Network
from app.spec.network.nodes import NODE_CLASSES
from app.spec.network.validation import check_network
from workers.network.runtime.build import BuiltNetwork, build

SHARE_BOUND = 0.95
SENTINEL = 7.25  # in place of NaN, which differs from itself


def network_inputs(sample: Sample, inputs: list[Tensor], named: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the inputs as the language has them: all with the batch first."""
    values = {f"x{place}": value for place, value in enumerate(inputs)}
    for name, value in named.items():
        if name in STATES:
            values[name] = value.transpose(0, 1)
        elif name in ATTENTION_MASKS and value.ndim == 2:
            values[name] = value.expand(inputs[0].shape[0], *value.shape)
        else:
            values[name] = value.unflatten(0, (inputs[0].shape[0], -1)) if name in ATTENTION_MASKS else value
    return values


def build_sample(sample: Sample) -> BuiltNetwork:
    """Return a network of one node, with the outputs of torch's module. Raises `NotExpressible`."""
    values = network_inputs(sample, sample.inputs, sample.named)
    columns = tuple(
        Column(name=name, shape=tuple(value.shape[1:]), dtype=str(value.dtype).removeprefix("torch."))
        for name, value in values.items()
    )
    names = tuple(values)
    references = {name: name for name in sample.named}
    inputs = [name for name in names if name not in references]
    node = {"id": "node", "kind": sample.kind, "inputs": inputs, **sample.fields, **references}
    try:
        outputs = NODE_CLASSES[sample.kind].model_validate(node).output_names()  # type: ignore[attr-defined]
        named = {name: f"node.{name}" for name in outputs} or {"output": "node"}
        network = Network.model_validate({"inputs": names, "nodes": [node], "outputs": named})
        if problems := check_network(network, names, names):
            raise NotExpressible(f"{problems[0].pointer}: {problems[0].detail}")
        return build(network, DataSchema(columns=columns, rows={"train": 8}, inputs=names), names)
    except ValidationError as error:
        found = error.errors()[0]
        raise NotExpressible(f"{'/'.join(map(str, found['loc']))}: {found['msg']}") from None
    except InvalidInput as error:
        raise NotExpressible(error.problems[0].detail) from None


def run(sample: Sample, network: BuiltNetwork | None) -> dict[str, Tensor]:
    """Return outputs, gradients and buffers by name: of the network, or without one of torch's module."""
    inputs = [value.detach().clone().requires_grad_(value.requires_grad) for value in sample.inputs]
    named = {name: value.detach().clone() for name, value in sample.named.items()}
    module = sample.module if network is None else network.get_submodule("node")
    module.zero_grad()
    torch.manual_seed(1)
    outputs = (
        torch_outputs(sample, inputs, named) if network is None else network_outputs(sample, network, inputs, named)
    )
    parts = [
        (each * torch.linspace(0.5, 1.5, each.numel()).reshape(each.shape)).sum()
        for each in outputs
        if each.requires_grad
    ]
    if parts:
        torch.stack(parts).sum().backward()
    found = {f"output {place}": each.detach() for place, each in enumerate(outputs)}
    found |= {f"gradient of input {place}": value.grad for place, value in enumerate(inputs) if value.grad is not None}
    found |= {f"gradient of {name}": each.grad for name, each in module.named_parameters() if each.grad is not None}
    return found | {f"buffer {name}": value.clone() for name, value in module.named_buffers()}


def torch_outputs(sample: Sample, inputs: list[Tensor], named: dict[str, Tensor]) -> list[Tensor]:
    """Return the outputs of torch's module, states with the batch first."""
    named = dict(named)
    states = tuple(named.pop(name).contiguous() for name in STATES if name in named)
    args: list[Any] = list(inputs)
    if sample.kind == "LSTMCell":
        args = [inputs[0], tuple(inputs[1:])]
    if sample.kind == "CTCLoss":
        args[0] = args[0].transpose(0, 1)
    if states:
        args.append(states if len(states) > 1 else states[0])
    output = sample.module(*args, **named)
    flat = _flat(output)
    return [each.transpose(0, 1) if place and sample.kind in RECURRENT else each for place, each in enumerate(flat)]


def _flat(value: Any) -> list[Tensor]:
    return [part for each in value for part in _flat(each)] if isinstance(value, tuple | list) else [value]


def network_outputs(
    sample: Sample, network: BuiltNetwork, inputs: list[Tensor], named: dict[str, Tensor]
) -> list[Tensor]:
    """Return the outputs of the network."""
    return list(network(network_inputs(sample, inputs, named)).values())


def compare(sample: Sample) -> str:
    """Return what differs, empty if nothing does. Raises `NotExpressible`."""
    if isinstance(sample.module, torch.nn.modules.lazy.LazyModuleMixin):
        sample.module(*sample.inputs)  # finds its sizes, as the network does
    network = build_sample(sample)
    node = network.get_submodule("node")
    node.load_state_dict(sample.module.state_dict())
    network.train(sample.module.training)
    theirs, ours = run(sample, None), run(sample, network)
    if theirs.keys() != ours.keys():
        return f"{', '.join(sorted(theirs.keys() ^ ours.keys()))} on one side alone"
    for name, value in theirs.items():
        other = ours[name]
        if (value.shape, value.dtype) != (other.shape, other.dtype):
            return f"{name} is {tuple(other.shape)} {other.dtype}, {tuple(value.shape)} {value.dtype} in torch"
        if not value.nan_to_num(SENTINEL).equal(other.nan_to_num(SENTINEL)):
            return f"{name} differs by {(value - other).abs().max():.1e}"
    return ""


def judge(sample: Sample | NotExpressible) -> tuple[str, str]:
    """Return "equal", "different" or "not expressed", and the reason."""
    try:
        if isinstance(sample, NotExpressible):
            raise sample
        difference = compare(sample)
    except NotExpressible as error:
        return "not expressed", str(error)
    return ("different", difference) if difference else ("equal", "")


def measure(only: str = "") -> dict[str, Counter[tuple[str, str]]]:
    """Return how many samples have which outcome and reason, by torch's module."""
    infos = [info for info in load_module_database() if only in info.name]
    return {info.name: Counter(judge(sample) for sample in module_samples(info)) for info in infos}


def share(outcomes: Counter[tuple[str, str]]) -> float:
    """Return the share of equal samples."""
    return outcomes["equal", ""] / outcomes.total()


def _totals(found: dict[str, Counter[tuple[str, str]]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for outcomes in found.values():
        for (outcome, _), count in outcomes.items():
            total[outcome] += count
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="a part of the names of torch's modules")
    only = parser.parse_args().only
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # torch's advice on unusual settings
    found = measure(only)
    optimizers = optimizer_outcomes(only)
    for name, outcomes in (found | optimizers).items():
        for (outcome, reason), count in outcomes.items():
            if reason:
                print(f"{name:32} {count:5} of {outcomes.total():<5} {outcome}: {reason[:160]}")
    total, steps = _totals(found), _totals(optimizers)
    mean = sum(map(share, found.values())) / len(found)
    whole = sum(share(outcomes) == 1 for outcomes in found.values())
    print(f"{dict(total)} of {total.total()} samples; {whole} of {len(found)} modules wholly; mean share {mean:.3f}")
    print(f"{dict(steps)} of {steps.total()} samples of {len(optimizers)} optimisers")
    claims = [
        {
            "what": "samples of a torch module that are expressed and equal",
            "measured": mean,
            "unit": "",
            "bound": SHARE_BOUND,
            "at_most": False,
        },
        {"what": "samples that differ", "measured": total["different"], "unit": "", "bound": 0, "at_most": True},
        {
            "what": "samples of torch's optimisers that differ after three steps",
            "measured": steps["different"],
            "unit": "",
            "bound": 0,
            "at_most": True,
        },
    ]
    if not only:
        measured = {"modules": len(found), "whole": whole, "samples": dict(total), "optimizer_samples": dict(steps)}
        write_results("torch_parity", measured, claims)
    sys.exit(mean < SHARE_BOUND or total["different"] + steps["different"] > 0)


if __name__ == "__main__":
    main()
