"""Functions of this service whose source `model.py` carries, since torch has none like them."""

import ast
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

from workers.network.kinds import functional as own
from workers.network.kinds.control import CONTROL
from workers.network.runtime import control_flow, fold, fold_bodies, tree_levels

Function = Callable[..., Any]

SHAPE_FUNCTIONS: tuple[Function, ...] = (own.reshape, own.zeros, own.ones, own.full, own.rand, own.randn)
HELPER_FUNCTIONS: tuple[Function, ...] = (
    own.run_padded,
    own.run_recurrent,
    own.attend,
    own.encode,
    own.decode,
    own.length_mask,
    own.pool_sequence,
    own.add_sinusoids,
    *SHAPE_FUNCTIONS,
    own.windows,
    own.index_select,
    own.gather,
    own.scatter_add,
    own.einsum,
    own.outer,
    own.to,
    own.arange,
    own.attention,
    own.run_lstm_cell,
    own.run_segmentation,
    own.adapt_input_channels,
    own.VariationalDropout,
    own.Training,
)
HELPER_DEPENDENCIES: Mapping[Function, tuple[Function, ...]] = {own.run_recurrent: (own.run_padded,)}
CONTROL_FLOW_FUNCTIONS: tuple[Function, ...] = tuple(
    row.function for row in CONTROL.values() if row.function is not None
)
CONTROL_FLOW_HELPERS: tuple[Function, ...] = (
    control_flow.discard_metric,
    control_flow.as_tuple,
    control_flow.unwrap_single,
)  # what functions of control flow use
TYPE_ALIASES = "Bodies = Mapping[str, nn.Module]\nRecordMetric = Callable[[str, float, int], None]\n"
PACKING_IMPORT = "from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence"
HELPER_NAMES = frozenset(function.__name__ for function in (*HELPER_FUNCTIONS, *CONTROL_FLOW_FUNCTIONS))


def preamble(used: Sequence[Function], *, vision: bool = False) -> str:
    """Return the imports and the functions that a file needs which calls the functions `used`."""
    used = [*used, *(function for caller in used for function in HELPER_DEPENDENCIES.get(caller, ()))]
    calls = [function for function in HELPER_FUNCTIONS if function in used]
    flows = [function for function in CONTROL_FLOW_FUNCTIONS if function in used]
    whole = [tree_levels, fold, fold_bodies] if fold_bodies.fold_trees in flows else []
    imports = {"import torch", "from torch import Tensor, nn"}
    imports |= (
        {"from collections.abc import Sequence"} if any(function in calls for function in SHAPE_FUNCTIONS) else set()
    )
    imports |= {"from typing import Any"} if own.adapt_input_channels in calls else set()
    imports |= {"import torchvision"} if vision else set()
    imports |= {PACKING_IMPORT} if own.run_recurrent in calls else set()
    imports |= {"from collections.abc import Callable, Mapping", "from typing import Any"} if flows else set()
    imports |= {line for module in whole for line in _imports(module)}
    sources = [inspect.getsource(function) for function in calls]
    if flows:
        small = [function for function in flows if function is not fold_bodies.fold_trees]
        sources += [TYPE_ALIASES, *map(inspect.getsource, (*CONTROL_FLOW_HELPERS, *small))]
    sources += [_body(module) for module in whole]
    ours = sorted(line for line in imports if "torch" not in line)
    torch = sorted((line for line in imports if "torch" in line), key=lambda line: (line.startswith("from"), line))
    text = "\n".join([*ours, *([""] if ours else []), *torch])
    return text + "\n\n\n" + "".join(f"{source.rstrip()}\n\n\n" for source in sources)


def _imports(module: ModuleType) -> Iterator[str]:
    """Yield a module's imports, but those of its neighbours, which the file carries too."""
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and "workers" not in (node.module or "")):
            yield ast.unparse(node)


def _body(module: ModuleType) -> str:
    """Return a module's source without its docstring and imports."""
    source = inspect.getsource(module)
    parts = ast.parse(source).body
    first = next(node for node in parts[1:] if not isinstance(node, ast.Import | ast.ImportFrom))
    decorators = getattr(first, "decorator_list", [])
    start = min([first.lineno, *(decorator.lineno for decorator in decorators)])
    return "\n".join(source.splitlines()[start - 1 :])
