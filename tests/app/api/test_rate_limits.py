"""How many requests a key may send."""

import pytest

from app.api.rate_limits import RateLimiter
from tests.app.api.client import assert_problem
from tests.app.api.conftest import StartApp


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def test_a_key_has_its_share(serve: StartApp) -> None:
    api = serve(rate_limit="3/minute")
    anna, other = api.client("anna"), api.client("anna")
    for left in (2, 1, 0):
        response = anna.get("/v1/jobs")
        assert response.status_code == 200
        assert response.headers["ratelimit-policy"] == '"default";q=3;w=60'
        assert response.headers["ratelimit"].startswith(f'"default";r={left};t=')
    refused = anna.get("/v1/jobs")
    assert_problem(refused, 429, "rate_limited")
    assert 50 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["ratelimit"].startswith('"default";r=0;t=')
    assert other.get("/v1/jobs").status_code == 200


def test_errors_count_too_and_tell_what_is_left(serve: StartApp) -> None:
    anna = serve(rate_limit="2/minute").client("anna", ("read",))
    assert anna.post("/v1/jobs").headers["ratelimit"].startswith('"default";r=1')
    assert anna.get("/v1/jobs/x").status_code == 404
    assert_problem(anna.get("/v1/jobs"), 429, "rate_limited")


def test_guesses_are_counted_by_host_and_not_on_a_key(serve: StartApp) -> None:
    api = serve(rate_limit="2/minute")
    for number in range(2):
        assert_problem(api.client_with_token(f"gw_guess_{number}").get("/v1/jobs"), 401, "unauthenticated")
    assert_problem(api.client_with_token("gw_guess_3").get("/v1/jobs"), 429, "rate_limited")
    assert api.client().get("/v1/jobs").status_code == 200


def test_health_is_free(serve: StartApp) -> None:
    nobody = serve(rate_limit="1/minute").client(None)
    for _ in range(3):
        response = nobody.get("/livez")
        assert response.status_code == 200
        assert "ratelimit" not in response.headers


def test_without_a_rule_nothing_is_counted(serve: StartApp) -> None:
    response = serve(rate_limit=" ").client().get("/v1/jobs")
    assert "ratelimit" not in response.headers


def test_each_of_several_rules_is_told() -> None:
    limiter, rule = RateLimiter(), "5/second;2/hour"
    for left in (1, 0):
        share = limiter.hit("anna", rule)
        assert share.headers["RateLimit-Policy"] == '"5/1second";q=5;w=1, "2/1hour";q=2;w=3600'
        assert f'"2/1hour";r={left};t=' in share.headers["RateLimit"]
        assert share.retry_after is None
    wait = limiter.hit("anna", rule).retry_after
    assert wait is not None
    assert 3500 < wait <= 3600
    assert limiter.hit("bert", rule).retry_after is None


def test_without_auth_all_share(serve: StartApp) -> None:
    api = serve(rate_limit="1/minute", auth=False)
    assert api.client(None).get("/v1/jobs").status_code == 200
    assert_problem(api.client_with_token("gw_a_b").get("/v1/jobs"), 429, "rate_limited")
