"""From Pydantic's errors, and from our own checks, to problems with JSON Pointers."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from app.errors import Problem
from app.spec.base import Part

Location = Sequence[str | int]


def pointer(location: Location) -> str:
    """Return the JSON Pointer (RFC 6901) of a path of keys and indices."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint naming the closest known words, or an empty string."""
    matches = get_close_matches(word, list(known), n=2, cutoff=0.6)
    return "did you mean " + " or ".join(f'"{match}"' for match in matches) + "?" if matches else ""


def existing_path(location: Location, document: Any) -> list[str | int]:
    """Drop the parts that Pydantic adds for union members: only keys that lead somewhere in the document stay.

    The last part stays even if absent from the document: it names a missing field.
    """
    path: list[str | int] = []
    here = document
    for position, part in enumerate(location):
        if isinstance(here, dict):
            if part not in here and position < len(location) - 1:
                continue
            here = here.get(part)
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            here = here[part]
        else:
            continue
        path.append(part)
    return path


def from_validation(error: ValidationError, document: Any, prefix: str = "") -> list[Problem]:
    """Translate every error that Pydantic found in `document`."""
    return [_translate(item, document, prefix) for item in error.errors(include_url=False)]


def _translate(item: Any, document: Any, prefix: str) -> Problem:
    kind, context = item["type"], item.get("ctx", {})
    place = prefix + pointer(existing_path(item["loc"], document))
    if kind == "missing":
        return Problem(place, "missing", f'"{item["loc"][-1]}" is required', context.get("hint", ""))
    if kind == "extra_forbidden":
        word = str(item["loc"][-1])
        hint = nearest(word, _fields_beside(place.removeprefix(prefix), document)) or "remove it"
        return Problem(place, "unknown_field", f'there is no field "{word}" here', hint)
    if kind == "union_tag_invalid":
        tag = str(context.get("tag", ""))
        expected = [word.strip(" '") for word in str(context.get("expected_tags", "")).split(",")]
        hint = nearest(tag, expected) or "one of: " + ", ".join(expected[:12])
        return Problem(place + "/kind", "unknown_kind", f'there is no kind "{tag}"', hint)
    if kind == "union_tag_not_found":
        return Problem(place + "/kind", "missing", '"kind" is required', "")
    if kind == "problem":  # raised by our own validators, see `app.spec.network`
        return Problem(place, context["code"], context["detail"], context["hint"])
    return Problem(place, _CODES.get(kind, "invalid_value"), item["msg"], "")


def _fields_beside(place: str, document: Any) -> set[str]:
    """Return the fields that the object around `place` may have: of its kind, or of the part most like it."""
    here = document
    for part in place.split("/")[1:-1]:
        here = here[int(part)] if isinstance(here, list) else here[part.replace("~1", "/").replace("~0", "~")]
    candidates = [part for part in _parts(Part) if part.__name__ == here.get("kind")] or list(_parts(Part))
    best = max(candidates, key=lambda part: len(part.model_fields.keys() & here.keys()), default=Part)
    return set(best.model_fields)


def _parts(part: type[Part]) -> Iterator[type[Part]]:
    for child in part.__subclasses__():
        yield child
        yield from _parts(child)


_CODES = {
    "greater_than": "out_of_range",
    "greater_than_equal": "out_of_range",
    "less_than": "out_of_range",
    "less_than_equal": "out_of_range",
    "finite_number": "out_of_range",
    "too_long": "too_many",
    "string_too_long": "too_long",
    "string_pattern_mismatch": "invalid_name",
    "literal_error": "unknown_value",
}
