"""How much an edit changes what a job's network computes, measured on rows of its own data."""

from typing import Any

from app.api.children.edits import CheckedEdit
from app.api.services import Services


def measure_difference(services: Services, owner: str, job_id: str, check: CheckedEdit) -> dict[str, Any] | None:
    return None
