"""The documentation says what the program does."""

import ast
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from app.edits.states import TRANSITIONS as EDIT_TRANSITIONS
from app.edits.states import EditState, EditVerb
from app.jobs.states import TRANSITIONS, Status, Verb
from app.settings import Settings
from app.spec.job import JobSpec, named_dataset_schema, parse_job
from app.spec.job_checks import check_job
from app.spec.network.control import CONTROL
from app.spec.training.plan import Training
from tests.workers.data.schemas import stored_schema
from workers.children.inspect import InspectionLimits, inspect_job
from workers.children.query import inspect_network

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [*DOCS, *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.fixture(scope="session")
def generator() -> ModuleType:
    """The script docs/generate.py, which no package holds."""
    path = ROOT / "docs" / "generate.py"
    sys.path.insert(0, str(path.parent))  # as of a script, for its neighbours
    spec = importlib.util.spec_from_file_location("generate_docs", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_generated_parts_are_fresh(path: Path, generator: ModuleType) -> None:
    text = path.read_text()
    assert generator.regenerate(text) == text, "stale: run make docs"


LETTERS = [chr(ord("a") + place) for place in range(26)]
SPEECH = stored_schema(
    "letters",
    rows=60,
    wave={"type": "series", "shape": [4], "longest": 60},
    letters={"type": "words", "labels": LETTERS, "longest": 8},
)  # the upload that the page speaks of


def test_the_description_of_the_api_is_fresh(generator: ModuleType) -> None:
    assert (ROOT / "docs" / "openapi.json").read_text() == generator.openapi_json(), "stale: run make docs"


def test_every_generated_part_is_shown(generator: ModuleType) -> None:
    shown = [found[2] for path in DOCS for found in generator.GENERATED_SECTION.finditer(path.read_text())]
    assert sorted(shown) == sorted(generator.SECTIONS)


def test_a_stale_part_is_noticed(generator: ModuleType) -> None:
    text = (ROOT / "docs" / "states.md").read_text()
    assert generator.regenerate(text.replace("queued --> running: claim", "queued --> failed: claim")) == text


def test_states_are_drawn() -> None:
    page = (ROOT / "docs" / "states.md").read_text()
    drawn = set(re.findall(r"^ +(\w+) --> (\w+): (\w+)$", page, re.MULTILINE))
    tables = [*TRANSITIONS.items(), *EDIT_TRANSITIONS.items()]
    assert drawn == {(source, target, verb) for verb, (sources, target) in tables for source in sources}
    for name in (*Status, *Verb, *EditState, *EditVerb):
        sentence = re.search(rf"^\| `{name}` \|(?:.*\|)? (.+?) \|$", page, re.MULTILINE)
        assert sentence is not None
        assert sentence[1].endswith(".")


def test_every_setting_is_explained() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    for name, field in Settings.model_fields.items():
        assert f"| `GRAFTWERK_{name.upper()}` |" in page
        assert field.description
        assert field.description in page


@pytest.mark.parametrize(("part", "heading"), [(Training, "`training`"), (JobSpec, "")], ids=["training", "job"])
def test_every_field_of_the_plan_is_explained(part: type[Any], heading: str) -> None:
    page = (ROOT / "docs" / "spec.md").read_text().partition(f"## {heading}")[2]
    named = set(re.findall(r"`(\w+)`", page)) | {"version"}
    assert set(part.model_fields) <= named


def test_examples_in_the_spec_are_valid() -> None:
    page = (ROOT / "docs" / "spec.md").read_text()
    whole, *others = json_blocks(page)
    parts = [each for each in others if each.keys() <= JobSpec.model_fields.keys()]
    [environment] = [each for each in others if each.get("kind") == "environment"]
    [acting] = [each for each in parts if "experience" in each.get("data", {})]
    parts.append(acting | {"data": {name: acting["data"][name] for name in ("action", "report")} | environment})
    others = [each for each in others if each is not environment]
    networks = [each for each in others if "optimizer" not in each and each not in parts]
    plans = [each for each in others if "optimizer" in each]
    assert plans
    short, loop, agent = json_blocks((ROOT / "README.md").read_text())
    alone = {"model": {"inputs": loop["inputs"], "nodes": [loop]}, "inputs": {"state": {"shape": [64]}}}
    assert inspect_network(alone, 100)[1] == []
    assert {kind for kind in CONTROL if f'"kind": "{kind}"' in json.dumps(networks)} == CONTROL.keys()
    written = [whole | {"model": network} for network in networks] + [whole | {"training": plan} for plan in plans]
    assert parts
    for document in (whole, *written, *(whole | each for each in parts), short, agent):
        job = parse_job(document)
        uploaded = None if named_dataset_schema(job) is not None else SPEECH
        schema = uploaded or named_dataset_schema(job)
        assert schema is not None
        assert not check_job(job, schema, max_nodes=100)
        assert inspect_job(document, uploaded, InspectionLimits(200, 10**8, 1 << 34)).problems == ()


def json_blocks(page: str) -> list[Any]:
    """Return the JSON documents in a page."""
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    inside = [link for link in LINK.findall(path.read_text()) if "://" not in link]
    assert not [link for link in inside if not (path.parent / link).exists()]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_named_files_exist(path: Path) -> None:
    folders = "app|workers|graftwerk|migrations|tests|benchmarks|examples|docs"
    named = set(re.findall(rf"`((?:{folders})/[\w/.-]*)`", path.read_text()))
    assert not [name for name in named if not (ROOT / name).exists()]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_named_settings_exist(path: Path) -> None:
    known = {f"GRAFTWERK_{name.upper()}" for name in Settings.model_fields} | CLIENT
    assert named_settings(path.read_text()) <= known | COMPOSE


CLIENT = {"GRAFTWERK_URL", "GRAFTWERK_KEY"}
COMPOSE = {"GRAFTWERK_PUBLISH", "GRAFTWERK_SITE", "GRAFTWERK_UPSTREAM"}  # read by Compose itself, and by the proxy
COMPOSE_FILES = [f"docker-compose{kind}.yml" for kind in ("", ".gpu", ".proxy")]
DEPLOYMENT = ["Dockerfile", *COMPOSE_FILES, "Caddyfile", ".env.example"]


def named_settings(text: str) -> set[str]:
    """Return every name of a setting in a text."""
    return set(re.findall(r"\bGRAFTWERK_[A-Z0-9_]+\b", text))


@pytest.mark.parametrize("name", DEPLOYMENT)
def test_deployment_sets_what_exists(name: str) -> None:
    known = {f"GRAFTWERK_{field.upper()}" for field in Settings.model_fields} | COMPOSE
    assert named_settings((ROOT / name).read_text()) <= known


def test_compose_keeps_its_promises() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert set(services) == {"postgres", "redis", "migrate", "api", "worker"}
    assert [name for name, service in services.items() if "ports" in service] == ["api"]
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    assert "noeviction" in services["redis"]["command"]
    for name in ("postgres", "redis", "api"):
        assert "healthcheck" in services[name]
    grace = int(services["worker"]["stop_grace_period"].removesuffix("s"))
    assert grace > Settings.model_fields["drain_seconds"].default


def test_no_password_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    secrets = re.findall(r"\$\{(\w*PASSWORD\w*)(.*?)\}", text)
    assert {name for name, _ in secrets} == {"POSTGRES_PASSWORD", "REDIS_PASSWORD"}
    assert all(rest.startswith(":?") for _, rest in secrets)
    example = (ROOT / ".env.example").read_text()
    assert re.findall(r"^(\w+)=(.*)$", example, re.MULTILINE) == [("POSTGRES_PASSWORD", ""), ("REDIS_PASSWORD", "")]


DOTTED = re.compile(r"`((?:app|workers|graftwerk)(?:\.\w+)+)`")


def test_every_name_of_the_architecture_exists() -> None:
    names = set(DOTTED.findall((ROOT / "docs" / "architecture.md").read_text()))
    assert len(names) > 100
    assert not sorted(name for name in names if not _exists(name.split(".")))


def _exists(parts: list[str]) -> bool:
    """Return whether dotted parts are a folder, a module, or a definition in one, a method included."""
    path = ROOT
    while parts and (path / parts[0]).is_dir():
        path, *parts = path / parts[0], *parts[1:]
    if not parts:
        return True
    module = path / f"{parts[0]}.py"
    if not module.is_file():
        return False
    body = ast.parse(module.read_text()).body
    for name in parts[1:]:
        found = next((node for node in body if _defines(node, name)), None)
        if found is None:
            return False
        body = found.body if isinstance(found, ast.ClassDef) else []
    return True


def _defines(node: ast.stmt, name: str) -> bool:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return node.name == name
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return any(isinstance(each, ast.Name) and each.id == name for each in targets)
