"""Requests and responses of the inspector, encoded and decoded as on the pipe."""

from pathlib import Path

import numpy as np

from app.spec.data.sources import BUILTIN_SCHEMAS
from tests.workers.jobs import make_job
from workers.children.inspect import InspectionLimits
from workers.children.server import INSPECTOR_HANDLERS, handle_request
from workers.protocol.child_requests import (
    REQUESTS,
    RESPONSES,
    ChildRequest,
    ChildResponse,
    DescribeRequest,
    DescribeResponse,
    InspectRequest,
    InspectResponse,
)


def test_requests_and_responses_survive_the_pipe(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=np.zeros((4, 3), np.float32), y=np.arange(4))
    described = respond(DescribeRequest(tmp_path / "data.npz", {"kind": "upload"}, 1 << 20))
    assert isinstance(described, DescribeResponse)
    assert described.format == "npz"
    assert described.schema is not None
    assert described.schema["target"] == "y"
    assert len(described.preview) == 4
    schema = BUILTIN_SCHEMAS["iris"].model_dump(mode="json")
    limits = InspectionLimits(max_nodes=9, max_parameters=9, memory_limit=1 << 30)
    inspected = respond(InspectRequest(make_job([{"kind": "Linear", "out_features": 3}]), schema, {}, limits))
    assert isinstance(inspected, InspectResponse)
    assert [problem.code for problem in inspected.problems] == ["too_many_parameters"]


def respond(request: ChildRequest) -> ChildResponse:
    return RESPONSES.decode(handle_request(REQUESTS.encode(request), INSPECTOR_HANDLERS))
