"""How a network sees a data set: the features that a job declares, or those that follow from the columns' types."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from re import fullmatch, sub
from typing import Any

from app.errors import Problem
from app.spec.base import NAME_PATTERN, SpecModel
from app.spec.data import features as made
from app.spec.data.columns import MAX_LABELS, Column, DataSchema
from app.spec.data.feature_columns import (
    CHILDREN_SUFFIX,
    COLUMN_BUILDERS,
    LENGTH_SUFFIX,
    auxiliary_columns,
    max_column_length,
)
from app.spec.data.images import apply_default_transforms, image_problems, missing_image_problems, mixing_problems
from app.spec.data.sources import Data
from app.spec.problems import did_you_mean

NUMBERS_NAME = "x"  # all number columns of a table side by side, unless the job says otherwise

# Kind of feature → types of the columns that it can be made of.
SUPPORTED_COLUMN_TYPES: Mapping[str, tuple[str, ...]] = {
    "tensor": ("tensor",),
    "numbers": ("number",),
    "category": ("category", "number"),
    "class": ("category", "number"),
    "text": ("text", "category", "words"),
    "tags": ("words",),
    "labels": ("words",),
    "series": ("series",),
    "tree": ("tree",),
    "image": ("image", "tensor"),
}
AUTOENCODER_TYPES = frozenset({"tensor", "series", "image"})  # what an autoencoder reads is what it learns
LABEL_FEATURES = frozenset({"category", "class", "tags", "labels"})  # which need to know the different words


@dataclass(frozen=True, slots=True)
class ResolvedFeatures:
    """What the network sees, and how it is made. `schema` has tensors alone; what has a problem is left out."""

    schema: DataSchema
    features: Mapping[str, SpecModel]  # by the name of the (first) column that each makes
    targets: Mapping[str, str]  # name in the job → name of the column
    problems: tuple[Problem, ...] = ()

    def features_for(self, columns: Sequence[str]) -> dict[str, SpecModel]:
        """Return the features of which these columns come."""
        return {
            name: part
            for name, part in self.features.items()
            if not {name, name + CHILDREN_SUFFIX, name + LENGTH_SUFFIX}.isdisjoint(columns)
        }


def resolve_features(data: Data, stored: DataSchema, targets: Sequence[tuple[str, str]] = ()) -> ResolvedFeatures:
    """Return how a network sees the data. `targets` are names of features or columns, each with its pointer."""
    declared = dict(data.features or {})
    problems: list[Problem] = []
    found: dict[str, SpecModel] = dict(declared)
    names: dict[str, str] = {}
    learned: dict[str, Column] = {}  # by the name of the column that the network sees
    for pointer, name in targets:
        column = stored.column(name)
        if name in declared:
            names[name] = name
        elif column is not None:
            read = column.type in AUTOENCODER_TYPES and stored.is_input(name)
            taken = {*declared, *names.values(), *(() if read else (NUMBERS_NAME,))}
            other = f"target{len(names) + 1}" if "target" in names.values() else "target"
            names[name] = sanitize_name(name, taken, other)
            if not read or names[name] == other:
                learned[names[name]] = column
        else:
            choices = [*declared, *(column.name for column in stored.columns)]
            hint = did_you_mean(name, choices) or "one of: " + ", ".join(choices)
            problems.append(Problem(pointer, "unknown_column", f'the data has no column "{name}"', hint))
    inputs = _add_default_inputs(stored, {column.name for column in learned.values()}, found)
    found |= {name: default_target_feature(column) for name, column in learned.items()}
    doubled = {name for name, part in found.items() for name in auxiliary_columns(name, part) if name in found}
    found = {name: part for name, part in found.items() if name not in doubled - {*declared, *names.values()}}
    inputs = tuple(name for name in inputs if name in found)
    scaled = {
        name: _with_default_scale(part, data.scale) for name, part in _align_all_tags(found, declared, stored).items()
    }
    scaled = apply_default_transforms(scaled, declared, data, stored)
    problems += [*missing_image_problems(data, scaled), *mixing_problems(data, scaled, stored)]
    columns: list[Column] = []
    for name, part in scaled.items():
        place = f"/data/features/{name}" if name in declared else "/data"
        wrong = [
            *_column_problems(part, stored, place),
            *_feature_problems(part, declared.get(name, part), stored, place),
        ]
        wrong += image_problems(name, part, declared, stored) if not wrong else ()
        wrong += [_duplicate_column(name, place)] if name in doubled else []
        problems += wrong
        if not wrong:
            columns += COLUMN_BUILDERS[part.kind](name, part, stored)  # type: ignore[attr-defined]
    if declared:
        inputs = tuple(name for name in declared if name not in names.values())
    target = next(iter(names.values()), None)
    schema = DataSchema(columns=tuple(columns), rows=stored.rows, inputs=inputs, target=target)
    return ResolvedFeatures(schema, scaled, names, tuple(problems))


def _duplicate_column(name: str, place: str) -> Problem:
    detail = f'the column "{name}" is made by two features: a text or series has its length, a tree its children'
    return Problem(place, "duplicate_id", detail, "give one of them another name")


def sanitize_name(name: str, taken: AbstractSet[str], other: str) -> str:
    """Return a name of the language for a column: its own, with _ for what is no letter or digit, or else `other`."""
    plain = sub(r"\W+", "_", name, flags=256).strip("_")  # ASCII
    return plain if fullmatch(NAME_PATTERN, plain) and plain not in taken else other


def _add_default_inputs(stored: DataSchema, learned: set[str], found: dict[str, SpecModel]) -> tuple[str, ...]:
    """Add every column that no feature is named like, as an input; returns the inputs by default."""
    inputs: list[str] = []
    numbers = [name for name in stored.inputs if name not in learned and _column_type(stored, name) == "number"]
    if numbers and NUMBERS_NAME not in found and stored.column(NUMBERS_NAME) is None:
        found[NUMBERS_NAME] = made.NumbersFeature(columns=tuple(numbers))
        inputs.append(NUMBERS_NAME)
    for column in stored.columns:
        name = sanitize_name(column.name, found.keys(), "")
        if name:
            found[name] = default_input_feature(column)
            read = stored.is_input(column.name) and column.name not in learned
            if read and (column.type != "number" or NUMBERS_NAME not in found):
                inputs.append(name)
    return tuple(inputs)


def _column_type(stored: DataSchema, name: str) -> str | None:
    column = stored.column(name)
    return column.type if column is not None else None


DEFAULT_INPUT_FEATURES: Mapping[str, Callable[[str], SpecModel]] = {
    "tensor": lambda name: made.TensorFeature(column=name),
    "number": lambda name: made.NumbersFeature(columns=(name,)),
    "category": lambda name: made.CategoryFeature(column=name),
    "text": lambda name: made.TextFeature(column=name),
    "words": lambda name: made.TextFeature(column=name),
    "series": lambda name: made.SeriesFeature(column=name),
    "tree": lambda name: made.TreeFeature(column=name),
    "image": lambda name: made.ImageFeature(column=name),
}


def default_input_feature(column: Column) -> SpecModel:
    """Return how a column is seen as an input unless the job says otherwise."""
    return DEFAULT_INPUT_FEATURES[column.type](column.name)


def default_target_feature(column: Column) -> SpecModel:
    """Return how a column is seen as a target unless the job says otherwise."""
    name = column.name
    if column.type == "category" or (column.type == "number" and column.labels is not None):
        return made.ClassFeature(column=name)
    if column.type == "number":
        return made.NumbersFeature(columns=(name,), missing="refuse", scale="none")
    if column.type == "tensor":
        return made.TensorFeature(column=name, scale="none")
    if column.type == "words":
        return made.TagsFeature(column=name)
    if column.type == "series":
        return made.SeriesFeature(column=name, scale="none")
    return default_input_feature(column)


def _with_default_scale(part: SpecModel, scale: str | None) -> SpecModel:
    if scale is None or getattr(part, "scale", "") is not None:
        return part
    return part.model_copy(update={"scale": scale})


def _align_all_tags(
    found: Mapping[str, SpecModel], declared: Mapping[str, SpecModel], stored: DataSchema
) -> dict[str, SpecModel]:
    """Cut and pad tags as the text, series or tree that they belong to: of those read by default, the first."""
    sequences: list[Any] = [
        part
        for _, part in (*declared.items(), *found.items())
        if isinstance(part, made.SeriesFeature | made.TreeFeature) or _is_word_list(part, stored)
    ]
    sequences.sort(key=lambda part: not stored.is_input(part.column))
    return {
        name: _align_tags(part, sequences, stored) if isinstance(part, made.TagsFeature) else part
        for name, part in found.items()
    }


def _is_word_list(part: SpecModel, stored: DataSchema) -> bool:
    return isinstance(part, made.TextFeature) and _column_type(stored, part.column) == "words"


def _align_tags(tags: made.TagsFeature, sequences: Sequence[Any], stored: DataSchema) -> made.TagsFeature:
    columns = [tags.of] if tags.of is not None else [each.column for each in sequences if each.column != tags.column]
    owner = next((each for each in sequences if each.column in columns), None)
    if owner is None:
        return tags.model_copy(update={"max_length": tags.max_length or made.DEFAULT_MAX_LENGTH})
    plain = made.SeriesFeature(column=owner.column) if isinstance(owner, made.TreeFeature) else owner  # never cut
    most = plain.max_length or max_column_length(stored, owner.column)
    return tags.model_copy(
        update={"of": owner.column, "max_length": most, "min_length": plain.min_length, "pad": plain.pad}
    )


def source_columns(part: SpecModel) -> tuple[str, ...]:
    """Return the stored columns that a feature is made of."""
    return getattr(part, "columns", None) or (part.column,)  # type: ignore[attr-defined]


def _column_problems(part: Any, stored: DataSchema, place: str) -> Iterator[Problem]:
    several = isinstance(part, made.NumbersFeature)
    for position, name in enumerate(source_columns(part)):
        pointer = place if place == "/data" else f"{place}/columns/{position}" if several else f"{place}/column"
        column = stored.column(name)
        if column is None:
            choices = [each.name for each in stored.columns]
            hint = did_you_mean(name, choices) or "one of: " + ", ".join(choices[:50])
            yield Problem(pointer, "unknown_column", f'the data has no column "{name}"', hint)
        elif column.type not in SUPPORTED_COLUMN_TYPES[part.kind]:
            fitting = " or ".join(kind for kind, types in SUPPORTED_COLUMN_TYPES.items() if column.type in types)
            detail = f'"{name}" is a column of type {column.type}, of which no feature {part.kind} can be made'
            yield Problem(pointer, "wrong_column_type", detail, f"make it {fitting}")
        elif part.kind in LABEL_FEATURES and not column.labels:
            detail = f'"{name}" has too many different values (over {MAX_LABELS}) for a feature {part.kind}'
            yield Problem(pointer, "too_many_labels", detail, "use another column, or a feature text")
        elif part.kind == "image" and column.type == "tensor" and len(column.shape) != 3:
            yield Problem(
                pointer,
                "wrong_column_type",
                f'"{name}" has shape {list(column.shape)} per example',
                "an image has (channels, height, width)",
            )


def _feature_problems(part: SpecModel, written: SpecModel, stored: DataSchema, place: str) -> Iterator[Problem]:
    """Yield the problems of features of texts, tags and series: `written` is the feature before tags were completed."""
    if isinstance(part, made.TextFeature) and _is_word_list(part, stored) and part.tokenizer.kind != "word":
        detail = f'"{part.column}" holds lists of words, which are tokens as they are'
        yield Problem(f"{place}/tokenizer/kind", "contradiction", detail, 'use "word"')
    if isinstance(part, made.TagsFeature) and isinstance(written, made.TagsFeature):
        yield from _tags_problems(part, written, stored, place)
    elif isinstance(part, made.TextFeature | made.SeriesFeature) and part.pad == "batch":
        most = part.max_length or max_column_length(stored, part.column)
        if part.min_length > most:
            detail = f"batches cannot be at least {part.min_length} long: no row is longer than {most}"
            yield Problem(f"{place}/min_length", "contradiction", detail, f"use at most {most}")


def _tags_problems(
    part: made.TagsFeature, written: made.TagsFeature, stored: DataSchema, place: str
) -> Iterator[Problem]:
    if written.of is not None and _column_type(stored, written.of) not in ("words", "series", "tree"):
        detail = f'"{written.of}" is no column of words, series or trees'
        yield Problem(f"{place}/of", "unknown_column", detail, "name the column that is tagged")
    for field in ("max_length", "min_length", "pad"):
        given, taken = getattr(written, field), getattr(part, field)
        if given not in (None, taken):
            detail = f'the tags belong to "{part.of}", whose {field} is {taken}'
            yield Problem(f"{place}/{field}", "contradiction", detail, f"leave {field} out")
