"""A draft: a job's document while operations change it, and what they make of its tensors."""

import sys
import warnings
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from app.errors import InvalidInput, Problem
from app.spec.data.columns import DataSchema
from app.spec.edits.operations import Initialisation
from app.spec.job import canonical_document, parse_job, resolve_job_features
from app.spec.job_checks import check_job
from workers.network.blueprint import Blueprint
from workers.network.inference.partial_network import PartialNetwork
from workers.network.inference.shape_inference import infer_shapes
from workers.surgery.initial.functions import InitialFunction
from workers.surgery.layer_ids import write_layer_ids
from workers.surgery.lineage import Lineage
from workers.surgery.node_places import JsonObject, NodePlace, all_bodies, find_node
from workers.surgery.tensor_map import TensorMap
from workers.surgery.weight_sources import check_weight_sources

__all__ = ["Change", "Draft", "JsonObject", "Revision", "Weights", "open_draft"]


class Weights(Protocol):
    """Current weights by name in `state_dict`, and gradients of the next batch: they choose what is removed."""

    def weight(self, name: str) -> Tensor:
        """Return a weight."""
        ...

    def gradient(self, name: str) -> Tensor:
        """Return the gradient of a weight, on the batch of the next step."""
        ...

    def after(self, change: "Change") -> "Weights":
        """Return the weights, and their gradients, of the network that a change makes of this one."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """What one operation makes of a network: its blueprint afterwards, and where every tensor comes from."""

    blueprint: Blueprint
    tensors: TensorMap


@dataclass(frozen=True, slots=True)
class Revision:
    """The result of an edit: the job's whole document afterwards, and the changes, to be applied one after the other.

    `choices` holds what was chosen by the weights, such as the units that stay, by the place of the operation: with
    them the same edit can be applied again without looking at weights. `places` leads from pointers into the document
    to those into the edit, for what the edit wrote.
    """

    document: Mapping[str, Any]
    changes: tuple[Change, ...]
    choices: Mapping[int, Sequence[int]] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Draft:
    """A document that operations change in place.

    Every node of `document["model"]` has an `id` (chains get those that they had implicitly). `infer()` is called by an
    operation that needs shapes; it infers the current document on the meta device, and raises `InvalidInput`.
    """

    document: JsonObject
    schema: DataSchema  # of the data set, as stored with the job
    weights: Weights | None = None  # None: on the meta device alone; the first units stand for the chosen ones
    choices: dict[int, Sequence[int]] = field(default_factory=dict)
    lineage: Lineage = field(default_factory=Lineage)
    # What operations wrote: pointers into the edit, by the identity of a node's object, and by pointer into the job.
    written_nodes: dict[int, str] = field(default_factory=dict)
    written_ids: dict[int, str] = field(default_factory=dict)
    written_fields: dict[tuple[int, str], str] = field(default_factory=dict)
    written_settings: dict[str, str] = field(default_factory=dict)
    functions: dict[int, InitialFunction] = field(default_factory=dict)  # what new nodes compute, by identity too
    # The network before the operations that are not settled yet.
    network: PartialNetwork = field(default_factory=lambda: PartialNetwork(Blueprint((), (), {})))
    implicit_ids: list[JsonObject] = field(default_factory=list)  # layers whose ids the user did not write
    warnings: list[Problem] = field(default_factory=list)

    def follow(self, change: Change, network: PartialNetwork) -> None:
        """Go on from a change, which has made a network: later operations of the edit find that one."""
        self.network = network
        self.lineage.restart(self.model)
        if self.weights is not None:
            self.weights = self.weights.after(change)

    @property
    def model(self) -> JsonObject:
        """The network in the document."""
        model: JsonObject = self.document["model"]
        return model

    @property
    def blueprint(self) -> Blueprint:
        """The blueprint of the network before the operations that are not settled yet."""
        return self.network.blueprint

    @property
    def has_groups(self) -> bool:
        """Whether an update of the plan has groups of parameters."""
        training = self.document.get("training") or {}
        return any(each.get("groups") for each in (training, *(training.get("updates") or ())))

    def write_node(self, node: JsonObject, pointer: str, field: str, init: Initialisation) -> None:
        """Note that the operation at `pointer` writes a node, which is its field, and what the node computes first."""
        self.written_nodes[id(node)] = f"{pointer}/{field}"
        self.set_function(node, pointer, init)

    def set_function(self, node: JsonObject, pointer: str, init: Initialisation) -> None:
        """Note what the operation at `pointer` makes a node compute first."""
        self.functions[id(node)] = InitialFunction(init, pointer)

    def find(self, path: str, pointer: str) -> NodePlace:
        """Return the place of a node. Raises `InvalidInput` at `pointer`, of the edit, if there is none."""
        return find_node(self.model, path, pointer)

    def input_names(self) -> tuple[str, ...]:
        """Return the inputs of the network: those that it names, or else those of the data."""
        job = parse_job(self.document)
        features = resolve_job_features(job, self.schema)
        return job.model.input_names(job.data.inputs or features.schema.inputs)

    def infer(self) -> PartialNetwork:
        """Return the network of the current document, on the meta device.

        Raises `InvalidInput` with every problem of the document, whose pointers lead into the job.
        """
        job = parse_job(self.document)
        if problems := check_job(job, self.schema, sys.maxsize):
            raise InvalidInput(problems)
        features = resolve_job_features(job, self.schema)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's advice on unusual settings is no problem
            network = infer_shapes(job.model, features.schema, job.data.inputs or features.schema.inputs)
        if network.problems:
            raise InvalidInput([problem.with_prefix("/model") for problem in network.problems])
        if self.network.nodes:
            check_weight_sources(self.blueprint, network.blueprint)
        return network

    def places(self) -> dict[str, str]:
        """Return the pointers into the edit of what its operations wrote, by pointer into the document."""
        places = dict(self.written_settings)
        for within in all_bodies(self.model):
            for index, node in enumerate(within.nodes):
                place = f"/model{within.node_pointer(index)}"
                if id(node) in self.written_nodes:
                    places[place] = self.written_nodes[id(node)]
                fields = {name: each for (owner, name), each in self.written_fields.items() if owner == id(node)}
                places |= {f"{place}/{name}": each for name, each in fields.items()}
                if id(node) in self.written_ids:
                    places[f"{place}/id"] = self.written_ids[id(node)]
        return places


def open_draft(
    document: Mapping[str, Any],
    schema: DataSchema,
    weights: Weights | None = None,
    choices: Mapping[int, Sequence[int]] | None = None,
) -> Draft:
    """Return a draft of a copy of a document, with every shorthand written out, and an id in every node."""
    job = parse_job(dict(document))
    copy: JsonObject = deepcopy(canonical_document(job, document))
    draft = Draft(copy, schema, weights, dict(choices or {}), implicit_ids=write_layer_ids(job.model, copy["model"]))
    draft.lineage.restart(draft.model)
    return draft
