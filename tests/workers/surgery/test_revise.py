from tests.workers.surgery.edits import CHAIN, edit, image_job, problems_of

CONV = {"kind": "Conv2d", "out_channels": 4, "kernel_size": 3, "padding": 1}


def test_what_the_user_did_not_touch_stays_as_written() -> None:
    revision = edit(image_job(CHAIN), {"op": "insert", "after": "relu1", "node": {"id": "extra", **CONV}})
    layers = revision.document["model"]["layers"]
    assert [layer.get("id") for layer in layers] == [None, None, "extra", "conv2d2", None, None]
    assert layers[2] == {"id": "extra", **CONV}


def test_layers_keep_the_names_of_their_weights() -> None:
    (change,) = edit(image_job(CHAIN), {"op": "insert", "after": "relu1", "node": CONV}).changes
    sources = {name: source.name for name, source in change.tensors.items()}
    assert sources == {
        "conv2d1.weight": "conv2d1.weight",
        "conv2d1.bias": "conv2d1.bias",
        "conv2d3.weight": None,
        "conv2d3.bias": None,
        "conv2d2.weight": "conv2d2.weight",
        "conv2d2.bias": "conv2d2.bias",
        "linear1.weight": "linear1.weight",
        "linear1.bias": "linear1.bias",
    }


def test_a_problem_leads_to_the_operation_that_it_comes_from() -> None:
    broken = {"op": "insert", "after": "relu1", "node": {**CONV, "padding": 0}}
    innocent = {"op": "insert", "after": "relu1", "node": "ReLU"}
    (problem,) = problems_of(image_job(CHAIN), innocent, broken, innocent)
    assert problem.pointer == "/operations/1"
    assert problem.code == "weights_do_not_fit"
    assert "linear1.weight" in problem.detail


def test_a_problem_of_a_new_node_leads_into_it() -> None:
    (problem,) = problems_of(image_job(CHAIN), {"op": "insert", "after": "relu1", "node": {**CONV, "in_channels": 7}})
    assert problem.pointer == "/operations/0/node/in_channels"
    assert problem.hint == "set in_channels to 4, or leave it out"


def test_a_problem_of_an_earlier_operation_is_its_own() -> None:
    graph = {"inputs": ["image"], "nodes": [{"id": "stem", "inputs": ["image"], **CONV}]}
    first = {"op": "set", "path": "model.stem.bias", "value": "same"}
    second = {"op": "insert", "after": "image", "node": "Tanh"}
    problems = problems_of(image_job(graph), first, second)
    assert [problem.pointer for problem in problems] == ["/operations/0/value"]
