"""What notebooks show: names are text, whatever they contain."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from graftwerk.notebook.html import Html, element, join, link
from graftwerk.notebook.views import dataset_html, job_html, network_html
from graftwerk.types import Dataset, Network
from tests.graftwerk.client_kinds import ClientKind
from tests.graftwerk.scripted_transport import job_document

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'><b>&"


class Tags(HTMLParser):
    """Collects the tags and attributes of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def poisoned(value: Any) -> Any:
    """Return a document with the same evil text in place of every text and key that users can choose."""
    if isinstance(value, dict):
        return {name: poisoned(item) for name, item in value.items()}
    if isinstance(value, list):
        return [poisoned(item) for item in value]
    return EVIL if isinstance(value, str) else value


COLUMN = {"name": "age", "type": "number", "shape": [2], "missing": 3, "labels": ["a", "b"], "ignored": None}
PROBLEM = {"pointer": "/4", "code": "x", "detail": "is odd", "hint": "fix it"}
DATASET = {
    "id": "ds_1",
    "name": "table",
    "status": "ready",
    "data_schema": {
        "columns": [COLUMN, COLUMN | {"name": "y"}, COLUMN | {"name": "id", "ignored": "unique"}],
        "rows": {"train": 1500},
        "inputs": ["age"],
        "target": "y",
        "warnings": [PROBLEM],
    },
    "preview": [{"age": 1.23456789, "y": None}, {"age": 2, "y": "x" * 100}],
    "problems": [PROBLEM],
}
JOB = job_document(
    status="failed",
    progress={"step": 5, "total_steps": 10, "latest": {"train/loss": "NaN"}},
    error={"code": "c", "message": "it broke", "pointer": "/model", "hint": ""},
    warnings=[PROBLEM],
)
NETWORK = {
    "inputs": {"x": {"shape": ["N", 4], "dtype": "float32"}},
    "nodes": [
        {"id": "fc", "kind": "Linear", "inputs": ["x"], "output": {"shape": ["N", 8]}, "parameters": 40},
        {"id": "lstm", "kind": "LSTM", "inputs": ["fc"], "outputs": {"": {"shape": ["N"]}, "h": {"shape": []}}},
    ],
    "totals": {"parameters": 1040, "trainable": 1000, "flops": 99},
}


@pytest.mark.parametrize(
    ("shown", "poison"),
    [
        (
            lambda document: job_html(document, "http://host/jobs/1"),
            JOB | {"progress": {"step": 5, "latest": {EVIL: 1}}},
        ),
        (network_html, NETWORK | {"inputs": {EVIL: {"shape": [EVIL]}}}),
        (dataset_html, DATASET | {"preview": [{EVIL: EVIL}]}),
    ],
)
def test_names_are_text(shown: Any, poison: dict[str, Any]) -> None:
    page = Tags(shown(poisoned(poison)))
    assert not page.tags & {"script", "img"}
    assert page.attributes <= {"style", "href", "target", "rel", "value", "max"}
    assert page.text.count(EVIL) > 3


def test_an_address_that_is_no_page_is_no_link() -> None:
    assert Tags(link("javascript:alert(1)", "job_1")).tags == set()
    assert Tags(link('http://host/"onclick="x', "job_1")).attributes == {"href", "target", "rel"}


def test_only_html_is_not_escaped() -> None:
    assert element("b", "<i>", Html("<i>ok</i>"), title='"<') == '<b title="&quot;&lt;">&lt;i&gt;<i>ok</i></b>'
    assert join(["&", Html("&amp;")]) == "&amp;&amp;"


def test_a_job_shows_how_far_it_is(api: ClientKind) -> None:
    job, _ = api.job(**{name: value for name, value in JOB.items() if name not in ("id",)})
    page = Tags(job._repr_html_())
    for words in (
        "digits",
        "failed",
        "step 5 of 10",
        "train/loss",
        "nan",
        "c: it broke (/model)",
        "/4 is odd · fix it",
    ):
        assert words in page.text
    assert 'href="http://graftwerk.test/jobs/job_1"' in job._repr_html_()
    assert 'value="5" max="10"' in job._repr_html_()


def test_a_network_is_a_mapping_and_a_table(api: ClientKind) -> None:
    job, _ = api.job(NETWORK)
    network = job.network()
    assert isinstance(network, Network)
    assert network == NETWORK
    rows = re.findall(r"<tr>(.*?)</tr>", network._repr_html_())
    assert [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows[1:]] == [
        ["fc", "Linear", "x", "N x 8", "40"],
        ["lstm", "LSTM", "fc", "N, scalar", ""],
    ]
    assert "1,040 parameters, 1,000 of them trainable" in network._repr_html_()


def test_a_data_set_shows_columns_problems_and_first_rows() -> None:
    page = Tags(Dataset.from_document(DATASET)._repr_html_())
    for words in ("1,500 train", "target", "ignored: unique", "input", "the first 2 rows", "1.23457", "x" * 80 + "…"):
        assert words in page.text
    assert page.text.count("is odd · fix it") == 2
    unread = {"id": "ds_1", "name": "n", "status": "awaiting_content", "data_schema": None, "problems": None}
    assert "awaiting_content" in Tags(Dataset.from_document(unread)._repr_html_()).text
