"""The short form of operations: `insert relu1 Conv2d out_channels=10 --init identity --then freeze stem`."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer

SEPARATOR = "--then"  # between two operations
JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one operation: names and sizes in their order, fields as `name=value`, options as `--name value`."""

    positions: Sequence[str]
    fields: Mapping[str, Any]
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Form:
    """How one operation is written: an example, how many positions it has, its options, and its document."""

    example: str
    positions: range
    document: Callable[[Words], JsonObject]
    options: tuple[str, ...] = ()
    has_fields: bool = False


def parse_operations(words: Sequence[str]) -> list[JsonObject]:
    """Return the operations that words say, as an edit has them. Raises `typer.BadParameter`."""
    return [_parse_operation(each) for each in _split(words)]


def parse_value(text: str) -> Any:
    """Return a value as JSON, or as the text itself if it is not JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _split(words: Sequence[str]) -> Iterator[Sequence[str]]:
    start = 0
    for place, word in enumerate([*words, SEPARATOR]):
        if word == SEPARATOR:
            yield words[start:place]
            start = place + 1


def _parse_operation(words: Sequence[str]) -> JsonObject:
    if not words:
        raise typer.BadParameter(f"an operation is missing before or after {SEPARATOR}")
    name = words[0].replace("-", "_")
    form = FORMS.get(name)
    if form is None:
        raise typer.BadParameter(f"{words[0]} is no operation; operations are {', '.join(FORMS)}")
    found = _sort_words(name, form, words[1:])
    if len(found.positions) not in form.positions:
        raise typer.BadParameter(f"{name} is written: {form.example}")
    return {"op": name} | form.document(found)


def _sort_words(name: str, form: Form, words: Sequence[str]) -> Words:
    positions: list[str] = []
    fields: JsonObject = {}
    options: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        if word.startswith("--"):
            option, given, value = word[2:].partition("=")
            if option not in form.options:
                allowed = ", ".join(f"--{each}" for each in form.options) or "none"
                raise typer.BadParameter(f"{name} has no --{option}; its options: {allowed}")
            options[option] = value if given else next(rest, "")
            if not options[option]:
                raise typer.BadParameter(f"--{option} of {name} needs a value: {form.example}")
        elif form.has_fields and "=" in word:
            field, _, text = word.partition("=")
            fields[field] = parse_value(text)
        else:
            positions.append(word)
    return Words(positions, fields, options)


def _insert(words: Words) -> JsonObject:
    places = [place for place in ("before", "between") if place in words.options]
    *after, kind = words.positions
    if len(places) + len(after) != 1:
        raise typer.BadParameter("insert takes one place: a node to insert after, or --before NODE, or --between A,B")
    place: JsonObject = {"after": after[0]} if after else {places[0]: words.options[places[0]]}
    if "between" in place:
        place["between"] = place["between"].split(",")
    return place | {"node": {"kind": kind, **words.fields}} | _chosen(words, "init")


def _replace(words: Words) -> JsonObject:
    node, kind = words.positions
    return {"node": node, "with": {"kind": kind, **words.fields}} | _chosen(words, "init")


def _rename(words: Words) -> JsonObject:
    node, new = words.positions
    return {"node": node, "to": new}


def _widen(words: Words) -> JsonObject:
    node, size = words.positions
    factor = size.removesuffix("x")
    to = {"to": _number(size)} if factor == size else {"by": _number(factor)}
    return {"node": node} | to | _chosen(words, "init", "noise")


def _narrow(words: Words) -> JsonObject:
    node, *sizes = words.positions
    operation: JsonObject = (
        {"node": node} | ({"to": _number(sizes[0])} if sizes else {}) | _chosen(words, "by", "fraction")
    )
    if "keep" in words.options:
        operation["keep"] = [_number(index) for index in words.options["keep"].split(",")]
    if sum(rule in operation for rule in ("to", "fraction", "keep")) != 1:
        raise typer.BadParameter("narrow takes one of: a size, --fraction SHARE that is removed, --keep 0,2,5")
    return operation


def _grow(words: Words) -> JsonObject:
    node, size = words.positions
    return {"node": node, "to": _number(size)} | _chosen(words, "init")


def _set(words: Words) -> JsonObject:
    path, value = words.positions
    return {"path": path, "value": parse_value(value)}


def _chosen(words: Words, *names: str) -> JsonObject:
    """Return the options that were given, by the fields that they set."""
    return {name: parse_value(words.options[name]) for name in names if name in words.options}


def _number(text: str) -> int | float:
    value = parse_value(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise typer.BadParameter(f"{text} is no number")
    return value


# Operation → how it is written. Fields of nodes and settings are JSON: `kernel_size=[3,1]`, `bias=false`.
FORMS: Mapping[str, Form] = {
    "insert": Form(
        "insert relu1 Conv2d out_channels=10 kernel_size=3 padding=1 --init identity",
        range(1, 3),
        _insert,
        ("init", "before", "between"),
        has_fields=True,
    ),
    "remove": Form("remove drop2", range(1, 2), lambda words: {"node": words.positions[0]}),
    "replace": Form("replace relu2 GELU", range(2, 3), _replace, ("init",), has_fields=True),
    "rename": Form("rename fc1 stem", range(2, 3), _rename),
    "widen": Form("widen fc1 256 (or 1.5x)", range(2, 3), _widen, ("init", "noise")),
    "narrow": Form("narrow fc2 64 --by magnitude", range(1, 3), _narrow, ("by", "fraction", "keep")),
    "deepen": Form(
        "deepen block2 id=block3",
        range(1, 2),
        lambda words: {"after": words.positions[0], **words.fields},
        has_fields=True,
    ),
    "grow_vocabulary": Form("grow_vocabulary words 20000 --init mean", range(2, 3), _grow, ("init",)),
    "grow_classes": Form("grow_classes head 12", range(2, 3), _grow, ("init",)),
    "freeze": Form("freeze stem block1", range(1, 1000), lambda words: {"nodes": list(words.positions)}),
    "unfreeze": Form("unfreeze stem block1", range(1, 1000), lambda words: {"nodes": list(words.positions)}),
    "reinit": Form(
        "reinit head", range(1, 2), lambda words: {"node": words.positions[0]} | _chosen(words, "init"), ("init",)
    ),
    "set": Form("set training.optimizer.lr 3e-4", range(2, 3), _set),
    "swap_optimizer": Form(
        "swap_optimizer SGD lr=0.1 momentum=0.9",
        range(1, 2),
        lambda words: {"to": {"kind": words.positions[0], **words.fields}},
        has_fields=True,
    ),
}
