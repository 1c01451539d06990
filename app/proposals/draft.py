"""A spec in the making: features, inputs and nodes, and the reason for each choice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.errors import Problem
from app.spec.data.columns import DataSchema
from app.spec.data.feature_schema import sanitize_name, unique_name


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a part of a proposed spec is as it is; `pointer` is a JSON Pointer into the spec."""

    pointer: str
    text: str


@dataclass(slots=True)
class Draft:
    """The parts of a network and its data section, which branches add to."""

    schema: DataSchema
    target: str  # the column that is learned
    rows: int  # that the network is trained on
    features: dict[str, dict[str, Any]] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    nodes: list[dict[str, Any]] = field(default_factory=list)
    blocks: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)  # further settings of the data section
    reasons: list[Reason] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def explain(self, pointer: str, text: str) -> None:
        """Add a reason for a part of the spec."""
        self.reasons.append(Reason(pointer, text))

    def warn(self, code: str, detail: str, hint: str, pointer: str = "/target") -> None:
        """Add a warning; `pointer` leads into the request."""
        self.warnings.append(Problem(pointer, code, detail, hint))

    def ignore(self, column: str, detail: str, hint: str) -> None:
        """Leave a column out, with a warning."""
        self.data["ignore"] = [*self.data.get("ignore", ()), column]
        self.warn("unread_column", detail, hint, "")

    def add_feature(self, base: str, feature: Mapping[str, Any], suffixes: Sequence[str] = ()) -> str:
        """Add a feature that the network reads, and return its name: `base` if it is a valid and free one.

        `suffixes` are those of further tensors that it makes, which the network reads too.
        """
        others = {column.name for column in self.schema.columns} - {feature.get("column")}
        taken = {self.target, *self.features, *self.inputs, *others}
        name = unique_name(sanitize_name(base) or "input", taken)
        self.features[name] = dict(feature)
        self.inputs += [name, *(name + suffix for suffix in suffixes)]
        return name

    def add_node(self, node: str, kind: str, inputs: Sequence[str] | None, /, **fields: Any) -> str:
        """Add a node, and return its id: `node`, or with a number behind it if that is taken.

        `inputs` is `None` for a kind that names what it reads in fields of its own.
        """
        taken = {each["id"] for each in self.nodes} | set(self.inputs)
        name, number = node, 2
        while name in taken:
            name, number = f"{node}{number}", number + 1
        read = {} if inputs is None else {"inputs": list(inputs)}
        self.nodes.append({"id": name, "kind": kind, **read, **fields})
        return name

    def explain_node(self, node: str, text: str) -> None:
        """Add a reason for a node."""
        position = next(index for index, each in enumerate(self.nodes) if each["id"] == node)
        self.explain(f"/model/nodes/{position}", text)
