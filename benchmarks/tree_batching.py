"""What batching trees by height and cell is worth: ``python benchmarks/tree_batching.py``.

The set-up of TensorFlow Fold's Table 1 (Looks et al. 2017): random binary trees of 128 leaves, the binary Tree-LSTM of
Tai et al. 2015, a word at every leaf. Three ways, timed in turn, with and without backward:

- fold: `schedule` and `fold`, the schedule made anew for every batch;
- alone: plain recursion, one node at a time; timed on a few trees and counted per tree, since it takes a tree as long
  in a large batch as in a small one;
- by hand: all trees of one shape, level by level with indexes written down beforehand. Fold runs on the same batch, and
  does not know that the shapes are equal.

One thread on the CPU or, with ``--device cuda``, a GPU (then results/tree_batching_cuda.json). Every figure is the
median of the ratios of single turns.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from random import Random
from statistics import median
from typing import Any

import torch
from machine import write_results
from torch import Tensor, nn

from workers.network.runtime.fold import fold
from workers.network.runtime.tree_levels import schedule_trees

LEAVES, WORDS = 128, 10_000
BATCHES, SIZES = (1, 16, 64, 256, 1024), (64, 128, 256, 1024)
CLAIMED_CASES = {"cpu": (64, 256), "cuda": (1024, 256)}  # state size and batch at which the claims are made
MIN_SPEEDUP = {"cpu": 25, "cuda": 100}  # times as fast as alone
MAX_HAND_WRITTEN_RATIO = 1.3
TreeState = tuple[Tensor, Tensor]  # h and c


class TreeLSTM(nn.Module):
    """The binary Tree-LSTM: a forget gate for each child."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, size)
        self.inward = nn.Linear(size, 3 * size)
        self.gates = nn.Linear(2 * size, 5 * size)

    def leaf(self, vectors: Tensor) -> TreeState:
        """Return h and c (K, S) of the vectors (K, S) of K words."""
        i, o, u = self.inward(vectors).chunk(3, dim=1)
        c = i.sigmoid() * u.tanh()
        return o.sigmoid() * c.tanh(), c

    def word(self, words: Tensor) -> TreeState:
        """Return h and c (K, S) of K words."""
        return self.leaf(self.words(words))

    def node(self, _: Any, states: TreeState, filled: Any = None) -> TreeState:
        """Return h and c (K, S) from those of the two children (K, 2, S)."""
        h, c = states
        i, o, u, left, right = self.gates(h.flatten(1)).chunk(5, dim=1)
        c = i.sigmoid() * u.tanh() + left.sigmoid() * c[:, 0] + right.sigmoid() * c[:, 1]
        return o.sigmoid() * c.tanh(), c


def random_tree(generator: Random) -> list[list[int]]:
    """Return the children of every row; the root is row 0, and a subtree is split at a random place."""
    rows: list[list[int]] = [[-1, -1]]
    waiting = [(0, LEAVES)]
    while waiting:
        row, leaves = waiting.pop()
        if leaves > 1:
            left = generator.randint(1, leaves - 1)
            rows[row] = [len(rows), len(rows) + 1]
            waiting += [(len(rows), left), (len(rows) + 1, leaves - left)]
            rows += [[-1, -1], [-1, -1]]
    return rows


def run_recursively(model: TreeLSTM, rows: Sequence[Sequence[int]], words: Tensor) -> Tensor:
    """Return the root's h (1, S) of one tree with words (M), by recursion.

    The vectors of its words are looked up at once: one by one, backward would fill a gradient of all words for each.
    """
    vectors = model.words(words).split(1)

    def state(row: int) -> TreeState:
        left, right = rows[row]
        if left < 0:
            return model.leaf(vectors[row])
        one, other = state(left), state(right)
        return model.node(None, (torch.stack([one[0], other[0]], dim=1), torch.stack([one[1], other[1]], dim=1)))

    return state(0)[0]


class HandWrittenBatch:
    """A batch of trees of one shape: every state is moved once, to where its parent's level looks."""

    def __init__(self, rows: Sequence[Sequence[int]], device: str) -> None:
        self.rows = rows
        heights = [0] * len(rows)
        for row in reversed(range(len(rows))):  # children come after their parents
            heights[row] = 1 + max(heights[child] for child in rows[row]) if rows[row][0] >= 0 else 0
        self.levels = [
            [row for row in range(len(rows)) if heights[row] == height] for height in range(max(heights) + 1)
        ]
        self.leaves = torch.tensor(self.levels[0], device=device)

    def __call__(self, model: TreeLSTM, words: Tensor) -> TreeState:
        """Return the roots' state (N, S) from the words (N, M)."""
        known: tuple[dict[int, Tensor], ...] = ({}, {})
        size = model.words.embedding_dim
        states = model.word(words[:, self.leaves].flatten())
        for number, level in enumerate(self.levels):
            if number:
                read = [child for row in level for child in self.rows[row]]
                h, c = (torch.stack([part[row] for row in read], dim=1).view(-1, 2, size) for part in known)
                states = model.node(None, (h, c))
            for part, state in zip(known, states, strict=True):
                part.update(zip(level, state.view(len(words), len(level), size).unbind(1), strict=True))
        return known[0][0], known[1][0]


def time_passes(model: TreeLSTM, run: Callable[[], Tensor], device: str) -> tuple[float, float]:
    """Return the seconds of one forward pass, and of one with the backward pass after it."""
    model.zero_grad()
    began = _synchronized_time(device)
    roots = run()
    between = _synchronized_time(device)
    roots.sum().backward()
    return between - began, _synchronized_time(device) - began


def _synchronized_time(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def measure(device: str, size: int, batch: int, options: argparse.Namespace) -> dict[str, Any]:
    """Time all ways in turn and return the ratios."""
    generator = Random(size + batch)
    torch.manual_seed(0)
    model = TreeLSTM(size).to(device)
    trees = [random_tree(generator) for _ in range(batch)]
    few = min(batch, options.alone)
    unlike, like = torch.tensor(trees, device=device), torch.tensor([trees[0]] * batch, device=device)
    words = torch.randint(WORDS, unlike.shape[:2], device=device)
    hand = HandWrittenBatch(trees[0], device)
    ways: dict[str, Callable[[], Tensor]] = {
        "fold": lambda: fold(schedule_trees(unlike), words, model.word, [model.node])[0],
        "alone": lambda: torch.cat([run_recursively(model, trees[tree], words[tree]) for tree in range(few)]),
        "fold_like": lambda: fold(schedule_trees(like), words, model.word, [model.node])[0],
        "hand": lambda: hand(model, words)[0],
    }
    with torch.no_grad():
        results = {name: way() for name, way in ways.items()}
    for one, other in (("fold", "alone"), ("fold_like", "hand")):
        torch.testing.assert_close(results[one][: len(results[other])], results[other], atol=1e-5, rtol=0)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    until = time.monotonic() + options.seconds
    for way in ways.values():
        time_passes(model, way, device)
    while len(times["fold"]) < options.least_runs or time.monotonic() < until:
        for name, way in ways.items():
            times[name].append(time_passes(model, way, device))
    scheduled = []
    for _ in range(options.least_runs):
        began = time.perf_counter()
        schedule_trees(unlike)
        scheduled.append(time.perf_counter() - began)
    return {"device": device, "state": size, "batch": batch, **_ratios(times, batch / few, median(scheduled))}


def _ratios(times: dict[str, list[tuple[float, float]]], scale: float, scheduled: float) -> dict[str, Any]:
    row: dict[str, Any] = {"runs": len(times["fold"]), "schedule_ms": round(1000 * scheduled, 2)}
    for place, kind in enumerate(("forward", "step")):
        taken = {name: [run[place] for run in runs] for name, runs in times.items()}
        row[f"{kind}_ms"] = {name: round(1000 * median(runs), 2) for name, runs in taken.items()}
        row[f"{kind}_ms"]["alone"] = round(1000 * scale * median(taken["alone"]), 1)
        pairs = zip(taken["alone"], taken["fold"], strict=True)
        row[f"{kind}_times_as_fast_as_alone"] = round(median(scale * other / ours for other, ours in pairs), 1)
        pairs = zip(taken["fold_like"], taken["hand"], strict=True)
        row[f"{kind}_over_hand"] = round(median(ours / other for ours, other in pairs), 2)
    return row


def make_claims(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the claims on the state size and batch in `CLAIMED_CASES`, as far as they were measured."""
    claims = []
    for row in rows:
        device = row["device"]
        if (row["state"], row["batch"]) != CLAIMED_CASES[device]:
            continue
        where = f"{'one CPU thread' if device == 'cpu' else 'GPU'}, {row['batch']} trees, state {row['state']}"
        claims.append(
            {
                "what": f"a training step of Fold over plain recursion ({where})",
                "unit": "times as fast",
                "measured": row["step_times_as_fast_as_alone"],
                "bound": MIN_SPEEDUP[device],
                "at_most": False,
            }
        )
        for kind, words in (("forward", "forward"), ("step", "a training step")):
            claims.append(
                {
                    "what": f"Fold over batching by hand, {words} ({where})",
                    "unit": "times the time",
                    "measured": row[f"{kind}_over_hand"],
                    "bound": MAX_HAND_WRITTEN_RATIO,
                    "at_most": True,
                }
            )
    return claims


def main() -> None:
    """Measure and write results/tree_batching.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES, help="trees in a batch")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers in h, and in c")
    parser.add_argument("--alone", type=int, default=2, help="trees that are timed one node at a time")
    parser.add_argument("--seconds", type=float, default=15, help="for each batch and size, where the runs allow")
    parser.add_argument("--least-runs", type=int, default=5, help="turns for each batch and size")
    parser.add_argument(
        "--most-work", type=float, default=256**2 * 1024, help="on a CPU, of batch * size^2; above, it is left out"
    )
    parser.add_argument("--device", choices=tuple(CLAIMED_CASES), default="cpu")
    options = parser.parse_args()
    device: str = options.device
    torch.set_num_threads(1)
    rows = []
    for size in options.sizes:
        for batch in options.batches:
            if device == "cuda" or batch * size**2 <= options.most_work:
                rows.append(measure(device, size, batch, options))
                print(rows[-1], flush=True)
    gpu = {"gpu": torch.cuda.get_device_name()} if device == "cuda" else {}
    notes = {"leaves": LEAVES, "alone": f"timed on at most {options.alone} trees, scaled to the batch", **gpu}
    write_results(
        "tree_batching" if device == "cpu" else "tree_batching_cuda", {**notes, "rows": rows}, make_claims(rows)
    )


if __name__ == "__main__":
    main()
