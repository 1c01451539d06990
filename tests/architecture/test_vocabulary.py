"""The field's words: names that a search engine knows, and none of the private ones that this project once had."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.sources import CODE, PACKAGES, python, tree

VAGUE = frozenset({"utils", "common", "core", "helpers", "manager", "models", "misc"})
# Bare participles and metaphors: no class, function, constant or module is called so.
REFUSED = re.compile(
    "agreement|asked|beginnings|carried|census|chances|courier|deaf|determination|draws|drawn|found|handover|heard|hearing"
    "|held|kept|known|listed|made|meetings?|moments?|placed|pulse|readings?|registered|rehearsal|restored|seen|sent"
    "|settled|shaded|told|tall(y|ies)|telling|turns?|wanted|wish(es)?|workshop"
)

METAPHORS = frozenset(
    {"asked", "beginnings", "chances", "courier", "meeting", "moments", "pulse", "seen", "told", "wanted"}
)


def names() -> Iterator[tuple[str, str]]:
    """Yield the place and the lower-case name of every module, class, function and constant of the code."""
    for path in python(*PACKAGES):
        yield str(path), path.stem
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path}:{node.lineno}", node.name.strip("_").lower()
        for node in tree(path).body:
            if isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                yield from (
                    (f"{path}:{node.lineno}", each.id.strip("_").lower())
                    for each in targets
                    if isinstance(each, ast.Name)
                )


def test_names_are_the_fields_words() -> None:
    assert not [f"{place}: {name}" for place, name in names() if REFUSED.fullmatch(name)]


def test_no_parameter_or_local_is_a_metaphor() -> None:
    places = {
        f"{path}:{node.lineno}: {name}"
        for path in python(*PACKAGES)
        for node in ast.walk(tree(path))
        if (name := node.arg if isinstance(node, ast.arg) else node.id if isinstance(node, ast.Name) else "")
        in METAPHORS
    }
    assert not sorted(places)


def test_limits_are_called_min_and_max() -> None:
    literary = re.compile(r"(most|least|largest|longest|highest|smallest|shortest|deepest)_\w+")
    assert not [f"{place}: {name}" for place, name in names() if literary.fullmatch(name)]


def test_names_say_something() -> None:
    parts = {(str(path), part.lower()) for path in python(*CODE) for part in path.with_suffix("").parts}
    parts |= {
        (str(path), node.name.lower())
        for path in python(*CODE)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef)
    }
    assert not [
        place for place, word in parts if word in VAGUE or word.endswith(("manager", "helper", "helpers", "utils"))
    ]


def test_tests_mirror_the_tree() -> None:
    """Every folder of tests of a package is a folder of the package."""
    folders = {path.parent for path in python("tests") if len(path.parts) > 2 and path.parts[1] in PACKAGES}
    assert not [folder for folder in folders if not Path(*folder.parts[1:]).is_dir()]
