"""Whether the bodies of an algorithm give what it makes of them: the shapes, and the layer to change."""

from collections.abc import Iterator, Sequence

from app.errors import Problem
from app.spec.training.algorithms.graph import ExpectedOutput
from workers.network.inference.input_checks import SYMBOLIC_BATCH_SIZE, describe_shape, describe_tensor
from workers.network.inference.partial_network import PartialNetwork


def body_output_problems(expected: Sequence[ExpectedOutput], draft: PartialNetwork) -> Iterator[Problem]:
    """Yield the bodies whose outputs have other shapes, or other types, than expected; each once.

    Pointers lead into the short form. Nodes that could not be inferred are left out.
    """
    reported: set[str] = set()
    for each in expected:
        value = draft.values.get(each.node)
        if value is None or each.layer in reported:
            continue
        if tuple(value.shape[1:]) == each.shape and value.is_floating_point():
            continue
        reported.add(each.layer)
        body, required = each.body.removeprefix("/model/"), describe_shape((SYMBOLIC_BATCH_SIZE, *each.shape))
        detail = f"the {body} gives {describe_tensor(value)}, and is to give {each.meaning}: {required}"
        width = each.shape[-1]
        if each.is_linear and value.ndim == 1 + len(each.shape):
            yield Problem(f"{each.layer}/out_features", "shape_mismatch", detail, f'set "out_features" to {width}')
        else:
            hint = f'let it end with {{"kind": "Linear", "out_features": {width}}}, which reads (N, F)'
            yield Problem(each.layer, "shape_mismatch", detail, hint)
