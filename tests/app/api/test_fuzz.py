"""Whatever is sent: no answer is a mistake of the service, and every answer is one that the description knows."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode

from app.access import keys
from app.access.first_key import OWNER
from app.api.main import create_app
from app.datasets import registry
from app.settings import Settings
from app.spec.data.sources import NewDataset
from app.webhooks import outbox, repository
from tests.app.api.client import Api
from tests.app.api.conftest import StartApp
from tests.app.api.fuzzing import EXAMPLES_FACTOR, assert_conforms, send_case
from tests.app.api.job_factories import SPEC, create_checkpoint, create_running_job, finish_job, record_curve
from tests.app.edits.test_edits import accept
from tests.app.webhooks.factories import create_webhook

DOCUMENT = create_app(Settings()).openapi()
for operation in (each for methods in DOCUMENT["paths"].values() for each in methods.values()):
    operation.pop("security", None)  # it is off here
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
WHOLE: dict[str, Any] = SPEC | {
    "model": {
        "nodes": [
            {"id": "a", "kind": "Linear", "out_features": 3, "inputs": ["x"]},
            {"id": "b", "kind": "add", "inputs": ["a", "a"]},
        ],
        "outputs": {"y": "b"},
    },
    "training": {
        "optimizer": {"kind": "SGD", "lr": 0.1},
        "schedule": {"kind": "StepLR", "step_size": 3},
        "epochs": 2,
        "batch_size": 16,
        "early_stop": {"monitor": "val/loss", "patience": 2},
        "checkpoint": {"every_steps": 10, "monitor": "val/accuracy", "mode": "max"},
    },
    "resources": {"gpus": 0, "queue": "default"},
    "metadata": {"team": "a"},
    "max_seconds": 5.0,
}
QUESTION: dict[str, Any] = {
    "model": WHOLE["model"],
    "inputs": {"x": {"shape": [4], "dtype": "float32"}},
    "seed": 3,
    "autograd": True,
    "gradcheck": True,
    "values": {"x": [[1.0, 2.0, 3.0, 4.0]]},
}
SPECS = ("create_job", "validate_job", "inspect_model")  # see the last test
OPERATIONS = [
    operation
    for operation in (found.ok() for found in SCHEMA.get_all_operations())
    if operation.definition.raw["operationId"] not in SPECS
]
EXAMPLES = {GenerationMode.POSITIVE: 12 * EXAMPLES_FACTOR, GenerationMode.NEGATIVE: 20 * EXAMPLES_FACTOR}
ODD = {"bytes=0-", "bytes=-1", "bytes=9-1", "bytes 0-1/4", "bytes */4", "*", '"x"', "text/csv", "application/x-ndjson"}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def api(serve: StartApp) -> Api:
    return serve(auth=False)


@pytest.fixture
def known(api: Api) -> dict[str, str]:
    """Objects that exist. The job has ended: what waits for it does not wait long."""
    db = api.services.db
    job = create_running_job(db, OWNER, inspection=dict(api.services.inspector.inspect(SPEC, None, {})))
    record_curve(db, job, 200, lambda step: float("nan") if step % 3 else 1.0)
    files = {"model.py": b"0123456789", "weights.pth": b"", "weights.safetensors": b"x"}
    checkpoint = create_checkpoint(db, api.services.store, job, 5, files)
    edit = accept(db, job.id)
    upload = NewDataset.model_validate({"name": "x", "source": {"kind": "upload", "format": "csv"}})
    hook = create_webhook(db, OWNER, url="https://127.0.0.1/")
    message = db.run(lambda session: outbox.enqueue_ping(session, repository.find(session, OWNER, hook)))
    return {
        "webhook_id": hook,
        "message_id": message.id,
        "job_id": finish_job(db, job),
        "number": str(edit),
        "checkpoint_id": checkpoint,
        "name": "model.py",
        "form": "onnx",
        "dataset_id": db.run(registry.register, OWNER, upload).id,
        "key_id": db.run(keys.create, OWNER, "x", ["read"])[0].id,
    }


def cases(operation: Any, known: dict[str, str]) -> Iterator[tuple[Any, int]]:
    """Yield strategies of cases, valid and invalid ones, and how many of each: half of them of objects that exist."""

    def existing(case: Case, chosen: bool, odd: str | None) -> Case:
        if chosen and case.path_parameters:
            case.path_parameters = {name: known[name] for name in case.path_parameters}
        for name in ("range", "content-range", "if-none-match", "accept"):
            if odd is not None:
                case.headers[name] = odd
        return case

    for mode, count in EXAMPLES.items():
        found = operation.as_strategy(generation_mode=mode)
        odd = st.none() | st.sampled_from(sorted(ODD))
        yield st.builds(existing, found, st.booleans(), odd), count


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.definition.raw["operationId"])
def test_no_input_is_a_mistake_of_the_service(api: Api, known: dict[str, str], operation: Any) -> None:
    client = api.client(None)
    strategies = [(strategy, count) for strategy, count in cases(operation, known)]
    if not (operation.query or operation.path_parameters or operation.body):
        strategies = strategies[:1]  # nothing could be wrong

    for strategy, count in strategies:

        @settings(
            max_examples=count, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(strategy)
        def attack(case: Case) -> None:
            response = send_case(client, case)
            if response is None:
                return
            assert_conforms(case, response, not set(known.values()).isdisjoint(case.path_parameters.values()))

        attack()


def places(part: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield here
    items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, value in items:
        yield from places(value, (*here, key))


def replaced(part: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    copy = part.copy()
    copy[place[0]] = replaced(part[place[0]], place[1:], value)
    return copy


WORDS = st.sampled_from(["x", "a", "b", "y", "Linear", "LSTM", "relu", "iris", "val/loss", "../x", "ds_" + "0" * 32])
KEYS = WORDS | st.sampled_from(["kind", "inputs", "id"])
NUMBERS = st.sampled_from([0, -1, 1, 3, 2**31, 2**63 - 1, 1e308, 0.5])
STRANGE = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS | st.text(),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(KEYS, part, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("path", "whole"), [("/v1/jobs", WHOLE), ("/v1/jobs/validate", WHOLE), ("/v1/models/inspect", QUESTION)]
)
def test_a_spec_with_one_strange_part(api: Api, path: str, whole: dict[str, Any]) -> None:
    """Specs made from the schema alone take seconds each and have a hundred problems; these have one."""
    client = api.client(None)
    assert client.post(path, json=whole).is_success

    @settings(max_examples=400 * EXAMPLES_FACTOR, derandomize=True, deadline=None, database=None)
    @given(st.sampled_from(sorted(places(whole), key=str)), STRANGE)
    def attack(place: tuple[Any, ...], value: Any) -> None:
        response = client.post(path, content=json.dumps(replaced(whole, place, value)))
        assert response.status_code in (200, 201, 422), response.text
        if response.status_code == 422:
            problems = response.json()["errors"]
            assert problems
            assert "inspection_failed" not in {problem["code"] for problem in problems}, problems

    attack()
