"""Requests that follow from answers, along the links of the description: create, read, cancel, delete, read again."""

import copy
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.core.transport import Response
from schemathesis.generation.stateful.state_machine import APIStateMachine

from app.db.base import Base
from tests.app.api.client import Api
from tests.app.api.conftest import StartApp
from tests.app.api.fuzzing import EXAMPLES_FACTOR, assert_conforms, send_case
from tests.app.api.job_factories import SPEC

# What is generated from these schemas would hardly ever be accepted, and nothing could follow.
NARROW: dict[str, list[Any]] = {
    "JobSpec": [SPEC, SPEC | {"name": "other", "priority": 3, "metadata": {"team": "a"}}],
    "Fork": [{}, {"changes": {"name": "fork"}}],
    "WebhookRequest": [
        {"url": "https://127.0.0.1/"},
        {"url": "https://127.0.0.1:8/x", "events": ["job.created", "job.cancelled"], "jobs": "named"},
    ],
    "NewDataset": [
        {"name": "x", "source": {"kind": "builtin", "name": "iris"}},
        {"name": "y", "source": {"kind": "upload", "format": "csv"}},
    ],
}
ENDLESS = ("stream_events",)  # of a job that nobody trains
# Where walks over a noun's routes begin. How far they come is drawn, and not the same on every run.
FIRST = {"jobs": "create_job", "webhooks": "create_webhook", "datasets": "create_dataset", "keys": "create_key"}
LEAST = 3  # operations that succeed


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def api(serve: StartApp) -> Api:
    return serve(auth=False, webhook_private=True)


def narrowed(document: dict[str, Any]) -> dict[str, Any]:
    """Return the description with fewer bodies, and nothing that waits."""
    narrow = copy.deepcopy(document)
    narrow["components"]["schemas"] |= {name: {"enum": values} for name, values in NARROW.items()}
    for parameter in narrow["paths"]["/v1/jobs/{job_id}"]["get"]["parameters"]:
        if parameter["name"] == "wait":
            parameter["schema"]["maximum"] = 0.01
    return narrow


@pytest.mark.parametrize("noun", FIRST)
def test_what_follows_from_answers_is_answered(api: Api, described: dict[str, Any], noun: str) -> None:
    client = api.client(None)
    succeeded: set[str] = set()
    schema = schemathesis.openapi.from_dict(narrowed(described)).include(path_regex=f"^/v1/{noun}")
    schema = schema.exclude(operation_id=list(ENDLESS))

    class Walk(schema.as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            """Begin with nothing: what is generated must not depend on the walks before."""
            with api.services.db.begin() as session:
                for table in reversed(Base.metadata.sorted_tables):
                    session.execute(table.delete())

        def call(self, case: Case, **kwargs: Any) -> Response:
            response = send_case(client, case)
            assert response is not None
            assert_conforms(case, response)
            if response.is_success:
                succeeded.add(case.operation.definition.raw["operationId"])
            return Response.from_any(response)

        def validate_response(self, response: Response, case: Case, **kwargs: Any) -> None:
            pass  # done where the answer still is what the client got

    machine: type[APIStateMachine] = Walk
    plan = settings(
        max_examples=10 * EXAMPLES_FACTOR,
        stateful_step_count=12,
        derandomize=True,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    machine.run(settings=plan)
    assert FIRST[noun] in succeeded
    assert len(succeeded) >= LEAST, succeeded
