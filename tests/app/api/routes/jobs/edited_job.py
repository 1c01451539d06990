"""The job that is edited."""

from typing import Any

from tests.app.api.client import Client

MODEL: dict[str, Any] = {
    "layers": [
        {"kind": "Linear", "out_features": 8, "id": "fc1"},
        {"kind": "ReLU", "id": "relu1"},
        {"kind": "Linear", "out_features": 3, "id": "fc2"},
    ]
}
SPEC: dict[str, Any] = {
    "name": "iris",
    "model": MODEL,
    "data": {"kind": "builtin", "name": "iris", "validation": {"fraction": 0.2}},
    "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["accuracy"]},
    "training": {"epochs": 500},
}
INSERT = {"op": "insert", "after": "relu1", "node": {"kind": "Linear", "id": "extra", "out_features": 8}}


def submit_job(client: Client) -> str:
    """Submit the job, which waits; return its id."""
    response = client.post("/v1/jobs", json=SPEC)
    assert response.status_code == 201, response.text
    return str(response.json()["id"])
