"""The command that shows what an evaluation saw."""

import json
from pathlib import Path
from typing import Any

from tests.graftwerk.cli.conftest import Run
from tests.graftwerk.scripted_transport import job_document, problem_response

SCORES = {"precision": 0.5, "recall": 1.0, "f1": 2 / 3}
ROWS = [{"label": label, **SCORES, "support": 3, "predicted": 6, "right": 3} for label in ("cat", "dog")]
AVERAGES = {"macro": SCORES, "weighted": SCORES, "micro": None}
CLASSES = {
    "head": None,
    "output": "scores",
    "target": "animal",
    "about": "classes",
    "count": 6,
    "right": 5,
    "classes": ROWS,
    "averages": AVERAGES,
    "confusion": [[3, 0], [1, 2]],
    "notes": ["a note"],
}
ERROR = {
    "mean": -0.25,
    "mean_absolute": 0.5,
    "root_mean_squared": None,
    "quantiles": [{"share": 0.0, "error": -2.0}, {"share": 0.95, "error": 1.5}],
}
NUMBERS = {
    "head": "price",
    "output": "price",
    "target": "price",
    "about": "numbers",
    "count": 6,
    "error": ERROR,
    "notes": [],
}
SPANS = {"types": [ROWS[0] | {"label": "PER"}], "averages": AVERAGES}


def document(*heads: dict[str, Any]) -> dict[str, Any]:
    return {"job_id": "job_1", "checkpoint_id": "ckpt_1", "version": 1, "step": 40, "rows": 6, "heads": list(heads)}


def lines(output: str) -> list[list[str]]:
    return [line.split() for line in output.splitlines() if line.strip()]


def test_classes_and_confusion_for_people(run: Run) -> None:
    result, script = run("report", "job_1", "--checkpoint", "ckpt_1", answers=(job_document(), document(CLASSES)))
    assert result.exit_code == 0, result.output
    assert lines(result.output) == [
        ["ckpt_1", "at", "step", "40,", "6", "validation", "examples"],
        ["animal:", "classes", "of", "scores,", "5", "of", "6", "right"],
        ["CLASS", "PRECISION", "RECALL", "F1", "SUPPORT"],
        ["cat", "0.5000", "1.0000", "0.6667", "3"],
        ["dog", "0.5000", "1.0000", "0.6667", "3"],
        ["(macro)", "0.5000", "1.0000", "0.6667"],
        ["(weighted)", "0.5000", "1.0000", "0.6667"],
        ["TRUE", "\\", "CHOSEN", "cat", "dog"],
        ["cat", "3", "0"],
        ["dog", "1", "2"],
        ["a", "note"],
    ]
    assert script.requests[1].url.path == "/v1/jobs/job_1/report"
    assert script.requests[1].url.params["checkpoint"] == "ckpt_1"


def test_errors_and_entities_for_people(run: Run) -> None:
    tags = CLASSES | {"about": "tags", "spans": SPANS, "confusion": None, "notes": []}
    labels = CLASSES | {"about": "labels", "labels": ROWS, "classes": None, "confusion": None, "notes": []}
    result, _ = run("report", "job_1", answers=(job_document(), document(NUMBERS, tags, labels)))
    assert result.exit_code == 0, result.output
    found = lines(result.output)
    titles = ["PRECISION", "RECALL", "F1", "SUPPORT"]
    for line in (
        ["price:", "numbers", "of", "price,", "6", "numbers"],
        ["mean", "-0.25"],
        ["root", "mean", "squared"],
        ["95%", "below", "1.5"],
        ["ENTITY", *titles],
        ["PER", "0.5000", "1.0000", "0.6667", "3"],
        ["LABEL", *titles],
    ):
        assert line in found


def test_the_answer_for_programs(run: Run) -> None:
    result, _ = run("report", "job_1", "--json", answers=(job_document(), document(CLASSES)))
    assert json.loads(result.output) == document(CLASSES)


def test_there_is_none(run: Run) -> None:
    result, _ = run("report", "job_1", answers=(job_document(), problem_response(404, "not_found")))
    assert result.exit_code == 2
    assert "not_found" in result.stderr


TEST = {"checkpoint_id": "ckpt_2", "step": 30, "rows": 9, "values": {"loss": 0.25, "auroc": None}, "heads": [CLASSES]}


def test_the_test_stands_below_the_validation(run: Run) -> None:
    result, _ = run("report", "job_1", answers=(job_document(), document(CLASSES) | {"test": TEST}))
    assert result.exit_code == 0, result.output
    found = lines(result.output)
    assert found.index(["test:", "ckpt_2", "at", "step", "30,", "9", "examples"]) > found.index(["a", "note"])
    assert ["loss", "0.25"] in found
    assert ["auroc"] in found


EPISODES = {
    "count": 4,
    "return": {"mean": -150.25, "std": 20.5, "min": -300, "max": -2.5},
    "returns": [-300, -148.5, -150, -2.5],
    "lengths": [200, 200, 200, 100],
    "terminated": 1,
    "means": {"entropy": 0.75, "q": None},
    "recorded": {},
}


def test_returns_of_episodes(run: Run) -> None:
    answer = document() | {"rows": 0, "episodes": EPISODES}
    result, _ = run("report", "job_1", answers=(job_document(), answer))
    assert result.exit_code == 0, result.output
    assert lines(result.output) == [
        ["ckpt_1", "at", "step", "40,", "4", "episodes"],
        ["FIGURE", "VALUE"],
        ["return", "mean", "-150.25"],
        ["return", "std", "20.5"],
        ["return", "median", "-149.25"],
        ["return", "min", "-300"],
        ["return", "max", "-2.5"],
        ["length", "mean", "175"],
        ["ended", "by", "themselves", "1", "of", "4"],
        ["entropy", "mean", "0.75"],
        ["q", "mean"],
    ]


def test_a_data_set_is_evaluated(run: Run) -> None:
    warning = {"pointer": "/dataset", "code": "x", "detail": "these rows were trained on", "hint": "use others"}
    figures = TEST | {"dataset": "ds_1", "split": "train", "notes": ["the loss is left out"], "warnings": [warning]}
    result, script = run("evaluate", "job_1", "ds_1", "--split", "train", answers=(job_document(), figures))
    assert result.exit_code == 0, result.output
    assert json.loads(script.requests[1].content) == {"dataset": "ds_1", "split": "train"}
    assert lines(result.output)[0] == ["ckpt_2", "at", "step", "30,", "9", "rows", "of", "ds_1,", "split", "train"]
    assert ["the", "loss", "is", "left", "out"] in lines(result.output)
    assert "these rows were trained on" in result.output
    result, _ = run("evaluate", "job_1", "ds_1", "--json", answers=(job_document(), figures))
    assert json.loads(result.output) == figures


def test_folds_are_summed_up(run: Run) -> None:
    jobs = [
        job_document(f"job_{n}", "succeeded", metadata={"fold": str(n)}, result={"values": {"val/accuracy": n / 10}})
        for n in (1, 2, 3)
    ]
    page = {"items": jobs, "has_more": False}
    result, _ = run("folds", "abc", answers=(page, *jobs))
    assert result.exit_code == 0, result.output
    assert ["val/accuracy", "0.2", "0.1", "3"] in lines(result.output)
    result, _ = run("folds", "abc", "--json", answers=(page, *jobs))
    assert json.loads(result.output)["summary"]["val/accuracy"]["values"] == [0.1, 0.2, 0.3]


def test_folds_are_submitted_as_jobs_of_one_group(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "job.json"
    path.write_text(json.dumps({"model": {}, "data": {"kind": "builtin", "name": "iris"}}))
    jobs = [job_document(f"job_{n}", metadata={"fold": str(n)}) for n in (1, 2)]
    result, script = run("submit", str(path), "--folds", "2", answers=({"valid": True}, *jobs))
    assert result.exit_code == 0, result.output
    sent = [json.loads(request.content) for request in script.requests[1:]]
    assert [each["data"]["validation"] for each in sent] == [{"fold": fold, "of": 2} for fold in (1, 2)]
    assert lines(result.output)[0] == ["fold_group", sent[0]["metadata"]["fold_group"]]
    assert ["2", "job_2", "queued"] in lines(result.output)


def test_a_job_shows_which_rows_it_holds_out(run: Run) -> None:
    splits = {
        "train": {"rows": 1438, "how": "all other rows"},
        "validation": {"rows": None, "how": "the latest by date"},
    }
    checkpoints = {"items": [], "has_more": False}
    result, _ = run("show", "job_1", answers=(job_document(splits=splits, spec={}, created_at=""), checkpoints))
    assert result.exit_code == 0, result.output
    assert "train: 1,438 rows: all other rows" in result.output
    assert "validation: the latest by date" in result.output
