"""How much an edit changes what a trained network computes: both networks on one batch, in evaluation mode.

The batch of a job in an environment are observations of episodes that its policy plays as it was before the edit.
Compared are the outputs that act and are reported, which read observations alone.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from app.errors import NotPredictable
from app.spec.data.columns import DataSchema
from app.spec.data.environments.environment import OBSERVATION, EnvironmentData
from app.spec.edits.operations import Operation
from app.spec.job import parse_job, resolve_job_features
from workers.data.features.preparation import Preparation
from workers.data.loading.examples import ExampleSet
from workers.data.loading.window_index import WindowIndex
from workers.data.loading.windows import window_examples
from workers.environments.build import EVALUATION_STREAM, build_environments
from workers.environments.evaluation import play_episodes
from workers.network.inference.shape_inference import infer_shapes
from workers.network.runtime.build import BuiltNetwork, network_part
from workers.prediction.evaluation import LabelledDataset, stored_columns
from workers.prediction.network import NetworkSource
from workers.surgery.apply import Draw, map_weights
from workers.surgery.draft import Change
from workers.surgery.initial_values import draw
from workers.surgery.revise import revise
from workers.torch_errors import translate_torch_errors

ROWS = 64  # of the batch
SEED = 0  # of networks that draw random numbers


@dataclass(frozen=True)
class EditScript:
    """The edits that come before the one that is measured, and its own operations."""

    earlier: Sequence[Sequence[Operation]]
    operations: Sequence[Operation]
    edit: int  # the number that the edit would have


@translate_torch_errors()
def measure_difference(
    trained: NetworkSource, dataset: LabelledDataset, script: EditScript, device: torch.device
) -> dict[str, Any]:
    """Return {"rows", "max", "relative", "left_out"} of an edit of a trained network, as JSON.

    Differences are by output: the largest, and the same in units of the largest absolute value before. Raises
    `InvalidInput`, `NotPredictable` if the stored files do not fit the job, `OutOfMemory`.
    """
    schema, document = DataSchema.model_validate(trained.schema), trained.spec
    network = _build(document, schema)
    try:
        network.load_state_dict(load_file(trained.weights))
    except (SafetensorError, RuntimeError) as error:
        raise NotPredictable(f"the weights are not those of the network: {error}") from error
    seed = parse_job(dict(document)).training.seed
    for place, operations in enumerate(script.earlier):
        number = script.edit - len(script.earlier) + place
        document, network = _edit(document, network, schema, operations, seed, number)
    edited = _edit(document, network, schema, script.operations, seed, script.edit)[1]
    data = parse_job(dict(document)).data
    if isinstance(data, EnvironmentData):
        network, edited = (_policy(each.to(device), data) for each in (network, edited))
        inputs: Mapping[str, Tensor] = {OBSERVATION: _observations(network, data, seed, device)}
    else:
        inputs = _read_batch(trained, schema, dataset, {*network.blueprint.inputs, *edited.blueprint.inputs}, device)
    rows = min(ROWS, len(next(iter(inputs.values()))))
    return {"rows": rows, **_compare(*(_run(each.to(device), inputs) for each in (network, edited)))}


def _policy(network: BuiltNetwork, data: EnvironmentData) -> BuiltNetwork:
    """Return the part of a network that acts, is reported, and reads observations alone."""
    acting = dict.fromkeys((data.action, data.behaviour_output, *data.report))
    return network_part(network, [name for name in acting if name in network.blueprint.outputs])


def _observations(policy: BuiltNetwork, data: EnvironmentData, seed: int, device: torch.device) -> Tensor:
    """Return observations (ROWS, ...) of steps that a policy makes."""
    environments = build_environments(data, 1, seed, EVALUATION_STREAM)

    def act(observation: Tensor) -> dict[str, Tensor]:
        return {data.action: _run(policy, {OBSERVATION: observation.to(device)})[data.action].cpu()}

    steps = play_episodes(environments, act, range(ROWS), data.action)
    return torch.cat([step.observation for step in islice(steps, ROWS)]).to(device)


def _build(document: Mapping[str, Any], schema: DataSchema) -> BuiltNetwork:
    job = parse_job(dict(document))
    features = resolve_job_features(job, schema)
    draft = infer_shapes(job.model, features.schema, job.data.inputs or features.schema.inputs)
    if draft.problems:
        raise NotPredictable("the network of the job is no longer valid")
    return BuiltNetwork(draft.blueprint)


def _edit(
    document: Mapping[str, Any],
    network: BuiltNetwork,
    schema: DataSchema,
    operations: Sequence[Operation],
    seed: int,
    number: int,
) -> tuple[Mapping[str, Any], BuiltNetwork]:
    """Return a document and its network after an edit, with the weights that training would go on with."""
    weights = network.state_dict()
    present = _StoredWeights(weights, partial(draw, seed=seed, edit=number), seed + number)
    revision = revise(document, schema, operations, weights=present)
    edited = BuiltNetwork(revision.changes[-1].blueprint if revision.changes else network.blueprint)
    edited.load_state_dict(map_weights(weights, revision.changes, present.draw, noise_seed=present.noise_seed))
    return revision.document, edited


@dataclass(frozen=True)
class _StoredWeights:
    """The weights of a checkpoint. Without a training there is no gradient."""

    weights: Mapping[str, Tensor]
    draw: Draw
    noise_seed: int

    def weight(self, name: str) -> Tensor:
        return self.weights[name]

    def gradient(self, name: str) -> Tensor:
        raise NotPredictable("units that gradients choose are known only to the training")

    def after(self, change: Change) -> "_StoredWeights":
        return replace(self, weights=map_weights(self.weights, [change], self.draw, noise_seed=self.noise_seed))


def _read_batch(
    trained: NetworkSource, schema: DataSchema, dataset: LabelledDataset, names: set[str], device: torch.device
) -> Mapping[str, Tensor]:
    features = resolve_job_features(parse_job(dict(trained.spec)), schema)
    preparation = Preparation.load(features, schema, json.loads(trained.preparation.read_text()))
    inputs = tuple(sorted(names))
    rows = dataset.read(stored_columns(features, inputs, schema))
    if features.windows is not None:
        index = WindowIndex.of(rows, features.windows, schema)
        examples = window_examples(preparation, rows, index, index.starts[:ROWS], inputs, ())
    else:
        columns = preparation.transform(rows, inputs)
        examples = ExampleSet({name: columns[name] for name in inputs}, {})
    return examples.batch(torch.arange(min(ROWS, len(examples))), device)[0]


def _run(network: BuiltNetwork, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    torch.manual_seed(SEED)
    with torch.no_grad():
        outputs: dict[str, Tensor] = network.eval()({name: inputs[name] for name in network.blueprint.inputs})
        return outputs


def _compare(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> dict[str, Any]:
    largest, relative, left_out = {}, {}, []
    for name in {**before, **after}:
        if name not in before or name not in after or before[name].shape != after[name].shape:
            left_out.append(name)
            continue
        old, new = before[name].double(), after[name].double()
        largest[name] = float((new - old).abs().max()) if old.numel() else 0.0
        scale = float(old.abs().max()) if old.numel() else 0.0
        relative[name] = largest[name] / scale if scale else largest[name]
    return {"max": largest, "relative": relative, "left_out": left_out}
