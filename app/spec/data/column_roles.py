"""The roles of a data set's columns in a job: the table that is shown before anything trains."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain, islice
from typing import Any, Literal

from pydantic import Field

from app.errors import Problem
from app.spec.base import SpecModel
from app.spec.data.base_feature import BaseFeature
from app.spec.data.columns import Column, ColumnType, DataSchema, DecidedBy
from app.spec.data.feature_schema import ResolvedFeatures

MAX_LISTED_COLUMNS = 200  # of a table that comes with every job
MAX_NAMED_COLUMNS = 8  # in the text of a warning
NOT_READ = "the network does not read it"
NOT_COMPARED = "it is the target of the data, and no loss or metric of the job compares with it"
UNSCALED_KINDS = frozenset({"tensor", "numbers", "table", "series"})  # that scale numbers if they are told to
NUMERIC_TYPES = frozenset({"tensor", "number", "series"})  # whose statistics are numbers
FLOAT32_STEP = 2.0**-23  # between neighbours, relative to their size
CHANNEL_COUNTS = frozenset({1, 3, 4})  # of images
MIN_STEPS = 100  # that the standard deviation of an input has at least
SOURCE_FIELDS = frozenset({"kind", "column", "columns"})  # of features: the table has a row for each column


Role = Literal["input", "target", "ignored"]


class ColumnRole(SpecModel):
    """What a job makes of one stored column."""

    column: str
    type: ColumnType
    role: Role
    reason: str | None = Field(None, description="Of an ignored column: why no network reads it.")
    feature: str | None = Field(None, description="The name under which a network or a loss reads it.")
    kind: str | None = Field(None, description="The kind of that feature: how the column becomes a tensor.")
    settings: dict[str, Any] = Field(default_factory=dict, description="The other settings of that feature.")
    decided_by: DecidedBy = Field("content", description="The job or the upload, what the file says, or its values.")


def column_roles(
    stored: DataSchema,
    resolved: ResolvedFeatures,
    read: Sequence[str],
    declared: Mapping[str, BaseFeature],
    learned: AbstractSet[str],
) -> list[ColumnRole]:
    """Return the roles of the columns, targets and ignored ones first; the first 200 of many.

    `read` are the columns that the network reads, `declared` the features as the job has them, `learned` the targets
    that an output is compared with.
    """
    targets = _sources(resolved, [name for name in resolved.targets.values() if name in learned or name in read])
    unused = _sources(resolved, [name for name in resolved.targets.values() if name not in learned])
    inputs = _sources(resolved, read)
    compared = [column for column in stored.columns if column.name in targets]
    others = [column for column in stored.columns if column.name not in targets]
    ignored = [column for column in others if column.name not in inputs]
    rest = [column for column in others if column.name in inputs]
    listed = islice(chain(compared, ignored, rest), MAX_LISTED_COLUMNS)
    sources: dict[Role, Mapping[str, str]] = {"target": targets, "input": inputs}
    return [_column_role(column, sources, unused.keys(), resolved, declared) for column in listed]


def _column_role(
    column: Column,
    sources: Mapping[Role, Mapping[str, str]],
    unused: AbstractSet[str],
    resolved: ResolvedFeatures,
    declared: Mapping[str, BaseFeature],
) -> ColumnRole:
    for role, features in sources.items():
        if column.name in features:
            return _feature_role(column, role, features[column.name], resolved, declared)
    ignored_by_user = column.name in resolved.ignored
    reason = column.ignored or (NOT_COMPARED if column.name in unused else NOT_READ)
    reason = "the job ignores it" if ignored_by_user else reason
    decided_by: DecidedBy = "user" if ignored_by_user else column.decided_by
    return ColumnRole(column=column.name, type=column.type, role="ignored", reason=reason, decided_by=decided_by)


def role_warnings(
    stored: DataSchema, roles: Sequence[ColumnRole], is_default: bool, is_chain: bool
) -> Iterator[Problem]:
    """Yield the warnings of inputs. `is_default`: the job does not name them; `is_chain`: its network has layers."""
    if is_default:
        yield from unread_column_warnings(roles, is_chain)
    yield from lost_digit_warnings(stored, roles)
    yield from channel_order_warnings(stored, roles)


def unread_column_warnings(roles: Sequence[ColumnRole], is_chain: bool) -> Iterator[Problem]:
    """Yield a warning if there are columns that the network could read and does not."""
    unread = [each.column for each in roles if each.reason == NOT_READ]
    if unread:
        names = ", ".join(f'"{name}"' for name in unread[:MAX_NAMED_COLUMNS])
        more = f" and {len(unread) - MAX_NAMED_COLUMNS} more" if len(unread) > MAX_NAMED_COLUMNS else ""
        detail = f"the network does not read {names}{more}"
        ignore = ", ".join(f'"{name}"' for name in unread[:MAX_NAMED_COLUMNS])
        where = "write the network with nodes that read it" if is_chain else 'add it to the network\'s "inputs"'
        yield Problem("/model/inputs", "unread_column", detail, f'{where}, or say "ignore": [{ignore}] in data')


def channel_order_warnings(stored: DataSchema, roles: Sequence[ColumnRole]) -> Iterator[Problem]:
    """Yield a warning for each input that looks like images with their channels last, unless its feature is declared.

    Networks read (channels, height, width); of (height, width, channels) every line would be a channel.
    """
    for role in roles:
        column = stored.column(role.column)
        if column is None or role.role != "input" or role.decided_by == "user" or column.type != "tensor":
            continue
        if len(column.shape) == 3 and column.shape[2] in CHANNEL_COUNTS and min(column.shape[:2]) > max(CHANNEL_COUNTS):
            height, width, channels = column.shape
            detail = (
                f'"{column.name}" is read as {height} channels of {width} x {channels}, and may have its channels last'
            )
            hint = (
                f"store {column.name}.transpose(0, 3, 1, 2); or say that it is meant so: "
                f'"features": {{"{role.feature}": {{"kind": "tensor", "column": "{column.name}"}}}} in data'
            )
            yield Problem("/data", "channel_order", detail, hint)


def lost_digit_warnings(stored: DataSchema, roles: Sequence[ColumnRole]) -> Iterator[Problem]:
    """Yield a warning for each input whose values differ in digits that float32 does not have, and that is not scaled.

    float32 has 24 binary digits: large values that differ little, such as seconds of an epoch, become equal.
    """
    for role in roles:
        column = stored.column(role.column)
        is_scalable = role.role == "input" and role.kind in UNSCALED_KINDS and role.type in NUMERIC_TYPES
        if column is None or not is_scalable or column.dtype != "float32":
            continue
        numbers = (column.statistics or {}).get("values", column.statistics) or {}
        step = max(abs(numbers.get("min", 0.0)), abs(numbers.get("max", 0.0))) * FLOAT32_STEP
        if role.settings.get("scale") in (None, "none") and 0 < numbers.get("std", 0.0) < MIN_STEPS * step:
            detail = f'"{column.name}" differs in steps of less than {step:.3g}, which float32 does not tell apart'
            yield Problem("/data/scale", "lost_digits", detail, '"scale": "standard" subtracts the mean first')


def _sources(resolved: ResolvedFeatures, columns: Sequence[str]) -> dict[str, str]:
    """Return the feature by stored column, of the features that make these columns."""
    features = resolved.features_for(columns)
    return {source: name for name, feature in reversed(features.items()) for source in feature.source_columns}


def _feature_role(
    column: Column, role: Role, feature_name: str, resolved: ResolvedFeatures, declared: Mapping[str, BaseFeature]
) -> ColumnRole:
    feature = resolved.features[feature_name]
    return ColumnRole(
        column=column.name,
        type=column.type,
        role=role,
        feature=feature_name,
        kind=feature.kind,
        settings=feature.model_dump(mode="json", exclude=set(SOURCE_FIELDS), exclude_none=True),
        decided_by="user" if feature_name in declared else column.decided_by,
    )
