"""Transfer: weights of another job whose names and shapes fit, renamed, and with the other job's vocabulary."""

from typing import Any

import pytest
import torch

from app.errors import BuildError, DataError
from app.spec.data.columns import Column, DataSchema
from tests.workers.training.harness import TrainingAttempt, TrainingHarness, digits_job, resume_candidates
from workers.protocol.assignment import CheckpointRef, DatasetRef

START = {"checkpoint": "ckpt_" + "0" * 32}
PLAN = {"steps": 6, "checkpoint": {"every_seconds": None, "keep_best": 0}}
CNN: list[dict[str, Any]] = [
    {"kind": "Conv2d", "id": "conv", "out_channels": 4, "kernel_size": 3},
    {"kind": "BatchNorm2d", "id": "norm"},
    {"kind": "Flatten"},
    {"kind": "Linear", "id": "head", "out_features": 10},
]


def transferred(layers: Any, **start: Any) -> dict[str, Any]:
    return digits_job(layers, training=PLAN, start_from=START | {"match": "shapes"} | start)


@pytest.fixture
def begun(laboratory: TrainingHarness) -> TrainingAttempt:
    return laboratory.run(digits_job(CNN, training=PLAN))


def saved(attempt: TrainingAttempt) -> CheckpointRef:
    return resume_candidates(*attempt.context.saved)[0]


def test_a_backbone_gets_a_new_head(laboratory: TrainingHarness, begun: TrainingAttempt) -> None:
    layers = [
        *CNN[:3],
        {"kind": "Linear", "id": "head", "out_features": 16},
        {"kind": "Linear", "id": "last", "out_features": 10},
    ]
    attempt = laboratory.run(transferred(layers), start_from=saved(begun), stops={0: "pause"})
    new, old = attempt.prepared.network.state_dict(), begun.prepared.network.state_dict()
    torch.manual_seed(0)
    plain = [torch.nn.Conv2d(1, 4, 3), torch.nn.Linear(144, 16), torch.nn.Linear(16, 10)]
    for name in ("conv.weight", "conv.bias", "norm.weight", "norm.running_var", "norm.num_batches_tracked"):
        assert torch.equal(new[name], old[name])
    assert torch.equal(new["head.weight"], plain[1].weight)  # what no weight fits is as a new job draws it
    assert torch.equal(new["last.bias"], plain[2].bias)
    [told] = attempt.events("initial_weights")
    assert (told["taken"], told["begun_anew"], told["left_out"], told["partial"]) == (7, 4, 2, ())
    assert told["names"]["left_out"] == ("head.bias", "head.weight")
    assert told["from"] == START["checkpoint"]


def test_an_interrupted_transfer_ends_with_the_same_bits(laboratory: TrainingHarness, begun: TrainingAttempt) -> None:
    spec = transferred([*CNN[:3], {"kind": "Linear", "id": "other", "out_features": 10}])
    whole = laboratory.run(spec, start_from=saved(begun))
    first = laboratory.run(spec, start_from=saved(begun), stops={3: "pause"})
    second = laboratory.run(spec, start_from=saved(begun), resume_from=resume_candidates(*first.context.saved))
    assert second.weights() == whole.weights()
    assert second.events("initial_weights") == []


def test_names_are_mapped_by_path(laboratory: TrainingHarness, begun: TrainingAttempt) -> None:
    body = {"layers": [{**CNN[0], "id": "first"}, CNN[1]]}
    nodes = [{"id": "encoder", "kind": "block", "name": "Encoder", "inputs": ["image"]}]
    nodes += [{"id": "flat", "kind": "Flatten", "inputs": ["encoder"]}, {**CNN[3], "inputs": ["flat"]}]
    spec = transferred(None, rename={"conv.": "encoder.first.", "norm": "encoder.norm"}) | {
        "model": {"blocks": {"Encoder": body}, "nodes": nodes}
    }
    spec["start_from"]["match"] = "names"  # nothing is left over
    prepared = laboratory.prepare(spec, start_from=saved(begun))
    new, old = prepared.network.state_dict(), begun.prepared.network.state_dict()
    assert torch.equal(new["encoder.first.weight"], old["conv.weight"])
    assert torch.equal(new["encoder.norm.running_mean"], old["norm.running_mean"])
    assert torch.equal(new["head.weight"], old["head.weight"])


@pytest.mark.parametrize(
    ("layers", "start", "match"),
    [
        ([{"kind": "Flatten"}, {"kind": "Linear", "out_features": 10}], {}, "no parameter"),
        ([{"kind": "BatchNorm2d", "id": "norm"}, {"kind": "Flatten"}, {"kind": "Linear", "out_features": 10}], {},
         "no parameter"),  # the count of batches alone fits
        (CNN, {"rename": {"convolution": "conv"}}, "no weight below"),
        (CNN, {"rename": {"conv": "head"}}, "would both be"),
        (CNN, {"match": "names", "rename": {"head": "tail"}}, "has no"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    laboratory: TrainingHarness, begun: TrainingAttempt, layers: Any, start: Any, match: str
) -> None:
    with pytest.raises(BuildError, match=match) as caught:
        laboratory.prepare(transferred(layers, **start), start_from=saved(begun))
    assert caught.value.hint


def test_a_part_of_which_only_some_is_taken_is_named(laboratory: TrainingHarness, begun: TrainingAttempt) -> None:
    layers = [{**CNN[0], "kernel_size": 5}, *CNN[1:]]
    attempt = laboratory.run(transferred(layers), start_from=saved(begun), stops={0: "pause"})
    [told] = attempt.events("initial_weights")
    assert told["partial"] == ("conv", "head")  # their biases fit, and their weights do not
    assert told["names"]["begun_anew"] == ("conv.weight", "head.weight")


def test_a_shared_part_is_taken_once(laboratory: TrainingHarness) -> None:
    def spec(uses: int, **parts: Any) -> dict[str, Any]:
        part = {"layers": [{"kind": "Linear", "out_features": 64}, {"kind": "BatchNorm1d"}]}
        nodes: list[Any] = [{"id": "flat", "kind": "Flatten", "inputs": ["image"]}]
        for number in range(uses):
            used = {"kind": "block", "name": "Part", "share": "one", "inputs": [nodes[-1]["id"]]}
            nodes.append({"id": f"use{number}", **used})
        nodes.append({"id": "head", "kind": "Linear", "out_features": 10, "inputs": [nodes[-1]["id"]]})
        return digits_job(training=PLAN) | {"model": {"blocks": {"Part": part}, "nodes": nodes}} | parts

    first = laboratory.run(spec(1))
    start = {"start_from": START | {"match": "shapes"}}
    attempt = laboratory.run(spec(3, **start), start_from=saved(first), stops={0: "pause"})
    new, old = attempt.prepared.network.state_dict(), first.prepared.network.state_dict()
    for name in ("linear1.weight", "batchnorm1d1.running_var"):
        assert torch.equal(new[f"use2.{name}"], old[f"use0.{name}"])
    assert attempt.events("initial_weights")[0]["begun_anew"] == 0


TEXTS = {
    "cats": "text,label\n" + "the cat sat,a\na dog ran,b\n" * 12,
    "cars": "text,label\n" + "red cars go,a\nblue cars stop now,b\n" * 12,
}
SCHEMA = DataSchema(
    columns=(Column(name="text", type="text"), Column(name="label", type="category", labels=("a", "b"))),
    rows={"train": 24},
    inputs=("text",),
    target="label",
)


def text_job(**parts: Any) -> dict[str, Any]:
    layers = [{"kind": "EmbeddingBag", "embedding_dim": 4, "padding_idx": 0}, {"kind": "Linear", "out_features": 2}]
    text = {"kind": "text", "column": "text", "tokenizer": {"vocabulary": 8}, "max_length": 3}
    features = {"features": {"text": text}, "inputs": ["text"]}
    return digits_job(layers, training=PLAN, data={"kind": "dataset", "id": "ds_" + "0" * 32, **features}) | parts


def text_run(laboratory: TrainingHarness, name: str, spec: dict[str, Any], **options: Any) -> TrainingAttempt:
    path = laboratory.folder / f"{name}.csv"
    path.write_text(TEXTS[name])
    key = f"uploads/{name}-{laboratory.fence}"
    stored = laboratory.store.put_file(key, path)
    dataset = DatasetRef({"kind": "upload", "format": "csv", "target": "label"}, stored.key)
    return laboratory.run(spec, schema=SCHEMA, dataset=dataset, **options)


def test_weights_never_see_other_words_unless_the_job_says_so(laboratory: TrainingHarness) -> None:
    cats = text_run(laboratory, "cats", text_job())
    start = START | {"match": "shapes"}
    with pytest.raises(DataError, match="vocabulary") as caught:
        text_run(laboratory, "cars", text_job(start_from=start), start_from=saved(cats))
    assert '"checkpoint"' in caught.value.hint

    kept = text_run(
        laboratory, "cars", text_job(start_from=start | {"preparation": "checkpoint"}), start_from=saved(cats)
    )
    anew = text_run(laboratory, "cars", text_job(start_from=start | {"preparation": "fit"}), start_from=saved(cats))
    words = [
        each.prepared.resources.data.preparation.text_preprocessors()["text"].tokenizer.get_vocab()
        for each in (cats, kept, anew)
    ]
    assert words[0] == words[1] != words[2]
    assert "cat" in words[1]
    assert [event["code"] for event in anew.events("warning")] == ["other_preparation"]
    assert kept.events("warning") == []
    assert kept.events("vocabulary")[0]["train"]["unknown"] > 0.9  # of the other corpus: nothing is known of cars
    assert kept.events("vocabulary")[0]["train"]["cut"] == 0.5

    same = text_run(laboratory, "cats", text_job(start_from=start), start_from=saved(cats))
    assert same.events("warning") == []


def test_a_kept_preparation_survives_an_interruption(laboratory: TrainingHarness) -> None:
    cats = text_run(laboratory, "cats", text_job())
    spec = text_job(start_from=START | {"preparation": "checkpoint"})
    whole = text_run(laboratory, "cars", spec, start_from=saved(cats))
    first = text_run(laboratory, "cars", spec, start_from=saved(cats), stops={3: "pause"})
    resumed = resume_candidates(*first.context.saved)
    assert text_run(laboratory, "cars", spec, start_from=saved(cats), resume_from=resumed).weights() == whole.weights()
