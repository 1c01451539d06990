"""The description of the API, as tests read it."""

from typing import Any

from app.api.main import create_app
from app.settings import Settings

DOCUMENT: dict[str, Any] = create_app(Settings()).openapi()
OPERATIONS = [
    (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]


def resolved(response: dict[str, Any]) -> dict[str, Any]:
    """Return a response, or the shared one that it refers to."""
    name = response.get("$ref", "").removeprefix("#/components/responses/")
    shared: dict[str, Any] = DOCUMENT["components"]["responses"][name] if name else response
    return shared
