"""Problems with JSON Pointers, from Pydantic's errors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from re import findall, fullmatch
from typing import Any

from pydantic import ValidationError

from app.errors import Problem
from app.spec.base import NAME_PATTERN
from app.spec.hints.fields import default_hint, missing_field_hint, unknown_field_hint
from app.spec.hints.kinds import CATALOG_HINT, missing_kind_hint, unknown_kind_hint
from app.spec.hints.names import Hints, choices, did_you_mean
from app.spec.hints.places import Model, classes_at, types_at, words_of
from app.spec.hints.values import form_hint, identifier, object_hint, value_hint
from app.spec.kinds import required_fields

Location = Sequence[str | int]
DEFAULT_CODE = "invalid_value"
MAX_REPORTED_PROBLEMS = 100  # problems of one document
MAX_TRANSLATED_ERRORS = 1000  # of Pydantic's, which has several for one place; the others are only counted
MAX_WORD = 64  # characters of a word that is searched for


def json_pointer(location: Location) -> str:
    """Return the JSON Pointer (RFC 6901) of a path of keys and indices."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


def limit_problems(problems: Sequence[Problem], unread: int = 0) -> list[Problem]:
    """Return the first `MAX_REPORTED_PROBLEMS`, and one more that counts the others, and those that were not read."""
    remaining = max(0, len(problems) - MAX_REPORTED_PROBLEMS) + unread
    if not remaining:
        return list(problems)
    closing = Problem("", "too_many_problems", f"there are {remaining:,} more problems", "fix these first")
    return [*problems[:MAX_REPORTED_PROBLEMS], closing]


def existing_path(location: Location, document: Any) -> list[str | int]:
    """Return the path without the parts that Pydantic adds for members of unions: what exists in the document."""
    path: list[str | int] = []
    here = document
    for part in location:
        numbered = isinstance(here, list) and isinstance(part, int) and part < len(here)
        if numbered or (isinstance(here, dict) and part in here):
            here = here[part]
            path.append(part)
    return path


def from_validation(error: ValidationError, document: Any, model: Model, prefix: str = "") -> list[Problem]:
    """Return Pydantic's errors as problems, at most one per place, and limited as by `limit_problems`.

    `model` is the class that the document was validated as.
    """
    translation = _Translation(document, model)
    errors = [item for item in error.errors(include_url=False) if not _is_emptied_list(item)]
    translated = [translation.problem(item).with_prefix(prefix) for item in errors[:MAX_TRANSLATED_ERRORS]]
    parents = {parent for problem in translated for parent in _parent_pointers(problem.pointer)}
    by_place: dict[str, tuple[int, Problem]] = {}
    for item, problem in zip(errors, translated, strict=False):  # Pydantic reports every member of a union:
        rank = _precedence(item, problem)  # the deepest place is the relevant one, and there what says most
        if problem.pointer not in parents and rank > by_place.get(problem.pointer, (0, problem))[0]:
            by_place[problem.pointer] = rank, problem
    return limit_problems([problem for _, problem in by_place.values()], len(errors) - len(translated))


def _precedence(item: Any, problem: Problem) -> int:
    """Return which of several errors at one place is told: that of our own validators, then one with a code."""
    return 3 if item["type"] == "problem" else 2 if problem.code != DEFAULT_CODE else 1


def _is_emptied_list(item: Any) -> bool:
    """Say whether a list is too short only because invalid items were dropped, which are reported themselves."""
    return bool(item["type"] == "too_short" and len(item["input"]) >= item["ctx"]["min_length"])


def _parent_pointers(place: str) -> Iterator[str]:
    while place:
        place = place.rpartition("/")[0]
        yield place


@dataclass
class _Translation:
    """Translates the errors of one document."""

    document: Any
    model: Model
    hints: Hints = field(default_factory=Hints)
    missing: int = 0  # fields so far

    def problem(self, item: Any) -> Problem:
        """Return an error as a problem, with a hint as long as hints may be searched for."""
        kind, context = item["type"], item.get("ctx", {})
        path = existing_path(item["loc"], self.document)
        if kind == "problem":  # raised by our own validators, see `validation_error`
            return Problem(json_pointer(path), context["code"], context["detail"], context["hint"])
        translate = {
            "missing": self._missing,
            "extra_forbidden": self._unknown_field,
            "union_tag_invalid": self._unknown_kind,
            "union_tag_not_found": self._missing_kind,
        }.get(kind, self._wrong_value)
        return translate(item, path, context)

    def _missing(self, item: Any, path: list[str | int], context: Mapping[str, Any]) -> Problem:
        last = item["loc"][-1]
        pointer = json_pointer([*path, last])
        self.missing += 1
        if not isinstance(last, str):
            hint = "add one more"
            if self.missing <= MAX_REPORTED_PROBLEMS:
                hint = default_hint(self.model, self.document, [*path, last]) or hint
            return Problem(pointer, "missing", "there are too few items", hint)
        hint = f'add "{last}": …'
        if self.missing <= MAX_REPORTED_PROBLEMS:
            hint = missing_field_hint(last, self._value(path), classes_at(self.model, self.document, path))
        return Problem(pointer, "missing", f'"{last}" is required', hint)

    def _unknown_field(self, item: Any, path: list[str | int], context: Mapping[str, Any]) -> Problem:
        word = str(item["loc"][-1])
        for part in classes_at(self.model, self.document, path[:-1]):
            if (refusal := getattr(part, "refused_fields", {}).get(word)) is not None:
                return Problem(json_pointer(path), "unsupported", *refusal)
        hint = unknown_field_hint(self.model, self.document, path) if self.hints.spend() else "remove it"
        return Problem(json_pointer(path), "unknown_field", f'there is no field "{word}" here', hint)

    def _unknown_kind(self, item: Any, path: list[str | int], context: Mapping[str, Any]) -> Problem:
        tag = str(context.get("tag", ""))
        if (field_ := _discriminator(context)) != "kind":
            known = _quoted(context["expected_tags"])
            hint = did_you_mean(tag[:MAX_WORD], known) if self.hints.spend() else ""
            return Problem(
                json_pointer([*path, field_]), "unknown_value", f'there is no {field_} "{tag}"', hint or choices(known)
            )
        place = path if isinstance(self._value(path), str) else [*path, "kind"]
        hint = unknown_kind_hint(tag, self.model, self.document, path) if self.hints.spend() else CATALOG_HINT
        return Problem(json_pointer(place), "unknown_kind", f'there is no kind "{tag}"', hint)

    def _missing_kind(self, item: Any, path: list[str | int], context: Mapping[str, Any]) -> Problem:
        hint = ""
        if (field_ := _discriminator(context)) != "kind":
            return Problem(json_pointer([*path, field_]), "missing", f'"{field_}" is required', f'add "{field_}": …')
        if self.hints.spend():
            hint = missing_kind_hint(self._value(path), self.model, self.document, path)
        return Problem(json_pointer([*path, "kind"]), "missing", '"kind" is required', hint)

    def _wrong_value(self, item: Any, path: list[str | int], context: Mapping[str, Any]) -> Problem:
        kind, value = item["type"], item["input"]
        detail = _MESSAGES[kind].format(**context) if kind in _MESSAGES else item["msg"]
        hint = ""
        if item["loc"][-1:] == ("[key]",) and context.get("pattern") == NAME_PATTERN:
            hint = f'rename "{value}" to "{name}"' if fullmatch(NAME_PATTERN, name := identifier(value)) else ""
        elif self.hints.spend():
            hint = self._value_hint(kind, value, path, context)
        return Problem(json_pointer(path), _CODES.get(kind, DEFAULT_CODE), detail, hint)

    def _value_hint(self, kind: str, value: Any, path: list[str | int], context: Mapping[str, Any]) -> str:
        types = types_at(self.model, self.document, path)
        classes = classes_at(self.model, self.document, path)
        if _CODES.get(kind) == "not_an_object" and (hint := object_hint(classes, value)):
            return hint
        if kind in ("literal_error", "enum") and (words := words_of(types)):
            known = [word for word in words if isinstance(word, str)]
            return did_you_mean(str(value)[:MAX_WORD], known) or choices(map(str, words))
        is_item = bool(path) and isinstance(path[-1], int)
        holders = classes_at(self.model, self.document, path[:-1])
        is_required = not path or is_item or any(path[-1] in required_fields(each) for each in holders)
        return (
            value_hint(types, value, context, is_required)
            or default_hint(self.model, self.document, path)
            or form_hint(kind, value, context, classes)
        )

    def _value(self, path: Location) -> Any:
        here = self.document
        for part in path:
            here = here[part]
        return here


def _discriminator(context: Mapping[str, Any]) -> str:
    """Return the field that selects a member of a union: in specs `kind`, in edits `op`."""
    return next(iter(_quoted(context.get("discriminator", ""))), "kind")


def _quoted(text: str) -> list[str]:
    """Return the words in quotes of a text."""
    return findall("'([^']*)'", text)


_CODES = {
    "greater_than": "out_of_range",
    "greater_than_equal": "out_of_range",
    "less_than": "out_of_range",
    "less_than_equal": "out_of_range",
    "finite_number": "out_of_range",
    "too_short": "too_few",
    "too_long": "too_many",
    "string_too_long": "too_long",
    "string_pattern_mismatch": "invalid_name",
    "literal_error": "unknown_value",
    "model_type": "not_an_object",
    "model_attributes_type": "not_an_object",
}
_MESSAGES = {  # where Pydantic uses Python's names of types
    "too_short": "too few items, the minimum is {min_length}",
    "too_long": "too many items, the maximum is {max_length}",
    "tuple_type": "a list is expected here",
    "dict_type": "an object is expected here",
    "model_type": "an object is expected here",
    "model_attributes_type": "an object is expected here",
}
