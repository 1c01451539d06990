"""Problems with JSON Pointers, from Pydantic's errors; and hints to known names."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from re import findall
from typing import Any, get_args

from pydantic import ValidationError

from app.errors import Problem
from app.spec.base import SpecModel

Location = Sequence[str | int]
DEFAULT_CODE = "invalid_value"
MAX_LISTED_FIELDS = 24  # fields in a hint
MAX_REPORTED_PROBLEMS = 100  # problems of one document
MAX_HINT_SEARCHES = 8  # searches for the closest known words in one document
MAX_HINT_CANDIDATES = 500  # known words in such a search


def json_pointer(location: Location) -> str:
    """Return the JSON Pointer (RFC 6901) of a path of keys and indices."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint with the closest known words, or an empty string."""
    words = list(known)
    if len(words) > MAX_HINT_CANDIDATES:
        words = [each for each in words if each[:1].lower() == word[:1].lower()][:MAX_HINT_CANDIDATES]
    same = [each for each in words if each.lower() == word.lower()]
    matches = same or get_close_matches(word, words, n=2, cutoff=0.6)
    return "did you mean " + " or ".join(f'"{match}"' for match in matches) + "?" if matches else ""


class Hints:
    """The hints of one document. A search is slow, so only the first `MAX_HINT_SEARCHES` problems have one."""

    def __init__(self) -> None:
        self._remaining = MAX_HINT_SEARCHES

    def did_you_mean(self, word: str, known: Callable[[], Iterable[str]]) -> str:
        """Return a hint with the closest known words, or an empty string. `known` is called only if it is needed."""
        if self._remaining == 0:
            return ""
        self._remaining -= 1
        return did_you_mean(word, known())


def limit_problems(problems: Sequence[Problem]) -> list[Problem]:
    """Return the first `MAX_REPORTED_PROBLEMS`, and one more that counts the others."""
    if len(problems) <= MAX_REPORTED_PROBLEMS:
        return list(problems)
    remaining = len(problems) - MAX_REPORTED_PROBLEMS
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


def from_validation(error: ValidationError, document: Any, prefix: str = "") -> list[Problem]:
    """Return Pydantic's errors as problems, at most one per place, and limited as by `limit_problems`."""
    hints = Hints()
    translated = [
        _translate(item, document, prefix, hints)
        for item in error.errors(include_url=False)
        if not _is_emptied_list(item)
    ]
    parents = {parent for problem in translated for parent in _parent_pointers(problem.pointer)}
    by_place: dict[str, Problem] = {}  # Pydantic reports every member of a union: the deepest place is the relevant one
    for problem in translated:
        known = by_place.get(problem.pointer)
        if problem.pointer not in parents and (known is None or known.code == DEFAULT_CODE != problem.code):
            by_place[problem.pointer] = problem
    return limit_problems(list(by_place.values()))


def _is_emptied_list(item: Any) -> bool:
    """Say whether a list is too short only because invalid items were dropped, which are reported themselves."""
    return bool(item["type"] == "too_short" and len(item["input"]) >= item["ctx"]["min_length"])


def _parent_pointers(place: str) -> Iterator[str]:
    while place:
        place = place.rpartition("/")[0]
        yield place


def _translate(item: Any, document: Any, prefix: str, hints: Hints) -> Problem:
    kind, context = item["type"], item.get("ctx", {})
    place = prefix + json_pointer(existing_path(item["loc"], document))
    if kind == "missing":
        last = item["loc"][-1]
        detail = f'"{last}" is required' if isinstance(last, str) else "there are too few items"
        return Problem(place + json_pointer([last]), "missing", detail, context.get("hint", ""))
    if kind == "extra_forbidden":
        word = str(item["loc"][-1])
        hint = _field_hint(word, place.removeprefix(prefix), document, hints)
        return Problem(place, "unknown_field", f'there is no field "{word}" here', hint)
    if kind == "union_tag_invalid":
        tag = str(context.get("tag", ""))
        expected = [word.strip(" '") for word in str(context.get("expected_tags", "")).split(",")]
        hint = hints.did_you_mean(tag, lambda: expected) or "one of: " + ", ".join(expected[:12])
        return Problem(place + "/kind", "unknown_kind", f'there is no kind "{tag}"', hint)
    if kind == "union_tag_not_found":
        return Problem(place + "/kind", "missing", '"kind" is required', "")
    if kind == "problem":  # raised by our own validators, see `validation_error`
        return Problem(place, context["code"], context["detail"], context["hint"])
    detail = _MESSAGES[kind].format(**context) if kind in _MESSAGES else item["msg"]
    known = findall(r"'(\w+)'", context["expected"]) if kind == "literal_error" else []
    hint = hints.did_you_mean(str(item["input"])[:MAX_LISTED_FIELDS], lambda: known) if known else ""
    return Problem(place, _CODES.get(kind, DEFAULT_CODE), detail, hint)


def _field_hint(word: str, place: str, document: Any, hints: Hints) -> str:
    listing = ""

    def field_names() -> set[str]:
        nonlocal listing
        fields = _sibling_fields(place, document)
        listing = "; there are: " + ", ".join(sorted(fields)) if len(fields) <= MAX_LISTED_FIELDS else ""
        return fields

    return hints.did_you_mean(word, field_names) or f"remove it{listing}"


def _sibling_fields(place: str, document: Any) -> set[str]:
    """Return the fields that the object around `place` may have: of its kind, or of the most similar parts."""
    here = document
    for part in place.split("/")[1:-1]:
        here = here[int(part)] if isinstance(here, list) else here[part.replace("~1", "/").replace("~0", "~")]
    candidates = [part for part in _all_subclasses(SpecModel) if _accepts_kind(part, here.get("kind"))] or list(
        _all_subclasses(SpecModel)
    )
    shared = [len(part.model_fields.keys() & here.keys()) for part in candidates]
    alike = [part for part, count in zip(candidates, shared, strict=True) if count == max(shared)]
    return {name for part in alike for name in part.model_fields}


def _accepts_kind(part: type[SpecModel], kind: object) -> bool:
    return "kind" in part.model_fields and kind in get_args(part.model_fields["kind"].annotation)


def _all_subclasses(part: type[SpecModel]) -> Iterator[type[SpecModel]]:
    for child in part.__subclasses__():
        yield child
        yield from _all_subclasses(child)


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
