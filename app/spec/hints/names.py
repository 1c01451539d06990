"""The search for the names that a word may stand for."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from re import sub

from app.spec.hints.synonyms import SYNONYMS

MAX_SEARCHES = 8  # searches for the closest known names in one document
MAX_CANDIDATES = 500  # known names in such a search
MAX_LISTED_NAMES = 24  # in a hint
MAX_SUGGESTIONS = 2
_CUTOFF, _SHORT_CUTOFF = 0.7, 0.6  # of similarity, as difflib has it
_SHORT = 4  # letters
_MIN_PREFIX = 3  # letters of a word that others may begin with


def fold(word: str) -> str:
    """Return a word as names are compared: small, without marks between its parts."""
    return sub(r"[\W_]+", "", word).lower()


def same_names(word: str, known: Iterable[str]) -> list[str]:
    """Return the known names that mean the word: but for case, marks and a module before it, or in other libraries."""
    names, folded = list(known), fold(word.rpartition(".")[2])
    if alike := [name for name in names if name != word and fold(name) == folded]:
        return alike[:MAX_SUGGESTIONS]
    return [name for name in SYNONYMS.get(folded, ()) if name in names and name != word][:MAX_SUGGESTIONS]


def similar_names(word: str, known: Iterable[str]) -> list[str]:
    """Return the known names that look most like the word, a misspelt one."""
    names = [name for name in known if name != word]
    if len(names) > MAX_CANDIDATES:
        names = [name for name in names if name[:1].lower() == word[:1].lower()][:MAX_CANDIDATES]
    cutoff = _SHORT_CUTOFF if len(word) <= _SHORT else _CUTOFF
    if matches := get_close_matches(word, names, MAX_SUGGESTIONS, cutoff):
        return matches
    if len(word) >= _MIN_PREFIX and (longer := [name for name in names if name.lower().startswith(word.lower())]):
        return longer[:MAX_SUGGESTIONS]
    lowered = {name.lower(): name for name in reversed(names)}
    return [lowered[match] for match in get_close_matches(word.lower(), lowered, MAX_SUGGESTIONS, cutoff)]


def suggestion(names: Iterable[str]) -> str:
    """Return the hint that suggests some names, or an empty string for none."""
    quoted = [f'"{name}"' for name in names]
    return f"did you mean {' or '.join(quoted)}?" if quoted else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint with the closest known names, or an empty string."""
    names = list(known)
    return suggestion(same_names(word, names) or similar_names(word, names))


def choices(known: Iterable[str]) -> str:
    """Return a hint that lists the known names, or an empty string if they are none, or too many."""
    names = list(dict.fromkeys(known))
    return "one of: " + ", ".join(names) if 0 < len(names) <= MAX_LISTED_NAMES else ""


class Hints:
    """The hints of one document. A search is slow, so only the first `MAX_SEARCHES` problems have one."""

    def __init__(self) -> None:
        self._remaining = MAX_SEARCHES

    def spend(self) -> bool:
        """Say whether one more search may be made, and count it."""
        self._remaining -= 1
        return self._remaining >= 0

    def did_you_mean(self, word: str, known: Callable[[], Iterable[str]]) -> str:
        """Return a hint with the closest known names, or an empty string. `known` is called only if it is needed."""
        return did_you_mean(word, known()) if self.spend() else ""
