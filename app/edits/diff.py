"""The difference between two revisions: nodes of their networks by path, and all other fields of their specs."""

from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]
TOTALS = ("totals", "memory")  # parts of an inspection


def diff_revisions(before: Json, after: Json, inspected: tuple[Json, Json]) -> dict[str, Any]:
    """Return what differs between two specs, of whose networks `inspected` are the inspections: before, and after."""
    old, new = (dict(_nodes(each, "")) for each in inspected)
    changed = [path for path, node in new.items() if path in old and node != old[path]]
    return {
        "added": {path: node for path, node in new.items() if path not in old},
        "removed": {path: node for path, node in old.items() if path not in new},
        "changed": {path: _difference(old[path], new[path]) for path in changed},
        "totals": dict(_totals(*inspected)),
        "settings": dict(_settings(before, after, "")),
    }


def _nodes(inspection: Json, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the nodes of an inspection and of its bodies, by path."""
    for node in inspection.get("nodes", ()):
        path = f"{prefix}{node['id']}"
        names = ("kind", "inputs", "output", "outputs", "parameters", "buffers", "flops")
        yield path, {name: node[name] for name in names if name in node}
        for name, body in (node.get("bodies") or {}).items():  # that of a block's use has no name in paths
            yield from _nodes(body, f"{path}." if node["kind"] == "block" else f"{path}.{name}.")


def _difference(old: Json, new: Json) -> dict[str, Any]:
    differs = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return {
        "before": {name: old[name] for name in differs if name in old},
        "after": {name: new[name] for name in differs if name in new},
    }


def _totals(old: Json, new: Json) -> Iterator[tuple[str, dict[str, Any]]]:
    for part in TOTALS:
        counts = old.get(part) or {}, new.get(part) or {}
        for name in {**counts[0], **counts[1]}:
            yield name, {"before": counts[0].get(name), "after": counts[1].get(name)}


def _settings(old: Any, new: Any, pointer: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the fields that differ, but those of the network, by JSON Pointer."""
    if pointer == "/model" or old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for name in {**old, **new}:
            place = f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"
            yield from _settings(old.get(name), new.get(name), place)
        return
    yield pointer, {"before": old, "after": new}
