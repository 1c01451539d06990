"""Write the tables of measurements from results/*.json: ``python benchmarks/table.py``.

``docs/measurements.md`` has every claim, the README those in `HEADLINES`.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from machine import RESULTS, is_within_bound

ROOT = Path(__file__).parents[1]
HEADLINES = (
    "a training step, loop / bare, median",
    "a training step, DataLoader / loop, median",
    "POST to the end of the first step, median",
    "create: MLflow / Graftwerk",
    "store: MLflow / Graftwerk",
    "a killed attempt: the training goes on after, median",
    "a killed worker: the training goes on after, median",
    "a training step of Fold over plain recursion (one CPU thread, 256 trees, state 64)",
    "real/mails-transformer: test/accuracy",
)
COMPARED_SYSTEMS = {
    "mlflow": "MLflow",
    "tensorboard": "TensorBoard",
    "lightning": "Lightning",
    "stable_baselines3": "Stable-Baselines3",
}  # key of a document → the system of that version
GENERATED_SECTION = re.compile(r"(<!-- measurements -->\n).*?(<!-- end -->)", re.DOTALL)
NO_RESULTS = "Nothing has been measured yet: `make bench`."
HEADER = ["| what | measured | aim | script |", "| --- | --- | --- | --- |"]

Document = Mapping[str, Any]


def load_results(folder: Path = RESULTS) -> list[Document]:
    """Return every result of a folder that makes a claim."""
    documents = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    return [document for document in documents if document.get("claims")]


def render_table(results: Sequence[Document]) -> str:
    """Return a Markdown table of every claim, and a line on each machine."""
    if not results:
        return NO_RESULTS
    rows = [row for document in results for row in _rows(document, document["claims"])]
    machines = dict.fromkeys(_machine(document) for document in results)
    return "\n".join([*HEADER, *rows, "", *machines])


def render_headlines(results: Sequence[Document]) -> str:
    """Return a Markdown table of the claims in `HEADLINES`, in their order, and how many other claims are missed."""
    if not results:
        return NO_RESULTS
    claims = {claim["what"]: (document, claim) for document in results for claim in document["claims"]}
    rows = [row for what in HEADLINES for row in _rows(claims[what][0], [claims[what][1]])]
    missed = sum(not is_within_bound(claim) for _, claim in claims.values())
    summary = (
        f"{len(claims)} claims, {missed} missed: [all measurements](docs/measurements.md), with machines and dates."
    )
    return "\n".join([*HEADER, *rows, "", summary, ""])


PAGES: Mapping[str, Callable[[Sequence[Document]], str]] = {
    "README.md": render_headlines,
    "docs/measurements.md": render_table,
}


def render_page(name: str, text: str) -> str:
    """Return a page's text with its table made from the results."""
    table = PAGES[name](load_results())
    return GENERATED_SECTION.sub(lambda section: f"{section[1]}{table}\n{section[2]}", text)


def _rows(document: Document, claims: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for claim in claims:
        sign = "≤" if claim["at_most"] else "≥"
        figure = f"{claim['measured']:g} {claim['unit']}".rstrip()
        missed = "" if is_within_bound(claim) else " (missed)"
        yield f"| {claim['what']} | {figure}{missed} | {sign} {claim['bound']:g} | {_script(document)} |"


def _machine(document: Document) -> str:
    machine = document["machine"]
    beside = "".join(f", {label} {document[name]}" for name, label in COMPARED_SYSTEMS.items() if name in document)
    gpu = f", {document['gpu']}" if document.get("gpu") else ""
    versions = f"Python {machine['python']}, torch {machine['versions'].get('torch')}{beside}"
    cores = f"{machine['cores']} cores of {machine['processor']}"
    return f"{_script(document)}: {document['date']}, {cores}{gpu}, {versions}.\n"


def _script(document: Document) -> str:
    name, cuda, _ = document["benchmark"].partition("_cuda")
    return f"`{name}.py{' --device cuda' if cuda else ''}`"


def main() -> None:
    """Rewrite the tables."""
    for name in PAGES:
        before = (ROOT / name).read_text()
        after = render_page(name, before)
        if after != before:
            (ROOT / name).write_text(after)
            sys.stdout.write(f"{name} rewritten\n")


if __name__ == "__main__":
    main()
