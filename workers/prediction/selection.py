"""Which outputs of a network are predicted: those that rows can give, that need no row, or that are named."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from app.errors import InvalidInput, NotPredictable, Problem
from app.spec.data.feature_schema import ResolvedFeatures
from app.spec.hints.names import did_you_mean
from workers.network.analysis.dependencies import ROW_COUNT, input_dependencies
from workers.network.blueprint import Blueprint
from workers.network.inference.input_checks import SYMBOLIC_BATCH_SIZE
from workers.network.inference.partial_network import PartialNetwork


@dataclass(frozen=True, slots=True)
class OutputSelection:
    """What a request asks for: outputs by name, or all that there are; of columns, or without any."""

    names: tuple[str, ...] | None = None
    without_rows: bool = False


def select_outputs(
    draft: PartialNetwork,
    blueprint: Blueprint,
    features: ResolvedFeatures,
    selection: OutputSelection,
    experience: AbstractSet[str] = frozenset(),
    losses: AbstractSet[str] = frozenset(),
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the outputs to predict, in the network's order, and of the others why not.

    `blueprint` is that of the draft, with a row count. `experience` are columns that no row has, since they tell what
    followed on an action, and `losses` outputs that are predicted only where they are named. Raises `InvalidInput` for
    a name that there is not, or that cannot be predicted so, and `NotPredictable` if no output can.
    """
    left_out = dict(_unpredictable_outputs(draft, blueprint, features))
    left_out |= dict(_outputs_of_experience(blueprint, experience))
    if selection.names is None:
        left_out = dict.fromkeys(losses, "it is a loss, which is predicted only if it is selected") | left_out
    if selection.without_rows:
        left_out |= dict(_outputs_of_columns(blueprint, left_out))
    predicted = tuple(name for name in blueprint.outputs if name not in left_out)
    if selection.names is not None:
        _check_names(selection.names, blueprint, left_out)
        left_out |= dict.fromkeys((name for name in predicted if name not in selection.names), "it is not selected")
        return tuple(name for name in predicted if name in selection.names), left_out
    if not predicted and selection.without_rows:
        hint = "send rows; or decode noise in an output of its own: docs/howto/generative-models.md"
        detail = "every output of the network reads a column"
        raise InvalidInput([Problem("/count", "reads_columns", detail, hint)])
    if not predicted or draft.problems:
        raise NotPredictable("the network has no output that can be predicted for every row")
    return predicted, left_out


def _check_names(names: tuple[str, ...], blueprint: Blueprint, left_out: dict[str, str]) -> None:
    """Raise `InvalidInput` for each name that is no output, or one that is left out."""
    problems, known = [], tuple(blueprint.outputs)
    for position, name in enumerate(names):
        pointer = f"/select/{position}"
        if name not in known:
            hint = did_you_mean(name, known) or "one of: " + ", ".join(known)
            problems.append(Problem(pointer, "unknown_output", f'the network has no output "{name}"', hint))
        elif name in left_out:
            problems.append(Problem(pointer, "not_predictable", f'"{name}" is left out: {left_out[name]}', "remove it"))
    if problems:
        raise InvalidInput(problems)


def _unpredictable_outputs(
    draft: PartialNetwork, blueprint: Blueprint, features: ResolvedFeatures
) -> Iterator[tuple[str, str]]:
    """Yield the outputs that cannot be predicted from rows without targets, or for a single row, and why.

    A target counts as an input if it is an input of the data as well, or if every output of columns depends on it.
    """
    dependencies = input_dependencies(blueprint)
    of_columns = [names - {ROW_COUNT} for names in dependencies.values() if names != {ROW_COUNT}]
    targets = set(features.targets.values()) - set(features.schema.inputs)
    targets -= frozenset.intersection(*of_columns) if of_columns else set()
    if all(names & targets for names in of_columns):
        targets = set()
    for name, source in blueprint.outputs.items():
        shape = draft.values[source].shape if source in draft.values else ()
        if names := sorted(dependencies[name] & targets):
            yield name, f"it depends on {', '.join(names)}, which is to be learned"
        elif not shape or shape[0] != SYMBOLIC_BATCH_SIZE:
            yield name, "it is about a whole batch, and not about every row"


def _outputs_of_experience(blueprint: Blueprint, experience: AbstractSet[str]) -> Iterator[tuple[str, str]]:
    """Yield the outputs that read what an agent has experienced, and which columns of it."""
    for name, read in input_dependencies(blueprint).items():
        if columns := sorted(read & experience):
            yield name, f"it depends on {', '.join(columns)}: of experience, while a row is an observation"


def _outputs_of_columns(blueprint: Blueprint, left_out: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the other outputs that read a column, and which."""
    for name, read in input_dependencies(blueprint).items():
        if name not in left_out and (columns := sorted(read - {ROW_COUNT})):
            yield name, f"it reads {', '.join(columns)}: send rows"
