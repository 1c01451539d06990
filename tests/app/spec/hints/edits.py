"""Edits of documents: those that a mistake is made of, and those that a hint asks for."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, NamedTuple

from app.errors import Problem


class Edit(NamedTuple):
    """One change at a JSON Pointer: set, remove, rename (to a key), move (to a pointer)."""

    verb: str
    pointer: str
    value: Any = None


def put(pointer: str, value: Any) -> Edit:
    return Edit("set", pointer, value)


def drop(pointer: str) -> Edit:
    return Edit("remove", pointer)


def rename(pointer: str, key: str) -> Edit:
    return Edit("rename", pointer, key)


def move(pointer: str, target: str) -> Edit:
    return Edit("move", pointer, target)


def parts(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def value_at(document: Any, pointer: str) -> Any:
    for part in parts(pointer):
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def exists(document: Any, pointer: str) -> bool:
    try:
        value_at(document, pointer)
    except (KeyError, IndexError, TypeError, ValueError):
        return False
    return True


def _holder(document: Any, pointer: str) -> tuple[Any, Any]:
    """Return what holds the value of a pointer, and its key or index; objects that are missing are made."""
    *path, last = parts(pointer)
    for part in path:
        document = document[int(part)] if isinstance(document, list) else document.setdefault(part, {})
    return document, int(last) if isinstance(document, list) else last


def edited(document: Any, *edits: Edit) -> Any:
    """Return a document after some edits; a set behind the end of a list appends."""
    result = deepcopy(document)
    for verb, pointer, value in edits:
        if pointer == "":
            result = value
            continue
        holder, key = _holder(result, pointer)
        if verb == "set":
            if isinstance(holder, list) and key >= len(holder):
                holder.append(value)
            else:
                holder[key] = value
        elif verb == "remove":
            del holder[key]
        elif verb == "rename":
            pairs = [(value if name == key else name, each) for name, each in holder.items()]
            holder.clear()
            holder.update(pairs)
        else:
            moved = holder.pop(key)
            target, name = _holder(result, value)
            target[name] = moved
    return result


def insert(document: Any, owner: str, layers: list[Any], offset: int) -> Any:
    """Return a document with layers before (0) or behind (1) the layer with this id, named or counted."""
    result = deepcopy(document)
    chain = result["model"]["layers"]
    counts: dict[str, int] = {}
    for position, layer in enumerate(chain):
        kind = layer if isinstance(layer, str) else layer["kind"]
        counts[kind] = counts.get(kind, 0) + 1
        if owner in (f"{kind.lower()}{counts[kind]}", "" if isinstance(layer, str) else layer.get("id")):
            chain[position + offset : position + offset] = layers
            return result
    raise AssertionError(f"no layer {owner}")


def applications(problem: Problem, document: Any) -> list[Any]:
    """Return the documents that the hint of a problem leads to, one for each alternative; none for free words."""
    results = []
    for clause in _clauses(problem.hint):
        for pattern, read in _FORMS:
            if (found := re.fullmatch(pattern, clause)) is not None:
                results += read(found, problem, document)
                break
    return results


def _clauses(hint: str) -> list[str]:
    """Return the alternatives of a hint: the whole, if it has a form, or what ", or" divides."""
    return [hint] if any(re.fullmatch(pattern, hint) for pattern, _ in _FORMS) else hint.split(", or ")


def _words(text: str) -> list[str]:
    return re.findall(r'"((?:[^"\\]|\\.)*)"', text)


def _suggested(found: re.Match[str], problem: Problem, document: Any) -> Iterator[Any]:
    for word in _words(found[1]):
        change = rename if problem.code == "unknown_field" else put
        yield edited(document, change(problem.pointer, word))


def _listed(found: re.Match[str], problem: Problem, document: Any) -> Iterator[Any]:
    for word in found[1].split(", "):
        yield edited(document, put(problem.pointer, word))


def _value(found: re.Match[str], problem: Problem, document: Any) -> Iterator[Any]:
    for value in _json_values(found[1], problem, document):
        yield edited(document, put(_nearest(problem.pointer, document), value))


def _json_values(text: str, problem: Problem, document: Any) -> Iterator[Any]:
    """Yield the values of a text, between which there are other words; … is a number, or the list that is there."""
    if "[…]" in text:
        text = text.replace("[…]", json.dumps(value_at(document, problem.pointer)))
    text = text.replace("…", "1")
    while text:
        value, end = json.JSONDecoder().raw_decode(text)
        yield value
        following = re.search(r" or (?=[\[{\"\d-])", text[end:])
        text = text[end + following.end() :] if following else ""


def _nearest(pointer: str, document: Any) -> str:
    """Return the place of a value, or of the bare name that a missing field would belong to."""
    holder = pointer.rpartition("/")[0]
    return holder if exists(document, holder) and isinstance(value_at(document, holder), str) else pointer


def _bound(found: re.Match[str], problem: Problem, document: Any) -> Iterator[Any]:
    bound = json.loads(found[2])
    step = {"more than": 1, "less than": -1}.get(found[1], 0)
    yield edited(
        document,
        put(problem.pointer, bound + step * (1 if isinstance(value_at(document, problem.pointer), int) else 0.5)),
    )


def _removed(found: re.Match[str], problem: Problem, document: Any) -> Iterator[Any]:
    yield edited(document, drop(problem.pointer))


def _removed_name(found: re.Match[str], problem: Problem, document: Any) -> Iterator[Any]:
    for name in found[1].replace('"', "").split(" or "):
        places = [problem.pointer] if problem.pointer.endswith(f"/{name}") else []
        places += [f"{problem.pointer}/{name}", f"{problem.pointer.rpartition('/')[0]}/{name}"]
        yield edited(document, drop(next(place for place in places if exists(document, place))))


def _added(found: re.Match[str], problem: Problem, document: Any) -> Iterator[Any]:
    """A field of the object at the pointer, or of the one that lacks what the pointer names."""
    place = problem.pointer
    if not exists(document, place) or not isinstance(value_at(document, place), dict):
        place = place.rpartition("/")[0]
    for text in re.split(r" or (?:add )?(?=\")", found[1]):
        name, value = json.loads("{" + text.replace("[…]", "[]").replace("…", "1") + "}").popitem()
        yield edited(document, put(f"{place}/{name}", value))


def _added_to(found: re.Match[str], problem: Problem, document: Any) -> Iterator[Any]:
    name, value = json.loads("{" + found[1] + "}").popitem()
    yield edited(document, put(f"/{found[2]}/{name}", value))


def _added_input(found: re.Match[str], problem: Problem, document: Any) -> Iterator[Any]:
    yield edited(document, put("/model/inputs/999", found[1]))


def _moved(found: re.Match[str], problem: Problem, document: Any) -> Iterator[Any]:
    word = parts(problem.pointer)[-1]
    for text in found[1].split(" or "):
        place, _, form = text.partition(" as ")
        place = "" if place == "the top level" else place
        if form.startswith("{"):
            yield edited(document, drop(problem.pointer), put(place, json.loads(form)))
        else:
            yield edited(document, move(problem.pointer, f"{place}/{form.strip(chr(34)) or word}"))


def _renamed(found: re.Match[str], problem: Problem, document: Any) -> Iterator[Any]:
    holder = problem.pointer.rpartition("/")[0]
    key = found[1].replace("~", "~0").replace("/", "~1")
    yield edited(document, rename(f"{holder}/{key}", found[2]))


def _set_here(found: re.Match[str], problem: Problem, document: Any) -> Iterator[Any]:
    yield edited(document, put(problem.pointer, json.loads(found[2])))


def _set_beside(found: re.Match[str], problem: Problem, document: Any) -> Iterator[Any]:
    """A field of the object at the pointer, or beside what the pointer names; a bare kind is replaced."""
    field, here = found[1], value_at(document, problem.pointer) if exists(document, problem.pointer) else None
    if isinstance(here, str) and field == "kind" and parts(problem.pointer)[-1].isdigit():
        yield edited(document, put(problem.pointer, found[2]))
        return
    place = problem.pointer if isinstance(here, dict) and field in here else problem.pointer.rpartition("/")[0]
    yield edited(document, put(f"{place}/{field}", found[2]))


def _inserted(found: re.Match[str], problem: Problem, document: Any) -> Iterator[Any]:
    layers = [json.loads(text) for text in re.split(r" and (?=\{)", found[1])]
    result = insert(document, found[3], layers, int(found[2] == "after"))
    if "leave its in_features out" in problem.hint:
        for layer in result["model"]["layers"]:
            if isinstance(layer, dict):
                layer.pop("in_features", None)
    yield result


def _layer_behind(found: re.Match[str], problem: Problem, document: Any) -> Iterator[Any]:
    result = edited(document, drop(problem.pointer))
    chain, position = problem.pointer.split("/")[:-2], int(parts(problem.pointer)[-2])
    value_at(result, "/".join(chain)).insert(position + 1, found[1])
    yield result


_FORMS = [
    (r"did you mean (.*)\?", _suggested),
    (r"one of: (.*)", _listed),
    (r"use (at least|at most|more than|less than) (\S+)", _bound),
    (r"(?:.*, )?(?:use|such as) ((?:true|false|[\[{\"\d-]).*)", _value),
    (r"remove it(?:[;:] .*)?", _removed),
    (r"leave it out", _removed),
    (r'remove it, and insert "(\w+)" behind the layer', _layer_behind),
    (r"remove (\"?\w+\"?(?: or \w+)*)", _removed_name),
    (r'add ("\w+": .*) to (\w+)', _added_to),
    (r'add "(\w+)" to the inputs of the network', _added_input),
    (r'add ("\w+": .*)', _added),
    (r"move it to (.*)", _moved),
    (r'rename "(.*)" to "(.*)"', _renamed),
    (r"set (\w+)(?: of \w+)? to (\d+).*", _set_here),
    (r'set "(\w+)"(?: of \w+)? to "(\w+)".*', _set_beside),
    (r"insert (\{.*\}) (after|before) (\w+).*", _inserted),
]
