"""One output of a network as a graph of its own, such as what acts in an environment."""

from functools import partial
from pathlib import Path

import onnxruntime
import pytest
import torch

from app.errors import NotExportable
from tests.workers.exports.test_catalog import FILE_NAMES, TOLERANCE
from tests.workers.network.networks import Columns, build_model, make_examples, parse_model, schema
from workers.exports.catalog import export_graph
from workers.network.analysis.dependencies import prune_to_outputs


@pytest.mark.parametrize("form", FILE_NAMES)
def test_one_output_is_exported_with_what_it_reads(form: str, tmp_path: Path) -> None:
    inner = [{"kind": "Linear", "out_features": 2}]
    nodes = [
        {"id": "actor", "kind": "block", "name": "Actor", "inputs": ["x"], "share": "actor"},
        {"id": "later", "kind": "block", "name": "Actor", "inputs": ["next"], "share": "actor"},
        {"id": "noise", "kind": "randn_like", "inputs": ["later"]},
        {"id": "action", "kind": "tanh", "inputs": ["actor"]},
    ]
    outputs = {"explored": "noise", "action": "action"}
    blocks = {"Actor": {"layers": inner}}
    model = {"inputs": ["x", "next"], "nodes": nodes, "outputs": outputs, "blocks": blocks}
    columns: Columns = {"x": (3,), "next": (3,)}
    network, path = build_model(model, columns, seed=3).eval(), tmp_path / FILE_NAMES[form]
    arguments = (parse_model(model), schema(columns), tuple(columns), network.state_dict(), form, path)
    assert export_graph(*arguments, part=partial(prune_to_outputs, outputs=("action",))) <= TOLERANCE
    values = make_examples(columns, 4)
    wanted = network(values)["action"]
    if form == "onnx":
        session = onnxruntime.InferenceSession(path)
        assert [item.name for item in session.get_inputs()] == ["x"]
        assert [item.name for item in session.get_outputs()] == ["action"]
        found = torch.as_tensor(session.run(None, {"x": values["x"].numpy()})[0])
    else:
        found = torch.export.load(path).module()(values["x"])
    torch.testing.assert_close(found, wanted, rtol=0, atol=TOLERANCE)
    with pytest.raises(NotExportable):
        export_graph(*arguments)
