"""What a line of progress tells."""

from graftwerk.cli.progress import format_progress


def test_an_agent_shows_its_returns() -> None:
    latest = {"episode/length": 200, "episode/return": -912.34, "train/critic/loss": 3.5, "val/return": -150.25}
    progress = {"step": 500, "total_steps": 20_000, "steps_per_epoch": 20_000, "rate": 250.0, "latest": latest}
    shown = ["step 500/20000", "episode/return -912.3", "val/return -150.2", "250 steps/s", "ETA 0:01:18"]
    assert format_progress(progress) == shown


def test_what_has_no_returns_shows_everything() -> None:
    progress = {"step": 5, "total_steps": 20, "steps_per_epoch": 10, "latest": {"train/loss": 0.5, "val/loss": 0.25}}
    assert format_progress(progress) == ["epoch 1/2", "step 5/20", "train/loss 0.5", "val/loss 0.25"]
