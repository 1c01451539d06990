"""The page on texts shows what works."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from app.spec.features import FEATURES
from tests.docs.test_documents import json_blocks
from tests.workers.training.corpora import LIMITS, job, texts
from workers.data.tokens import KINDS
from workers.inspect import inspect

PAGE = (Path(__file__).parents[2] / "docs" / "text.md").read_text()


def test_examples_are_jobs_on_texts() -> None:
    shown = json_blocks(PAGE)
    features = {name: {**part, "column": "text"} for each in shown for name, part in each.get("features", {}).items()}
    (network,) = [each for each in shown if "nodes" in each]
    spec = job(network, features=features, target="label")
    assert inspect(spec, texts().schema, LIMITS).problems == ()


@pytest.mark.parametrize("kind", [*KINDS, "text", "tags", "series", "tree"])
def test_every_kind_is_explained(kind: str) -> None:
    assert kind in {*KINDS, *FEATURES}
    assert f"\n| `{kind}` |" in PAGE


def test_the_call_in_plain_python_exists() -> None:
    assert "Tokenizer.from_file" in PAGE
    assert callable(Tokenizer.from_file)
