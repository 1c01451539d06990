"""Work for the pages to show: small jobs and a data set, sent by the API."""

import io
from random import Random
from typing import Any

import httpx

from tests.acceptance.service import ServiceProcess, wait_until

# The name of everything here: markup, if a page takes text for it.
HOSTILE = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"


def table_bytes(rows: int = 80) -> bytes:
    """Return a CSV of plants, whose kind follows from two numbers."""
    random, text = Random(0), io.StringIO()
    text.write("height,width,kind\n")
    for number in range(rows):
        kind = "oak" if number % 2 else "ash"
        text.write(f"{random.gauss(10 + 6 * (number % 2), 1):.2f},{random.gauss(3, 1):.2f},{kind}\n")
    return text.getvalue().encode()


def add_table(service: ServiceProcess, name: str = "plants", content: bytes | None = None) -> str:
    """Register a table; return its id."""
    source = {"kind": "upload", "file": "plants.csv", "target": "kind"}
    with service.http as http:
        made = http.post("/v1/datasets", json={"name": name, "source": source}).raise_for_status().json()
        http.put(f"/v1/datasets/{made['id']}/content", content=content or table_bytes()).raise_for_status()
        wait_until(lambda: _is_ready(http, made["id"]), "the data set")
    return str(made["id"])


def _is_ready(http: httpx.Client, dataset: str) -> bool:
    return bool(http.get(f"/v1/datasets/{dataset}").raise_for_status().json()["status"] == "ready")


def table_spec(dataset: str, name: str = "plants", **training: Any) -> dict[str, Any]:
    """Return a small job on a table."""
    plan = {"epochs": 3, "batch_size": 16, "optimizer": {"kind": "Adam", "lr": 0.02}} | training
    return {
        "name": name,
        "model": {
            "layers": [
                {"kind": "Linear", "id": "first", "out_features": 16},
                {"kind": "ReLU", "id": "bend"},
                {"kind": "Linear", "id": "scores", "out_features": 2},
            ]
        },
        "data": {"kind": "dataset", "id": dataset, "validation": {"fraction": 0.25}},
        "objective": {"loss": "CrossEntropyLoss", "metrics": ["accuracy"]},
        "training": plan,
    }


def train_table(service: ServiceProcess, name: str = "plants", **parts: Any) -> dict[str, Any]:
    """Train a job on a table to its end; return it."""
    job = service.submit(table_spec(add_table(service, name), name) | parts)
    return service.wait(job["id"], "succeeded")
