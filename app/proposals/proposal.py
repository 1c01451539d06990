"""A proposed job: the network for the columns, the objective for the target, and a plan for the number of rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import InvalidInput, Problem
from app.proposals.draft import Draft, Reason
from app.proposals.images import add_image_branch
from app.proposals.plans import DataKind, propose_plan, propose_validation
from app.proposals.request import ProposalRequest
from app.proposals.sequences import BAG_ROWS, add_series_branch, add_words_branch
from app.proposals.tables import add_joined_table, add_table_network, read_table
from app.proposals.tags import add_tagger
from app.proposals.targets import TASKS, Target, add_target_reasons, metrics, resolve_target
from app.proposals.tensors import add_tensor_branch, is_vector, read_vector
from app.proposals.trees import add_tree_branch
from app.spec.data.columns import Column, ColumnType, DataSchema
from app.spec.data.feature_schema import sanitize_name, unique_name

Branch = Callable[[Draft, Column], str]

# Type of column → what adds its branch to the network. Other columns are parts of a table.
BRANCHES: Mapping[ColumnType, Branch] = {
    "image": add_image_branch,
    "text": add_words_branch,
    "words": add_words_branch,
    "series": add_series_branch,
    "tree": add_tree_branch,
    "tensor": add_tensor_branch,
}
# Of several kinds of data the first decides the plan: what is slowest to train.
PLAN_ORDER: tuple[DataKind, ...] = ("tags", "tree", "image", "words", "series", "bag", "table")
PLAN_KINDS: Mapping[ColumnType, DataKind] = {
    "image": "image",
    "text": "words",
    "words": "words",
    "series": "series",
    "tree": "tree",
}
MAX_BUCKETED_ROWS = 200  # with more rows, batches are drawn from rows of similar length
JOINED_DROPOUT = 0.3
TARGET_REASONS = {
    "labels": "Each row is compared with a 0 or 1 for every word that a list may hold.",
    "tensor": "Targets are standardised while training; answers are in the units of the data.",
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A spec as `POST /v1/jobs` takes it, a reason for each choice, and what was guessed or left out."""

    spec: dict[str, Any]
    reasons: tuple[Reason, ...]
    warnings: tuple[Problem, ...]


def propose(dataset_id: str, name: str, schema: DataSchema, request: ProposalRequest) -> Proposal:
    """Return a job on a data set. Raises `InvalidInput` where the target cannot be learned as requested."""
    target = resolve_target(schema, request)
    columns = _input_columns(schema, target.column.name)
    validation, rows, reason = propose_validation(schema.rows)
    draft = Draft(schema, target.column.name, rows)
    draft.warnings += [Problem("", each.code, each.detail, each.hint) for each in schema.warnings]
    _warn_of_unread(draft, columns)
    scores = _add_network(draft, columns, target)
    draft.explain("/data/validation", reason)
    add_target_reasons(draft, target, request)
    learned = _add_target_feature(draft, target)
    data = {"kind": "dataset", "id": dataset_id, "features": draft.features, "target": learned}
    plan = propose_plan(draft, _plan_kind(columns, target, rows), metrics(target))
    model = {"inputs": draft.inputs, "nodes": draft.nodes, "outputs": {"scores": scores}}
    spec = {
        "name": f"{name[:120]}: {target.column.name[:60]}",
        "model": model | ({"blocks": draft.blocks} if draft.blocks else {}),
        "data": data | draft.data | {"validation": validation},
        "objective": _objective(draft, target, request),
        "training": plan,
    }
    return Proposal(spec, tuple(draft.reasons), tuple(draft.warnings))


def _add_target_feature(draft: Draft, target: Target) -> str:
    """Return the name of what is learned: the column, or a feature of it where the column alone does not tell how."""
    column, feature = target.column, _target_feature(target)
    if feature is None:
        return column.name
    name = unique_name(sanitize_name(column.name) or "target", {*draft.features, *draft.inputs})
    draft.features[name] = {**feature, "column": column.name}
    draft.explain(f"/data/features/{name}", TARGET_REASONS[str(feature["kind"])])
    return name


def _target_feature(target: Target) -> dict[str, Any] | None:
    """Return how a column is compared where that does not follow from the loss and the column's type."""
    if target.task == "labels":
        return {"kind": "labels"}
    if target.task == "numbers" and target.column.type == "tensor":
        return {"kind": "tensor", "scale": "standard"}
    return None


def _input_columns(schema: DataSchema, target: str) -> list[Column]:
    """Return the columns that the network reads, with the data set's own target if that was a guess and another is."""
    names = {*schema.inputs, *((schema.target,) if schema.guessed_target else ())} - {target}
    columns = [column for column in schema.columns if column.name in names and column.ignored is None]
    if not columns:
        detail = f'beside "{target}" there is no column that a network could read'
        raise InvalidInput([Problem("/target", "no_inputs", detail, "name another target, or upload more columns")])
    return columns


def _warn_of_unread(draft: Draft, read: Sequence[Column]) -> None:
    """Say that the data set's own target is not read where another one is learned; of others the schema says so."""
    own = draft.schema.target
    if own is not None and own != draft.target and all(column.name != own for column in read):
        detail = f'"{own}" is not read: it is the target that the data set was uploaded with'
        draft.ignore(own, detail, "move it from ignore to the columns of a feature to read it")


def _add_network(draft: Draft, columns: Sequence[Column], target: Target) -> str:
    """Add a branch for each kind of data and what joins them; return the node of the scores."""
    if target.task == "tags":
        return add_tagger(draft, columns, target.outputs)
    table = [column for column in columns if column.type not in BRANCHES]
    vectors = read_table(draft, table)
    vectors += [read_vector(draft, column) for column in columns if is_vector(column)]
    others = [column for column in columns if column.type in BRANCHES and not is_vector(column)]
    if not others:
        return add_table_network(draft, vectors, target.outputs)
    branches = [BRANCHES[column.type](draft, column) for column in others]
    if vectors:
        branches.append(add_joined_table(draft, vectors))
    joined = branches[0] if len(branches) == 1 else draft.add_node("joined", "cat", branches, dim=1)
    if len(branches) > 1:
        draft.explain_node(joined, f"{len(branches)} kinds of input columns are read side by side.")
    kept = draft.add_node("kept", "Dropout", [joined], p=JOINED_DROPOUT)
    draft.explain_node(kept, f"{JOINED_DROPOUT:.0%} of what was read is left out at random in each step.")
    _bucket(draft, others)
    return draft.add_node("scores", "Linear", [kept], out_features=target.outputs)


def _bucket(draft: Draft, columns: Sequence[Column]) -> None:
    """Draw batches from rows of similar length, where there are enough of them."""
    sequence = next((each for each in draft.features if f"{each}_length" in draft.inputs), None)
    if sequence is not None and draft.rows > MAX_BUCKETED_ROWS:
        draft.data["bucket"] = sequence
        draft.explain("/data/bucket", "Batches are drawn from rows of similar length: little of them is padding.")


def _plan_kind(columns: Sequence[Column], target: Target, rows: int) -> DataKind:
    if target.task == "tags":
        return "tags"
    kinds = {PLAN_KINDS.get(column.type) or _tensor_kind(column) for column in columns}
    if "words" in kinds and rows < BAG_ROWS:
        kinds = {"bag" if kind == "words" else kind for kind in kinds}
    return next(kind for kind in PLAN_ORDER if kind in kinds)


def _tensor_kind(column: Column) -> DataKind:
    if column.type != "tensor" or column.dtype.startswith("int"):
        return "table"
    return {2: "series", 3: "image"}.get(len(column.shape), "table")  # type: ignore[return-value]


def _objective(draft: Draft, target: Target, request: ProposalRequest) -> dict[str, Any]:
    names = metrics(target)
    draft.explain("/objective/metrics", f"Reported of the held-out rows beside the loss: {', '.join(names)}.")
    loss = request.loss or TASKS[target.task].loss
    objective: dict[str, Any] = {"loss": {"kind": loss}, "metrics": list(names)}
    if target.task == "tags":
        objective["classes"] = "last"
    return objective
