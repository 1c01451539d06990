"""The base class of all parts of the language, and the types of their fields."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
MAX_INT64 = 2**63 - 1  # the largest integer of JSON that a database and a tensor hold

Size = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
Count = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
Int64 = Annotated[int, Field(strict=True, ge=-MAX_INT64, le=MAX_INT64)]
NonNegativeInt64 = Annotated[int, Field(strict=True, ge=0, le=MAX_INT64)]
Seed = NonNegativeInt64
MAX_STEPS = 10**12  # steps of a run
Steps = Annotated[int, Field(strict=True, ge=1, le=MAX_STEPS)]
Seconds = Annotated[float, Field(gt=0, le=10**9, allow_inf_nan=False)]  # thirty years
Finite = Annotated[float, Field(allow_inf_nan=False)]
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _keep_integer(value: Any, check: ValidatorFunctionWrapHandler) -> float:
    """Return an integer unchanged where an int64 holds it, as Python and torch do, and a float for all else."""
    number: float = check(value)
    return value if type(value) is int and abs(value) <= MAX_INT64 else number


Scalar = Annotated[Finite, WrapValidator(_keep_integer), PlainSerializer(lambda number: number)]
PositiveScalar = Annotated[Positive, WrapValidator(_keep_integer), PlainSerializer(lambda number: number)]


@dataclass(frozen=True, slots=True)
class OneOrMany:
    """Metadata of a list: an element by itself is a list of one, in validation and in the JSON Schema.

    An element is a text, or, of a list of `kinds`, an object with a `kind`.
    """

    kinds: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        many = handler(source)
        item: CoreSchema = many["items_schema"][0]
        accepted = core_schema.union_schema([item, many])
        return core_schema.no_info_before_validator_function(self._as_list, many, json_schema_input_schema=accepted)

    def _as_list(self, value: Any) -> Any:
        is_kind = self.kinds and isinstance(value, dict) and "kind" in value
        return [value] if is_kind or isinstance(value, str) else value


class SpecModel(BaseModel):
    """A part of a spec: closed (unknown fields are errors) and immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())

    # Fields that similar parts have and this one cannot have → why, and what to do instead.
    refused_fields: ClassVar[Mapping[str, tuple[str, str]]] = MappingProxyType({})


def validation_error(code: str, detail: str, hint: str = "") -> PydanticCustomError:
    """Return an error for a validator to raise. It becomes a `Problem` at the place of the validated part."""
    context: dict[str, Any] = {"code": code, "detail": detail, "hint": hint}
    return PydanticCustomError("problem", "{detail}", context)


def bounded_count(count: int) -> int:
    """Return a count as answers tell it, within 64 bits: loops in loops multiply, JSON parsers and databases do not."""
    return max(-MAX_INT64, min(MAX_INT64, count))


def bounded_counts(document: Any) -> Any:
    """Return a JSON document in which every integer is bounded as by `bounded_count`."""
    kind = type(document)
    if kind is int:
        return document if -MAX_INT64 <= document <= MAX_INT64 else bounded_count(document)
    if kind is dict:
        return {name: bounded_counts(part) for name, part in document.items()}
    if kind is list or kind is tuple:
        return [bounded_counts(part) for part in document]
    return document
