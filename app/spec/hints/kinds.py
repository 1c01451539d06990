"""Kinds: what an unknown one may have meant, and how an object without one gets it."""

from collections.abc import Mapping
from typing import Any

from app.spec.hints.names import choices, fold, same_names, similar_names, suggestion
from app.spec.hints.places import Model, Path, accepts, classes_at, kinds_of
from app.spec.hints.synonyms import UNNEEDED_KINDS
from app.spec.kinds import KindModel

MAX_SUGGESTED_KINDS = 3
CATALOG_HINT = "GET /v1/catalog lists all kinds"


def unknown_kind_hint(word: str, root: Model, document: Any, path: Path) -> str:
    """Return the kinds that a word means, or resembles, of those that may stand at a place; or else all of them."""
    classes = classes_at(root, document, path) or classes_at(root, document, [*path, 0])  # one in place of a list
    suggested = [kind for each in classes if _is_suggested(each, path) for kind in kinds_of(each)]
    others = {kind: each for each in classes for kind in kinds_of(each) if kind not in suggested}
    for search in (same_names, similar_names):
        if names := search(word, suggested):
            return suggestion(names)
        if names := search(word, others):
            part = others[names[0]]
            if issubclass(part, KindModel) and part.elsewhere_hint:
                return f'{part.elsewhere_hint}, with "{names[0]}"'
    called = word.partition("(")[0]  # written as a call in Python
    if called != word and (names := [called] if called in suggested else same_names(called, suggested)):
        return suggestion(names)
    return choices(suggested) or (UNNEEDED_KINDS.get(fold(word), "") if "model" in path[:1] else "") or CATALOG_HINT


def missing_kind_hint(value: Any, root: Model, document: Any, path: Path) -> str:
    """Return how an object gets its `kind`: the only ones that its fields fit, or a field that holds it."""
    fields: Mapping[str, Any] = value if isinstance(value, dict) else {}
    classes = [each for each in classes_at(root, document, path) if _is_suggested(each, path)]
    kinds = [kind for each in classes for kind in kinds_of(each)]
    fitting = [kind for each in classes for kind in kinds_of(each)[:1] if accepts(each, {**fields, "kind": kind})]
    if 0 < len(fitting) <= MAX_SUGGESTED_KINDS:
        return "add " + " or ".join(f'"kind": "{kind}"' for kind in fitting)
    for name, word in fields.items():
        if isinstance(word, str) and same_names(name, ["kind"]) and (word in kinds or same_names(word, kinds)):
            return f'rename "{name}" to "kind"'
    return choices(kinds) or CATALOG_HINT


def _is_suggested(part: Model, path: Path) -> bool:
    names = [each for each in path if isinstance(each, str)]
    return not issubclass(part, KindModel) or part.is_suggested_in(names[-1] if names else "")
