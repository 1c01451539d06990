import pytest

from app.spec.edits.settings import OTHER_WAYS, SETTINGS, refused_setting, setting_of
from app.spec.job import JobSpec
from app.spec.training.plan import Training


@pytest.mark.parametrize("pattern", SETTINGS)
def test_settings_are_parts_of_the_language(pattern: str) -> None:
    section, field, *_ = pattern.split(".")
    part = JobSpec.model_fields[section].annotation
    assert part is not None
    assert field in part.model_fields


@pytest.mark.parametrize("field", Training.model_fields)
def test_every_part_of_the_plan_is_settable_or_says_what_else_there_is(field: str) -> None:
    path = f"training.{field}"
    if setting_of(path) is None:
        problem = refused_setting(path, "/operations/0/path")
        assert problem.hint in OTHER_WAYS.values()


@pytest.mark.parametrize("field", JobSpec.model_fields)
def test_every_part_of_a_job_says_what_else_there_is(field: str) -> None:
    assert setting_of(field) is None
    assert refused_setting(field, "").hint


@pytest.mark.parametrize("path", ["target_networks.later.tau", "updates.critic.optimizer.lr", "clip_norm"])
def test_a_path_without_its_section_is_told_with_it(path: str) -> None:
    assert refused_setting(path, "").hint == f'did you mean "training.{path}"?'
