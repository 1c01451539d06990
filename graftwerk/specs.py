"""Job specs: as a mapping, as a file or in parts with a module, and applied to registered data sets."""

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from graftwerk.errors import CannotExpress, InvalidData, Obstacle
from graftwerk.tracing.trace import trace

Spec = Mapping[str, Any] | str | PathLike[str]  # text is the path of a file
START_KINDS = {"ckpt_": "checkpoint", "ds_": "dataset"}  # beginning of an id → field of `start_from`
YAML_SUFFIXES = frozenset({".yaml", ".yml"})


def resolve_spec(
    spec: Spec | None,
    parts: Mapping[str, Any],
    inputs: Sequence[str],
    examples: Sequence[Any] = (),
    has_weights: bool = False,
) -> Spec:
    """Return the spec, or assemble it from its parts. Raises `TypeError` unless exactly one of the two is given.

    Raises `CannotExpress` for a module that cannot be traced, or whose frozen weights a spec cannot hold: those are
    needed unless the job `has_weights` to start from.
    """
    if (spec is None) == (not parts):
        raise TypeError("give a spec, or its parts as keyword arguments")
    if spec is not None:
        return spec
    model = parts.get("model")
    if model is None or isinstance(model, Mapping | str):
        return parts
    data = parts.get("data")
    columns = inputs or (data.get("inputs") if isinstance(data, Mapping) else None) or ("x",)
    traced = trace(model, inputs=tuple(columns), examples=examples or None)
    if traced.frozen and not has_weights:
        raise CannotExpress([_frozen_obstacle(type(model).__name__, traced.frozen)])
    return {**parts, "model": traced.model}


def _frozen_obstacle(name: str, frozen: Sequence[str]) -> Obstacle:
    detail = f"{', '.join(frozen)} are not trained, and a spec does not hold the values"
    hint = "trace the module, register its weights as a data set, and give start_from"
    return Obstacle(name, "", 0, "", detail, hint)


def encode_spec(spec: Spec) -> tuple[bytes, dict[str, str]]:
    """Return the request's body and headers. Raises `InvalidData` for the text of a spec."""
    if isinstance(spec, Mapping):
        return json.dumps(spec).encode(), {"Content-Type": "application/json"}
    path = spec_path(spec)
    kind = "application/yaml" if path.suffix.lower() in YAML_SUFFIXES else "application/json"
    return path.read_bytes(), {"Content-Type": kind}


def spec_path(spec: str | PathLike[str]) -> Path:
    """Return the path of a spec's file. Raises `InvalidData` for the text of a spec, which is no path."""
    if isinstance(spec, str) and ("\n" in spec or spec.lstrip().startswith("{")):
        raise InvalidData("text is taken for the path of a file: give the spec itself as a mapping, json.loads(text)")
    return Path(spec)


def read_spec(path: str | PathLike[str]) -> dict[str, Any]:
    """Read a spec from a JSON file. Raises `InvalidData` if the file is not JSON, or not a spec."""
    try:
        document = json.loads(spec_path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        options = "--data, --vectors, --weights, --start-from and --folds need"
        raise InvalidData(f"{path} is not JSON, which {options}: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("data"), dict):
        raise InvalidData(f"{path} is not a spec: a JSON object with a data object")
    return document


def with_dataset(spec: Mapping[str, Any], dataset: str | None = None, vectors: str | None = None) -> dict[str, Any]:
    """Return the spec with the ids of registered data sets: its data, and the word vectors of its features."""
    data = dict(spec["data"])
    if dataset is not None:
        data = {name: value for name, value in data.items() if name != "name"} | {"kind": "dataset", "id": dataset}
    if vectors is not None:
        data["features"] = {
            name: _with_vectors(feature, vectors) for name, feature in (data.get("features") or {}).items()
        }
    return {**spec, "data": data}


def with_initial_weights(
    spec: Mapping[str, Any], source: str, match: str | None = None, rename: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the spec, starting from a checkpoint ("ckpt_…") or from a registered file of weights ("ds_…").

    `match` and `rename` are the settings of these names in `start_from`. Raises `InvalidData` for any other id.
    """
    kind = next((kind for prefix, kind in START_KINDS.items() if source.startswith(prefix)), None)
    if kind is None:
        raise InvalidData(f'"{source}" is neither the id of a checkpoint ("ckpt_…") nor of a data set ("ds_…")')
    settings = {"match": match, "rename": dict(rename) if rename else None}
    return {**spec, "start_from": {kind: source, **{name: each for name, each in settings.items() if each}}}


def start_spec(
    spec: Spec, start_from: str | Mapping[str, Any] | None, match: str | None, rename: Mapping[str, str] | None
) -> Spec:
    """Return the spec with what it starts from, if that is given: an id, or the object `start_from` of a spec.

    Raises `TypeError` for `match` or `rename` without `start_from`; `InvalidData` for a file that is not JSON.
    """
    if start_from is None:
        if match is not None or rename:
            raise TypeError("match and rename say what is taken of start_from, which is not given")
        return spec
    document = spec if isinstance(spec, Mapping) else read_spec(spec_path(spec))
    if isinstance(start_from, str):
        return with_initial_weights(document, start_from, match, rename)
    settings = {"match": match, "rename": dict(rename) if rename else None}
    return {**document, "start_from": {**start_from, **{name: each for name, each in settings.items() if each}}}


def _with_vectors(feature: Mapping[str, Any], vectors: str) -> dict[str, Any]:
    settings = feature.get("vectors")
    return {**feature, "vectors": {**settings, "dataset": vectors}} if settings else dict(feature)
