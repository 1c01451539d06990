"""JSON and YAML, parsed strictly: whatever two parsers could read differently is an error."""

import json
import math
import re
from collections.abc import Iterable
from itertools import islice
from typing import Any

import yaml

from app.errors import ContentTooLarge, InvalidInput, MalformedRequest, Problem, UnsupportedMediaType
from app.spec.base import MAX_INT64
from app.spec.problems import json_pointer

JSON_TYPES = frozenset({"", "application/json", "text/json"})
YAML_TYPES = frozenset({"application/yaml", "application/x-yaml", "text/yaml"})
MAX_PROBLEMS = 20
MAX_YAML_VALUES = 20_000  # each takes ten times as long to read as one of JSON
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)
_UNSTORABLE_CHARACTERS = re.compile("[\0\ud800-\udfff]")

KeyPath = tuple[str | int, ...]


def parse_document(body: bytes, content_type: str, depth_limit: int) -> Any:
    """Return the document in a JSON or YAML body.

    Raises `MalformedRequest` with line and column, `UnsupportedMediaType`, `ContentTooLarge` for YAML of very many
    values, and `InvalidInput` for duplicate keys, NaN and infinities, integers beyond 64 bits, and characters that
    databases cannot store.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind in YAML_TYPES:
        document = _parse_yaml(body, depth_limit)
    elif kind in JSON_TYPES or kind.endswith("+json"):
        document = _parse_json(body, depth_limit)
    else:
        raise UnsupportedMediaType(
            f"the media type {kind} is not supported", hint="send application/json or application/yaml"
        )
    problems = list(islice(_value_problems(document), MAX_PROBLEMS))
    if problems:
        raise InvalidInput(problems)
    return document


def _parse_json(body: bytes, depth_limit: int) -> Any:
    _check_depth(_nesting_depth(body), depth_limit)
    try:
        return json.loads(body.decode("utf-8-sig"), object_pairs_hook=_object_from_pairs)
    except UnicodeDecodeError as error:
        raise MalformedRequest(f"the body is not UTF-8: byte {error.start} is invalid") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise MalformedRequest(
            f"the body is not JSON: {error.msg} at {where}", hint="check it with a JSON linter"
        ) from None
    except ValueError as error:  # thousands of digits
        raise MalformedRequest(f"the body is not JSON: {error}") from None


def _nesting_depth(body: bytes) -> int:
    """Return how deep brackets nest, without parsing: a recursive parser would overflow its stack."""
    depth = deepest = 0
    for match in _BRACKETS.finditer(body):
        token = match[0]
        if token in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif token in b"]}":
            depth -= 1
    return deepest


def _check_depth(depth: int, limit: int) -> None:
    if depth > limit:
        problem = Problem("", "too_deep", f"the document has {depth} levels, at most {limit} are allowed", "flatten it")
        raise InvalidInput([problem])


class _DuplicateKeyDict(dict[str, Any]):
    """An object with a duplicate key."""

    key = ""


def _object_from_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    marked = _DuplicateKeyDict(result)
    keys: set[str] = set()
    for key, _ in pairs:
        if key in keys:
            marked.key = key
        keys.add(key)
    return marked


def _value_problems(document: Any) -> Iterable[Problem]:
    """Yield a problem for every value that strict JSON does not have. Iterative, since documents nest deeply."""
    waiting: list[tuple[KeyPath, Any]] = [((), document)]
    for place, value in waiting:  # grows while it is walked
        if isinstance(value, dict):
            if isinstance(value, _DuplicateKeyDict):
                yield Problem(
                    _safe_pointer((*place, value.key)),
                    "duplicate_key",
                    f'the key "{_printable(value.key)}" appears twice',
                    "keep one of them",
                )
            for key in value:
                yield from _text_problems(place, key)
            waiting += [((*place, key), item) for key, item in value.items()]
        elif isinstance(value, list):
            waiting += [((*place, index), item) for index, item in enumerate(value) if not _is_plain_number(item)]
        elif isinstance(value, str):
            yield from _text_problems(place, value)
        elif isinstance(value, float) and not math.isfinite(value):
            yield Problem(
                _safe_pointer(place), "not_finite", "NaN and infinities are not allowed", "use a finite number"
            )
        elif isinstance(value, int) and abs(value) > MAX_INT64:
            yield Problem(
                _safe_pointer(place), "out_of_range", "the integer does not fit into 64 bits", "use a smaller one"
            )


def _is_plain_number(value: Any) -> bool:
    """Say whether a value is a number that needs no check. A fast path: lists may have millions."""
    kind = type(value)
    return (kind is float and -math.inf < value < math.inf) or (kind is int and -MAX_INT64 <= value <= MAX_INT64)


def _text_problems(place: KeyPath, text: str) -> Iterable[Problem]:
    if _UNSTORABLE_CHARACTERS.search(text):
        yield Problem(
            _safe_pointer(place),
            "invalid_text",
            f'"{_printable(text)}" has characters that cannot be stored',
            "remove NUL and lone surrogates",
        )


def _printable(text: str) -> str:
    return ascii(text)[1:-1][:40] if _UNSTORABLE_CHARACTERS.search(text) else text[:200]


def _safe_pointer(place: KeyPath) -> str:
    """Return the pointer to a place, with question marks for lone surrogates, which UTF-8 cannot encode."""
    return json_pointer(place).encode("utf-8", "replace").decode()


class _StrictYamlLoader(yaml.CSafeLoader):
    """The subset of YAML that is JSON. A plain scalar is text unless JSON would read it as another type."""

    def construct_json_object(self, node: yaml.MappingNode) -> dict[str, Any]:
        """Return a dict with keys of type `str`."""
        pairs = [
            (self.construct_object(key, deep=True), self.construct_object(value, deep=True))
            for key, value in node.value
        ]
        if not all(isinstance(key, str) for key, _ in pairs):
            raise yaml.constructor.ConstructorError(None, None, "keys must be text", node.start_mark)
        return _object_from_pairs(pairs)

    def construct_json_array(self, node: yaml.SequenceNode) -> list[Any]:
        """Return a list."""
        return [self.construct_object(item, deep=True) for item in node.value]

    def construct_json_number(self, node: yaml.ScalarNode) -> float:
        """Return a float. NaN and infinities are reported afterwards, by `_value_problems`."""
        return float(node.value.lower().replace(".inf", "inf").replace(".nan", "nan"))


# YAML 1.1 and 1.2 read `no`, `1_000`, `010`, `1:30` and dates differently: here they are text.
# `1e-3` is a number, as in JSON.
_IMPLICIT_RESOLVERS: tuple[tuple[str, str, list[str]], ...] = (
    ("null", r"(?:~|null|Null|NULL|)", ["~", "n", "N", ""]),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("float", r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))", list("-+.")),
)
_StrictYamlLoader.yaml_implicit_resolvers = {}
for _name, _pattern, _first in _IMPLICIT_RESOLVERS:
    _StrictYamlLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(rf"^{_pattern}\Z"), _first)
_StrictYamlLoader.yaml_constructors = {
    "tag:yaml.org,2002:null": lambda loader, node: None,
    "tag:yaml.org,2002:bool": lambda loader, node: node.value.lower() == "true",
    "tag:yaml.org,2002:int": lambda loader, node: int(node.value),
    "tag:yaml.org,2002:float": _StrictYamlLoader.construct_json_number,
    "tag:yaml.org,2002:str": lambda loader, node: node.value,
    "tag:yaml.org,2002:seq": _StrictYamlLoader.construct_json_array,
    "tag:yaml.org,2002:map": _StrictYamlLoader.construct_json_object,
}


def _parse_yaml(body: bytes, depth_limit: int) -> Any:
    try:
        depth = values = 0
        for event in yaml.parse(body, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise MalformedRequest("aliases (*name) are not allowed", hint="repeat the value")
            if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag:
                raise MalformedRequest(f"tags ({event.tag[:40]}) are not allowed", hint="remove the tag")
            values += isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
            if values > MAX_YAML_VALUES:
                detail = f"a document of more than {MAX_YAML_VALUES:,} values is not read as YAML"
                raise ContentTooLarge(detail, hint="send it as JSON")
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                _check_depth(depth, depth_limit)
            if isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
        return _StrictYamlLoader(body).get_single_data()
    except yaml.YAMLError as error:
        raise MalformedRequest(f"the body is not YAML: {' '.join(str(error).split())}") from None
    except ValueError as error:  # not UTF-8, or thousands of digits
        raise MalformedRequest(f"the body is not YAML: {error}") from None
