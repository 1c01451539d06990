"""The statistics of a training once more: torch's own hooks around a loop that is written by hand, in float64."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from tests.workers.training.harness import rows_of
from workers.network.runtime.build import flow_metrics
from workers.training.assembly import PreparedTraining

Statistics = dict[tuple[str, str], float]


def _norm(tensors: list[Tensor]) -> float:
    return float(torch.cat([each.detach().double().flatten() for each in tensors]).norm())


def parameters_by_node(network: nn.Module, nodes: set[str]) -> dict[str, list[nn.Parameter]]:
    """Return the parameters of every node: those whose name begins with its path."""
    found: dict[str, list[nn.Parameter]] = defaultdict(list)
    for name, parameter in network.named_parameters():
        path = name.replace(".", "/")
        owner = max((node for node in nodes if f"{path}/".startswith(f"{node}/")), key=len)
        found[owner].append(parameter)
    return found


def watch_outputs(network: nn.Module, outputs: dict[str, list[Tensor]]) -> list[Any]:
    """Collect what every submodule returns, by path; returns the hooks."""

    def hook(path: str) -> Callable[..., None]:
        def collect(module: nn.Module, inputs: Any, output: Any) -> None:
            first = output[0] if isinstance(output, tuple) else output
            if first.is_floating_point():
                outputs[path].append(first.detach().double().flatten())

        return collect

    named = [(name.replace(".", "/"), module) for name, module in network.named_modules() if name]
    named = [(path, module) for path, module in named if not isinstance(module, nn.RNNBase)]  # the node is a part of it
    return [module.register_forward_hook(hook(path)) for path, module in named]


def train_by_hand(prepared: PreparedTraining, steps: int, nodes: set[str]) -> dict[int, Statistics]:
    """Return the statistics of the first steps, of parameters and of what modules return, by step."""
    state, plan, network = prepared.state, prepared.plan, prepared.network
    [update], [rule] = state.updates, prepared.training_step.rules
    objective = rule.objective
    owners, found = parameters_by_node(network, nodes), {}
    network.train()
    for step in range(1, steps + 1):
        outputs: dict[str, list[Tensor]] = defaultdict(list)
        hooks = watch_outputs(network, outputs)
        forward = prepared.precision.autocast(network)
        prepared.training_step.seed_random(state)
        for inputs, targets, share in state.source.batches(state.counters.step):
            objective.batch_loss(forward(inputs), targets, share, None).backward()
        flow_metrics(network)
        for each in hooks:
            each.remove()
        before = {node: [value.detach().clone() for value in own] for node, own in owners.items()}
        gradients = {node: [v.grad.clone() for v in own if v.grad is not None] for node, own in owners.items()}
        if plan.clip_norm is not None:
            clip_grad_norm_(list(update.parameters), plan.clip_norm)
        update.optimizer.step()
        update.optimizer.zero_grad()
        state.counters.step += 1
        if update.schedule is not None:
            update.schedule.after_step(rows_of(prepared).sampler.position(step)[1] == 0)
        values: Statistics = {}
        for node, own in owners.items():
            norm = values[node, "weight_norm"] = _norm(before[node])
            if gradients[node]:
                values[node, "grad_norm"] = _norm(gradients[node])
            if any(each.requires_grad for each in own) and norm:
                changes = [new - old for new, old in zip(own, before[node], strict=True)]
                values[node, "update_ratio"] = _norm(changes) / norm
        for node, parts in outputs.items():
            if node in nodes:
                joined = torch.cat(parts)
                values[node, "activation_mean"] = float(joined.mean())
                values[node, "activation_std"] = float(joined.std(correction=0))
        found[step] = values
    return found
