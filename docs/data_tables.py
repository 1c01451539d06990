"""The tables of what a job can name as its data: data sets and environments."""

from collections.abc import Mapping

from kind_tables import markdown_table

from app.spec.catalog import environment_shapes
from app.spec.data.columns import DataSchema
from app.spec.data.environments.catalog import ENVIRONMENTS
from app.spec.data.torchvision_datasets import HOMEPAGES, TORCHVISION_SCHEMAS, UNSUPPORTED_DATASETS


def datasets_table(schemas: Mapping[str, DataSchema]) -> str:
    """Return the table of the named data sets."""
    rows = []
    for name, schema in schemas.items():
        columns = ", ".join(f"`{column.name}` {list(column.shape)} {column.dtype}" for column in schema.columns)
        rows.append([f"`{name}`", columns, ", ".join(f"{count:,} {split}" for split, count in schema.rows.items())])
    return markdown_table(["name", "columns", "rows"], rows)


def torchvision_table() -> str:
    """Return the table of torchvision's data sets."""
    rows = []
    for name, schema in TORCHVISION_SCHEMAS.items():
        image, *targets = schema.columns
        size = " x ".join(map(str, image.shape)) if len(image.shape) == 3 else f"{image.shape[0]}, of unlike sizes"
        classes = ", ".join(f"{target.classes} (`{target.name}`)" for target in targets)
        counts = ", ".join(f"{count:,} {split}" for split, count in schema.rows.items())
        rows.append(
            [f"[`{name}`]({HOMEPAGES[name]})", "files" if image.type == "image" else "bytes", size, classes, counts]
        )
    return markdown_table(["name", "kept as", "channels, height, width", "classes", "rows"], rows)


def excluded_torchvision_table() -> str:
    """Return the table of torchvision's data sets that are not among them, by reason."""
    reasons: dict[str, list[str]] = {}
    for name, reason in UNSUPPORTED_DATASETS.items():
        reasons.setdefault(reason, []).append(f"`{name}`")
    return markdown_table(["reason", "data sets"], ([reason, ", ".join(names)] for reason, names in reasons.items()))


def environments_table() -> str:
    """Return the table of the environments that have a name."""
    rows = [
        [f"`{name}`", environment_shapes(each), str(each.time_limit or "none"), each.package, each.sentence]
        for name, each in ENVIRONMENTS.items()
    ]
    return markdown_table(["name", "observations → actions", "time limit", "package", "meaning"], rows)
