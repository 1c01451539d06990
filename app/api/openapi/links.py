"""OpenAPI links: from the ids in a response to the routes that take them."""

from collections.abc import Iterator, Mapping
from typing import Any

# operation → the status of its answer, and where in it the parameters of other routes are
LINK_SOURCES: Mapping[str, tuple[int, Mapping[str, str]]] = {
    "create_job": (201, {"job_id": "id"}),
    "fork_job": (201, {"job_id": "id"}),
    "list_jobs": (200, {"job_id": "items/0/id"}),
    "list_checkpoints": (200, {"checkpoint_id": "items/0/id"}),
    "create_dataset": (201, {"dataset_id": "id"}),
    "create_key": (201, {"key_id": "id"}),
    "create_webhook": (201, {"webhook_id": "id"}),
    "ping_webhook": (202, {"webhook_id": "webhook_id", "message_id": "id"}),
}
CLIENT_PARAMETERS = frozenset({"form", "name"})  # parameters that the client knows by itself


def add_links(document: dict[str, Any]) -> None:
    """Add to every answer in the table a link to every route whose path it fills."""
    taking = {operation["operationId"]: taken for operation, taken in _operations(document)}
    for operation, _ in _operations(document):
        status, places = LINK_SOURCES.get(operation["operationId"], (0, {}))
        links = {
            target: {
                "operationId": target,
                "parameters": {name: f"$response.body#/{places[name]}" for name in sorted(taken - CLIENT_PARAMETERS)},
            }
            for target, taken in taking.items()
            if places and taken - CLIENT_PARAMETERS == set(places)
        }
        if links:
            operation["responses"][str(status)]["links"] = links


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], frozenset[str]]]:
    """Yield every operation with the names of its path's parameters."""
    for methods in document["paths"].values():
        for operation in methods.values():
            parameters = operation.get("parameters", ())
            yield operation, frozenset(each["name"] for each in parameters if each["in"] == "path")
