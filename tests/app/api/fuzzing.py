"""Generated requests: how they are sent, and what their answers must keep to."""

import os
from typing import Any

import httpx
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.app.api.client import Client

EXAMPLES_FACTOR = int(os.environ.get("FUZZ", "1"))  # how many times as many examples: `make fuzz`
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def send_case(client: Client, case: Case) -> httpx.Response | None:
    """Send a case, unless the client itself refuses to."""
    sent = case.as_transport_kwargs(base_url="http://service")
    content = sent.get("data")
    options: dict[str, Any] = {"content": content if isinstance(content, str | bytes) else None}
    if "json" in sent:
        options = {"json": sent["json"]}
    headers = [
        (name.encode("latin-1", "ignore"), str(value).encode("utf-8", "replace"))
        for name, value in sent["headers"].items()
    ]
    try:
        return client(sent["method"], sent["url"], params=sent["params"], headers=headers, **options)
    except (httpx.InvalidURL, ValueError):
        return None


def assert_conforms(case: Case, response: httpx.Response, known: bool = True) -> None:
    """Check that an answer is no mistake of the service, and one that the description has: status, form and schema.

    What the description refuses is refused as well, unless ids in the path were replaced by `known` ones.
    """
    if response.status_code in (404, 405):  # also an id that leads out of its place in the path
        assert response.headers["content-type"] == "application/problem+json" or case.method == "HEAD"
        return
    case.validate_response(response, checks=CHECKS if known else [*CHECKS, negative_data_rejection])
