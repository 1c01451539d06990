"""Parameter groups: parameters with settings of their own, or frozen."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError, create_model

from app.errors import Problem
from app.spec.base import OneOrMany, SpecModel
from app.spec.hints.names import did_you_mean
from app.spec.problems import from_validation
from app.spec.training.optimizers import OPTIMIZERS, BaseOptimizer

ParameterPath = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$", max_length=500)
]  # as in `state_dict`


class BaseParameterGroup(SpecModel):
    """Parameters that are trained with settings of their own, or frozen.

    Without `nodes` the group holds the parameters that no other group names.
    """

    nodes: Annotated[tuple[ParameterPath, ...], Field(min_length=1, max_length=1000), OneOrMany()] | None = None
    parameters: Literal["all", "bias_and_norm", "weights"] = "all"
    frozen: bool = False

    def settings(self) -> dict[str, Any]:
        """Return the optimiser's settings that are set for this group."""
        own = type(self).model_fields.keys() - BaseParameterGroup.model_fields.keys()
        return {name: getattr(self, name) for name in type(self).model_fields if name in own & self.model_fields_set}


def _optional_settings() -> dict[str, Any]:
    """Return the fields of all optimisers, each with the union of its types."""
    types: dict[str, list[Any]] = {}
    for kind in OPTIMIZERS.values():
        for name, (type_, _) in kind.fields.items():
            union = types.setdefault(name, [])
            if type_ not in union:
                union.append(type_)
    return {name: (reduce(or_, [*union, None]), None) for name, union in types.items()}


if TYPE_CHECKING:
    ParameterGroup = BaseParameterGroup
else:
    ParameterGroup = create_model(
        "Group",
        __base__=BaseParameterGroup,
        __doc__=BaseParameterGroup.__doc__,
        __module__=__name__,
        **_optional_settings(),
    )


def group_problems(optimizer: BaseOptimizer, groups: Sequence[BaseParameterGroup]) -> list[Problem]:
    """Return the problems of groups that do not depend on the network; pointers lead into the plan."""
    problems: list[Problem] = []
    for position, group in enumerate(groups):
        of_group = _settings_problems(optimizer, group)
        problems += [problem.with_prefix(f"/groups/{position}") for problem in of_group]
    return problems


def _settings_problems(optimizer: BaseOptimizer, group: BaseParameterGroup) -> list[Problem]:
    settings = group.settings()
    if group.frozen and settings:
        names = " and ".join(settings)
        return [Problem("/frozen", "contradiction", f"a frozen group has no {names}", f"remove {names}")]
    known = optimizer.group_settings
    unknown = [name for name in settings if name not in known]
    if unknown:
        return [_unknown_setting(optimizer, name, sorted(known)) for name in unknown]
    try:
        type(optimizer).model_validate(optimizer.model_dump() | settings)
    except ValidationError as error:
        return from_validation(error, settings, type(optimizer))
    return []


def _unknown_setting(optimizer: BaseOptimizer, name: str, known: Sequence[str]) -> Problem:
    if name in optimizer.row.fields:
        detail = f"{optimizer.kind} has one {name} for all parameters"
        return Problem(f"/{name}", "unsupported", detail, "move it to optimizer")
    hint = did_you_mean(name, known) or "remove it; there are: " + ", ".join(known)
    return Problem(f"/{name}", "unknown_field", f"{optimizer.kind} has no {name}", hint)
