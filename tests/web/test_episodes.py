"""A job that acts in an environment: its curves, the episodes of its evaluations, and the action for an observation."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.service import ServiceProcess
from tests.web.browser import PageProblems, check_themes, check_width

LIMIT = 40  # steps of an episode


def cartpole_spec() -> dict[str, Any]:
    """Return a short job that balances a pole."""

    def body(outputs: int) -> dict[str, Any]:
        return {"layers": [{"kind": "Linear", "out_features": 8}, "Tanh", {"kind": "Linear", "out_features": outputs}]}

    data = {"kind": "environment", "name": "CartPole-v1", "copies": 2, "episodes": 5}
    return {
        "name": "pole",
        "data": data | {"wrappers": [{"kind": "TimeLimit", "steps": LIMIT}]},
        "model": {"actor": body(2), "critic": body(1)},
        "objective": {"kind": "ppo", "steps": 32, "epochs": 2},
        "training": {"steps": 40, "batch_size": 32, "evaluate": {"every_steps": 20}},
    }


@pytest.fixture(scope="module")
def job(shared_service: ServiceProcess) -> dict[str, Any]:
    """The job, at its end."""
    shared_service.resume("--slots", "2")
    return shared_service.wait(shared_service.submit(cartpole_spec())["id"], "succeeded")


@pytest.fixture(scope="module")
def episodes(shared_service: ServiceProcess, job: dict[str, Any]) -> dict[str, Any]:
    """What its report tells of episodes."""
    with shared_service.http as http:
        report = http.get(f"/v1/jobs/{job['id']}/report").raise_for_status().json()
    assert (report["rows"], report["heads"], report["test"]) == (0, [], None)
    return dict(report["episodes"])


def test_returns_come_first(page: Page, job: dict[str, Any]) -> None:
    page.goto("/jobs")
    expect(page.get_by_role("row").filter(has_text="pole").get_by_role("cell").nth(3)).to_contain_text("val/return")
    page.goto(f"/jobs/{job['id']}")
    expect(page.locator(".curve-panel").first).to_contain_text("episode/return")
    expect(page.locator(".curve-panel").first).to_contain_text("val/return")
    best = page.get_by_role("region", name="Best and last values")
    row = best.get_by_role("row").filter(has=page.get_by_role("rowheader", name="val/return", exact=True))
    expect(row.get_by_role("cell").nth(2)).to_contain_text("★")
    expect(best.get_by_role("row", name="train/loss")).not_to_contain_text("★")
    expect(page.locator(".job-header")).not_to_contain_text("epoch")


def test_an_evaluation_shows_its_episodes(page: Page, job: dict[str, Any], episodes: dict[str, Any]) -> None:
    page.goto(f"/jobs/{job['id']}/evaluation")
    expect(page.get_by_role("heading", name="Returns")).to_contain_text("of 5 episodes")
    expect(page.locator(".evaluation-figures")).to_contain_text(f"{episodes['terminated']} of 5")
    tracks = page.locator(".episode-track figcaption")
    names = ["reward", "action", "cart position", "cart velocity", "pole angle", "pole angular velocity"]
    for place, name in enumerate(names):
        expect(tracks.nth(place)).to_contain_text(name)
    slider = page.get_by_role("slider")
    slider.focus()
    slider.press("ArrowRight")
    recorded = episodes["recorded"]
    chosen = recorded["actions"][1]
    expect(tracks.nth(1)).to_contain_text(f"{chosen}: {recorded['action_names'][chosen]}")
    expect(tracks.nth(2)).to_contain_text(f"{recorded['observations'][1][0]:.4g}")
    check_themes(page)
    check_width(page)


def test_an_observation_is_answered_by_an_action(
    page: Page, problems: PageProblems, job: dict[str, Any], episodes: dict[str, Any]
) -> None:
    problems.expect("status of 422")
    page.goto(f"/jobs/{job['id']}/predict")
    page.get_by_label("Fill with").select_option(label="step 0 of the recorded episode")
    recorded = episodes["recorded"]
    expect(page.get_by_label("pole angle", exact=True)).to_have_value(str(recorded["observations"][0][2]))
    page.get_by_role("button", name="Predict").click()
    chosen = recorded["actions"][0]
    says = page.locator(".predict-output").filter(has=page.get_by_role("heading", name="action"))
    expect(says).to_contain_text(f"{recorded['action_names'][chosen]} ({chosen})")
    expect(page.locator(".predict-answer")).to_contain_text("policy_loss is left out")
    page.get_by_label("cart position").fill("far")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator(".predict-vector .error")).to_contain_text("not all numbers")
    check_themes(page)
    check_width(page)


def test_there_is_no_data_set_to_evaluate_on(service: ServiceProcess, job: dict[str, Any]) -> None:
    with service.http as http:
        answer = http.post(f"/v1/jobs/{job['id']}/evaluate", json={"dataset": "ds_" + "0" * 32})
    assert answer.status_code == 422
    (problem,) = answer.json()["errors"]
    assert (problem["pointer"], problem["code"]) == ("/dataset", "no_rows")
