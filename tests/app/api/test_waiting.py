"""What a waiting job tells of its time and its turn."""

from app import heartbeat
from tests.app.api.client import Api, Client
from tests.app.api.job_factories import SPEC


def test_a_job_waits_for_its_time_and_its_turn(api: Api, anna: Client) -> None:
    api.services.db.run(heartbeat.record_heartbeat, "w1", ["default"], 1)
    first, second = (anna.post("/v1/jobs", json=SPEC).json() for _ in range(2))
    later = anna.post("/v1/jobs", json=SPEC | {"not_before": "2999-01-01T01:00:00+01:00"}).json()
    assert later["not_before"] == "2999-01-01T00:00:00.000Z"
    path = f"/v1/jobs/{second['id']}"
    response = anna.get(path)
    job = response.json()
    assert (job["position"], job["starts_at"], job["held_by"], job["not_before"]) == (2, None, None, None)
    assert anna.get(path, headers={"If-None-Match": response.headers["etag"]}).status_code == 304
    known = {"If-None-Match": f'"{job["version"]}"'}  # whatever the position
    anna.post(f"/v1/jobs/{first['id']}/cancel")
    assert anna.get(path, headers=known).status_code == 304
    moved = anna.get(path, params={"wait": 20}, headers={"If-None-Match": response.headers["etag"]}).json()
    assert (moved["position"], moved["version"]) == (1, job["version"])
    assert moved["starts_at"] is not None
    job = anna.get(f"/v1/jobs/{later['id']}").json()
    assert (job["position"], job["starts_at"], job["held_by"]) == (None, None, "not_before")
