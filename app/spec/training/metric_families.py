"""Metrics with a setting: an object in a job, and a name in series, such as `f2` or `top3_accuracy`."""

from re import fullmatch
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, ValidationError

from app.spec.base import Positive, Size, SpecModel, validation_error

Average = Literal["macro", "micro", "weighted", "positive"]
NUMBER = r"(\d+(?:\.\d+)?)"


class FBeta(SpecModel):
    """The F-beta score: recall counts beta times as much as precision (van Rijsbergen 1979)."""

    kind: Literal["fbeta"] = "fbeta"
    beta: Annotated[Positive, Field(le=100)]
    average: Average = "macro"

    @property
    def name(self) -> str:
        """Its name in series."""
        return f"f{self.beta:g}" + ("" if self.average == "macro" else f"_{self.average}")


class TopAccuracy(SpecModel):
    """The share of examples whose class is among the k most probable."""

    kind: Literal["top_accuracy"] = "top_accuracy"
    k: Annotated[Size, Field(le=1000)]

    @property
    def name(self) -> str:
        """Its name in series."""
        return f"top{self.k}_accuracy"


class MetricFamily(NamedTuple):
    """A row of the table: the settings, the pattern of names, and which settings the groups of the pattern are."""

    settings: type[FBeta] | type[TopAccuracy]
    pattern: str
    fields: tuple[str, ...]


FAMILIES = {
    "fbeta": MetricFamily(FBeta, rf"f{NUMBER}(?:_(micro|weighted|positive))?", ("beta", "average")),
    "top_accuracy": MetricFamily(TopAccuracy, r"top(\d+)_accuracy", ("k",)),
}


def family_example(kind: str) -> str:
    """Return how a family that is named without its setting is written; empty if there is none of this name."""
    family = FAMILIES.get(kind)
    return f'write it with its setting: {{"kind": "{kind}", "{family.fields[0]}": 2}}' if family else ""


def parse_metric(name: str) -> FBeta | TopAccuracy | None:
    """Return the settings that a name says; `None` if it is the name of no family."""
    for family in FAMILIES.values():
        if found := fullmatch(family.pattern, name):
            numbers = {"beta": float, "k": int, "average": str}
            given = {
                field: numbers[field](value)
                for field, value in zip(family.fields, found.groups(), strict=True)
                if value is not None
            }
            try:
                settings = family.settings.model_validate(given)
            except ValidationError:
                return None
            return settings if settings.name == name else None
    return None


def metric_name(value: Any) -> Any:
    """Return the name of a metric that is written as an object; anything else as it is."""
    if not isinstance(value, dict):
        return value
    family = FAMILIES.get(str(value.get("kind")))
    if family is None:
        if value.keys() == {"kind"}:
            return value["kind"]
        known = ", ".join(f'"{kind}"' for kind in FAMILIES)
        raise validation_error("unknown_kind", "no such metric has settings", f"one of: {known}; others are names")
    try:
        return family.settings.model_validate(value).name
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "it"
        fields = ", ".join(family.settings.model_fields)
        raise validation_error("invalid_value", f"{place}: {first['msg']}", f"its fields: {fields}") from None
