"""Writes the README's table of measurements from results/*.json: ``python benchmarks/table.py``."""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from machine import RESULTS, is_within_bound

README = Path(__file__).parents[1] / "README.md"
COMPARED_SYSTEMS = {
    "mlflow": "MLflow",
    "lightning": "Lightning",
}  # key of a version in a document → what it is the version of
GENERATED_SECTION = re.compile(r"(<!-- generated: measurements -->\n).*?(<!-- end -->)", re.DOTALL)


def render_table(folder: Path = RESULTS) -> str:
    """Return a Markdown table of every claim in a folder of results, and a line on each machine."""
    documents = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    measured = [document for document in documents if document.get("claims")]
    if not measured:
        return "Nothing has been measured yet: `make bench`."
    rows = [row for document in measured for row in _rows(document)]
    machines = dict.fromkeys(_machine(document) for document in measured)
    return "\n".join(["| what | measured | aim | script |", "| --- | --- | --- | --- |", *rows, "", *machines])


def _rows(document: Mapping[str, Any]) -> Iterator[str]:
    for claim in document["claims"]:
        sign = "≤" if claim["at_most"] else "≥"
        figure = f"{claim['measured']:g} {claim['unit']}"
        missed = "" if is_within_bound(claim) else " (missed)"
        yield f"| {claim['what']} | {figure}{missed} | {sign} {claim['bound']:g} | {_script(document)} |"


def _machine(document: Mapping[str, Any]) -> str:
    machine = document["machine"]
    beside = "".join(f", {label} {document[name]}" for name, label in COMPARED_SYSTEMS.items() if name in document)
    gpu = f", {document['gpu']}" if document.get("gpu") else ""
    versions = f"Python {machine['python']}, torch {machine['versions'].get('torch')}{beside}"
    cores = f"{machine['cores']} cores of {machine['processor']}"
    return f"{_script(document)}: {document['date']}, {cores}{gpu}, {versions}.\n"


def _script(document: Mapping[str, Any]) -> str:
    name, cuda, _ = document["benchmark"].partition("_cuda")
    return f"`{name}.py{' --device cuda' if cuda else ''}`"


def main() -> None:
    """Rewrite the README's table."""
    before = README.read_text()
    after = GENERATED_SECTION.sub(lambda found: f"{found[1]}{render_table()}\n{found[2]}", before)
    if after != before:
        README.write_text(after)
        sys.stdout.write("README.md written anew\n")


if __name__ == "__main__":
    main()
