"""The names of the columns of a table."""

from collections.abc import Sequence
from re import sub

from app.errors import InvalidInput, Problem
from app.spec.problems import json_pointer
from workers.data.files.problems import refuse

MAX_COLUMNS = 10_000
MAX_NAME_LENGTH = 200


def name_problem(name: str, pointer: str) -> Problem | None:
    """Return what is wrong with the name of a column, if anything is."""
    if name and len(name) <= MAX_NAME_LENGTH and sub(r"[\0\ud800-\udfff]", "", name) == name:
        return None
    detail = f'"{name[:40]!s}" cannot be the name of a column'
    return Problem(pointer, "invalid_name", detail, f"1 to {MAX_NAME_LENGTH} characters, without NUL")


def check_column_names(names: Sequence[str], place: str = "") -> None:
    """Raise `InvalidInput` for names that columns of a table cannot have."""
    if not names:
        refuse("no_columns", "there are no columns", "is it a table?", place)
    if len(names) > MAX_COLUMNS:
        detail = f"there are {len(names):,} columns, at most {MAX_COLUMNS:,} are allowed"
        refuse("too_many_columns", detail, "store them as one array: NPZ, safetensors", place)
    unique: set[str] = set()
    for name in names:
        if name in unique:
            refuse("duplicate_name", f'two columns are named "{name[:MAX_NAME_LENGTH]}"', "rename one of them", place)
        if problem := name_problem(name, json_pointer([place]) if place else ""):
            raise InvalidInput([problem])
        unique.add(name)


def check_same_columns(names: Sequence[str], others: Sequence[str], place: str) -> None:
    """Raise `InvalidInput` if the files of a table differ in their columns."""
    if differing := sorted(set(names) ^ set(others)):
        detail = f"the files differ in these columns: {', '.join(differing[:10])}"
        refuse("columns_differ", detail, "give all of them the same columns", place)
