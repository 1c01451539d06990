"""JSON and YAML, read strictly: what two readers could understand differently is an error."""

import json
import math
import re
from collections.abc import Iterable
from typing import Any

import yaml

from app.errors import InvalidInput, Malformed, Problem, UnsupportedMedia
from app.spec.problems import pointer

JSON_TYPES = frozenset({"", "application/json", "text/json"})
YAML_TYPES = frozenset({"application/yaml", "application/x-yaml", "text/yaml"})
LARGEST = 2**63 - 1
MOST_PROBLEMS = 20
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")

Place = tuple[str | int, ...]


def parse(body: bytes, content_type: str, depth_limit: int) -> Any:
    """Return the document in a JSON or YAML body.

    Raises `Malformed` with line and column, `UnsupportedMedia`, and `InvalidInput` for duplicate keys, NaN and
    infinities, numbers beyond 64 bits, and characters that no database stores.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind in YAML_TYPES:
        document = _yaml(body, depth_limit)
    elif kind in JSON_TYPES or kind.endswith("+json"):
        document = _json(body, depth_limit)
    else:
        raise UnsupportedMedia(f"{kind} is not read here", hint="send application/json or application/yaml")
    problems = list(_doubtful(document))
    if problems:
        raise InvalidInput(problems[:MOST_PROBLEMS])
    return document


def _json(body: bytes, depth_limit: int) -> Any:
    _check_depth(_depth(body), depth_limit)
    try:
        return json.loads(body.decode("utf-8-sig"), object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise Malformed(f"the body is not UTF-8: byte {error.start} is wrong") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Malformed(f"the body is not JSON: {error.msg} at {where}", hint="check it with a JSON linter") from None
    except ValueError as error:  # thousands of digits
        raise Malformed(f"the body is not JSON: {error}") from None


def _depth(body: bytes) -> int:
    """Return how deep brackets nest, without parsing: a parser would overflow its stack."""
    depth = deepest = 0
    for found in _BRACKETS.finditer(body):
        token = found[0]
        if token in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif token in b"]}":
            depth -= 1
    return deepest


def _check_depth(depth: int, limit: int) -> None:
    if depth > limit:
        problem = Problem("", "too_deep", f"the document nests {depth} deep, at most {limit} are allowed", "flatten it")
        raise InvalidInput([problem])


class _Twice(dict[str, Any]):
    """An object in which a key stood twice."""

    key = ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    twice = _Twice(found)
    twice.key = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    return twice


def _doubtful(document: Any) -> Iterable[Problem]:
    """Yield a problem for every value that is no plain JSON; walks without recursion."""
    waiting: list[tuple[Place, Any]] = [((), document)]
    for place, value in waiting:  # grows while it is walked
        if isinstance(value, dict):
            if isinstance(value, _Twice):
                yield Problem(_place((*place, value.key)), "duplicate_key", f'"{_shown(value.key)}" stands here twice',
                              "keep one of them")  # fmt: skip
            for key in value:
                yield from _text(place, key)
            waiting += [((*place, key), item) for key, item in value.items()]
        elif isinstance(value, list):
            waiting += [((*place, index), item) for index, item in enumerate(value) if not _is_number(item)]
        elif isinstance(value, str):
            yield from _text(place, value)
        elif isinstance(value, float) and not math.isfinite(value):
            yield Problem(_place(place), "not_finite", "NaN and infinities are no numbers here", "use a finite number")
        elif isinstance(value, int) and abs(value) > LARGEST:
            yield Problem(_place(place), "out_of_range", "the number does not fit into 64 bits", "use a smaller one")


def _is_number(value: Any) -> bool:
    """Say whether something is a number without a doubt: of those, lists may have millions."""
    kind = type(value)
    return (kind is float and -math.inf < value < math.inf) or (kind is int and -LARGEST <= value <= LARGEST)


def _text(place: Place, text: str) -> Iterable[Problem]:
    if _UNSTORABLE.search(text):
        yield Problem(_place(place), "invalid_text", f'"{_shown(text)}" has characters that cannot be stored',
                      "remove NUL and lone surrogates")  # fmt: skip


def _shown(text: str) -> str:
    return ascii(text)[1:-1][:40] if _UNSTORABLE.search(text) else text[:200]


def _place(place: Place) -> str:
    """Return the pointer to a place; a lone surrogate in it, which no answer can hold, becomes a question mark."""
    return pointer(place).encode("utf-8", "replace").decode()


class _Yaml(yaml.CSafeLoader):
    """YAML as far as it is JSON: what stands there plainly is text, unless JSON would read it as something else."""

    def mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        """Return a mapping whose keys are text."""
        pairs = [(self.construct_object(key, deep=True), self.construct_object(value, deep=True))
                 for key, value in node.value]  # fmt: skip
        if not all(isinstance(key, str) for key, _ in pairs):
            raise yaml.constructor.ConstructorError(None, None, "keys must be text", node.start_mark)
        return _object(pairs)

    def sequence(self, node: yaml.SequenceNode) -> list[Any]:
        """Return a list."""
        return [self.construct_object(item, deep=True) for item in node.value]

    def number(self, node: yaml.ScalarNode) -> float:
        """Return a number, or what YAML has for NaN and infinities, for which there is a problem afterwards."""
        return float(node.value.lower().replace(".inf", "inf").replace(".nan", "nan"))


# YAML 1.1 and 1.2 read `no`, `1_000`, `010`, `1:30` and dates differently: here they are text, as they stand there.
# `1e-3` is a number, as in JSON.
_SCALARS: tuple[tuple[str, str, list[str]], ...] = (
    ("null", r"(?:~|null|Null|NULL|)", ["~", "n", "N", ""]),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("float", r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))", list("-+.")),
)
_Yaml.yaml_implicit_resolvers = {}
for _name, _pattern, _first in _SCALARS:
    _Yaml.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(rf"^{_pattern}\Z"), _first)
_Yaml.yaml_constructors = {
    "tag:yaml.org,2002:null": lambda loader, node: None,
    "tag:yaml.org,2002:bool": lambda loader, node: node.value.lower() == "true",
    "tag:yaml.org,2002:int": lambda loader, node: int(node.value),
    "tag:yaml.org,2002:float": _Yaml.number,
    "tag:yaml.org,2002:str": lambda loader, node: node.value,
    "tag:yaml.org,2002:seq": _Yaml.sequence,
    "tag:yaml.org,2002:map": _Yaml.mapping,
}


def _yaml(body: bytes, depth_limit: int) -> Any:
    try:
        depth = 0
        for event in yaml.parse(body, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise Malformed("aliases (*name) are not allowed", hint="write the value out")
            if tag := getattr(event, "tag", None):
                raise Malformed(f"tags ({tag[:40]}) are not allowed", hint="write the value plainly")
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                _check_depth(depth, depth_limit)
            if isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
        return _Yaml(body).get_single_data()
    except yaml.YAMLError as error:
        raise Malformed(f"the body is not YAML: {' '.join(str(error).split())}") from None
    except ValueError as error:  # not UTF-8, or thousands of digits
        raise Malformed(f"the body is not YAML: {error}") from None
