"""One vocabulary of events: what the code logs is what `app.logs.LOG_EVENTS` explains."""

import ast

from app.api.children import inspector, predictor
from app.logs import LOG_EVENTS
from tests.architecture.sources import dotted, python, tree

LEVELS = ("debug", "info", "warning", "error", "exception", "critical")
FAULTS = {
    fault.code for fault in (inspector.INSPECTION_FAILED, inspector.EXPORT_FAILED, predictor.PREDICTION_FAILED)
}  # logged by their code


def logged() -> set[str]:
    """Return every event that the code names in a call such as ``_log.info("event")``."""
    found = set()
    for path in python("app", "workers"):
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.Call) or dotted(node.func).rpartition(".")[2] not in LEVELS:
                continue
            if not dotted(node.func).startswith("_log.") or not isinstance(node.args[0], ast.Constant):
                continue
            found.add(str(node.args[0].value))
    return found


def test_every_event_is_explained() -> None:
    assert logged() | FAULTS | {"line"} == set(LOG_EVENTS), (
        "app.logs.LOG_EVENTS lists what is logged, with a sentence each"
    )


def test_explanations_are_sentences() -> None:
    assert all(sentence.endswith(".") for sentence in LOG_EVENTS.values())
