"""Jobs and data to inspect."""

from typing import Any

from app.spec.data.columns import DataSchema
from workers.children.inspect import InspectionLimits

LIMITS = InspectionLimits(max_nodes=1000, max_parameters=10**8, memory_limit=1 << 30)


def make_job(model: Any, loss: Any = "CrossEntropyLoss", **parts: Any) -> dict[str, Any]:
    return {
        "model": {"layers": model} if isinstance(model, list) else model,
        "data": {"kind": "builtin", "name": "digits"},
        "objective": {"loss": loss if isinstance(loss, dict) else {"kind": loss}},
    } | parts


def make_schema(
    shape: tuple[int, ...], dtype: str, classes: int | None = None, *, x: tuple[int, ...] = (4,)
) -> DataSchema:
    columns = [
        {"name": "x", "shape": x, "dtype": "float32"},
        {"name": "y", "shape": shape, "dtype": dtype, "classes": classes},
    ]
    return DataSchema.model_validate({"columns": columns, "rows": {"train": 100}, "inputs": ["x"], "target": "y"})
