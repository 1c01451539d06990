"""Which weights of a source a network takes, by name and shape, and what is left over on either side."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import Problem
from app.spec.hints.names import did_you_mean
from app.spec.start_from import rename_weights
from workers.network.analysis.parameters import ParameterIndex

Shapes = Mapping[str, tuple[int, ...]]
MAX_TOLD = 8  # names in a sentence
MAX_LISTED = 100  # names in an event

MISSING_HINTS = {"file": "save the whole state_dict"}
MISSING_HINT = "use the network of the checkpoint's job, or start from another one"
UNKNOWN_HINTS = {"file": "remove it from the file"}
SHAPES_HINT = ', or set "match": "shapes" in start_from to take what fits'


def event_data(
    source: str, taken: int, begun_anew: Sequence[str], left_out: Sequence[str], partial: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the data of the event `initial_weights`: counts of tensors, and the first names of each side."""
    return {
        "from": source,
        "taken": taken,
        "begun_anew": len(begun_anew),
        "left_out": len(left_out),
        "names": {"begun_anew": begun_anew[:MAX_LISTED], "left_out": left_out[:MAX_LISTED]},
        "partial": partial[:MAX_LISTED],
    }


@dataclass(frozen=True)
class WeightMatch:
    """What a network takes of a source: names are those of the `state_dict`, with every tensor once."""

    taken: Mapping[str, str]  # name in the network → name in the source
    begun_anew: tuple[str, ...]  # tensors of the network that take none, by their first names
    left_out: tuple[str, ...]  # names in the source that no tensor takes
    partial: tuple[str, ...]  # parts of the network of which some tensors are taken, and others begin anew
    parameters: int  # of the network that are taken: buffers do not count

    def event(self, source: str) -> dict[str, Any]:
        """Return the data of the event `initial_weights`."""
        return event_data(source, len(self.taken), self.begun_anew, self.left_out, self.partial)


@dataclass(frozen=True)
class WeightSource:
    """The names and shapes of weights, and how they are told: what holds them, and where the job names it."""

    shapes: Shapes
    holder: str  # "checkpoint" or "file"
    pointer: str
    rename: Mapping[str, str]

    def renamed(self) -> dict[str, str]:
        """Return the names in the source by those that they have in the network."""
        return {new: name for name, (new, _) in rename_weights(self.shapes, self.rename).items()}

    def rename_problems(self) -> Iterator[Problem]:
        """Yield the paths that rename nothing, and the names that two weights would have."""
        renamed = rename_weights(self.shapes, self.rename)
        used = {path for _, path in renamed.values()}
        parts = {name.rpartition(".")[0] for name in self.shapes}
        for path in self.rename:
            if path not in used:
                hint = did_you_mean(path.rstrip("."), parts) or "remove it"
                detail = f'the {self.holder} has no weight below "{path}"'
                yield Problem("/start_from/rename", "unknown_weight", detail, hint)
        by_name: dict[str, list[str]] = {}
        for name, (new, _) in renamed.items():
            by_name.setdefault(new, []).append(name)
        for new, names in by_name.items():
            if len(names) > 1:
                detail = f'{" and ".join(names[:2])} would both be "{new}"'
                yield Problem("/start_from/rename", "duplicate_weight", detail, "rename one of them to another path")


def match_shapes(index: ParameterIndex, source: WeightSource) -> WeightMatch:
    """Return which weights fit a network by name and shape."""
    expected, names = index.shapes, source.renamed()
    fitting = (name for name, shape in expected.items() if name in names and source.shapes[names[name]] == shape)
    taken = {name: names[name] for name in fitting}
    first = {index.first_name(name) for name in taken}
    everything = dict.fromkeys(index.first_name(name) for name in expected)
    used = set(taken.values())
    owners: dict[str, set[bool]] = {}
    for name in everything:
        if "." in name:
            owners.setdefault(name.rpartition(".")[0], set()).add(name in first)
    return WeightMatch(
        taken,
        tuple(name for name in everything if name not in first),
        tuple(name for name in source.shapes if name not in used),
        tuple(owner for owner, found in owners.items() if len(found) > 1),
        len(first & {weight.name for weight in index.weights.values()}),
    )


def name_problems(index: ParameterIndex, source: WeightSource) -> Iterator[Problem]:
    """Yield how weights differ from a network: missing names, unknown names, other shapes."""
    expected, names, holder = index.shapes, source.renamed(), source.holder
    shapes = {name: source.shapes[old] for name, old in names.items()}
    unknown = [name for name in shapes if name not in expected]
    for name, shape in expected.items():
        if name not in shapes:
            detail = f'the {holder} has no "{name}", of shape {list(shape)}'
            hint = did_you_mean(name, unknown) or MISSING_HINTS.get(holder, MISSING_HINT) + SHAPES_HINT
            yield Problem(source.pointer, "missing_weight", detail, hint)
        elif shapes[name] != shape:
            detail = f'"{name}" has shape {list(shapes[name])} in the {holder}, and {list(shape)} in the network'
            hint = f"change the sizes of {name.partition('.')[0]}{SHAPES_HINT}"
            yield Problem(source.pointer, "shape_mismatch", detail, hint)
    missing = [name for name in expected if name not in shapes]
    for name in unknown:
        hint = did_you_mean(name, missing) or UNKNOWN_HINTS.get(holder, MISSING_HINT) + SHAPES_HINT
        yield Problem(source.pointer, "unexpected_weight", f'the network has no "{name}"', hint)


def nothing_taken_problem(index: ParameterIndex, source: WeightSource) -> Problem:
    """Return the problem of weights of which the network takes no parameter."""
    fresh, given = list(index.weights), list(source.shapes)
    detail = f"no parameter of the network has the name and shape of a weight of the {source.holder}"
    detail += f": there are {tell_names(given)} there, and {tell_names(fresh)} here"
    hint = "give rename, from paths of the weights to paths of the network; or remove start_from"
    return Problem(source.pointer, "nothing_matches", detail, hint)


def match_warnings(index: ParameterIndex, source: WeightSource, match: WeightMatch) -> Iterator[Problem]:
    """Yield what is not taken, on either side, and the parts that are mixed of both."""
    names, holder = source.renamed(), source.holder
    if match.begun_anew:
        detail = f"{len(match.begun_anew)} of the network's {_count_tensors(index)} tensors begin anew: "
        detail += tell_names([_tell_shapes(name, index.shapes[name], names, source) for name in match.begun_anew])
        yield Problem(source.pointer, "begun_anew", detail, "name and shape both have to fit")
    if match.left_out:
        detail = f"{len(match.left_out)} of the {holder}'s {len(source.shapes)} tensors are left out: "
        hint = "rename maps paths of the weights to paths of the network, where names differ alone"
        yield Problem(source.pointer, "left_out", detail + tell_names(match.left_out), hint)
    if match.partial:
        detail = f"partly taken and partly begun anew: {tell_names(match.partial)}"
        hint = "give such a node another id if all of it is to begin anew, or the sizes of the weights"
        yield Problem(source.pointer, "partly_taken", detail, hint)


def _tell_shapes(name: str, shape: tuple[int, ...], names: Mapping[str, str], source: WeightSource) -> str:
    """Return a name, with both shapes if they are what does not fit."""
    if (old := names.get(name)) is None:
        return name
    return f"{name} ({list(source.shapes[old])} in the {source.holder}, {list(shape)} in the network)"


def _count_tensors(index: ParameterIndex) -> int:
    return len({index.first_name(name) for name in index.shapes})


def tell_names(names: Sequence[str]) -> str:
    """Return the first names as a list in a sentence, and how many more there are."""
    more = len(names) - MAX_TOLD
    return ", ".join(names[:MAX_TOLD]) + (f", and {more} more" if more > 0 else "")
