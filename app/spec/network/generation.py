"""How a node that scores the next token runs freely: each token is chosen from the scores of the one before."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from app.spec.base import Count, Name, NonNegative, Positive, Size, SpecModel
from app.spec.data.columns import BEGIN, END, PADDING, UNKNOWN
from app.spec.kinds import Kind, KindModel, KindTable, create_kind_models, discriminated_union

MAX_GENERATED = 10_000  # tokens of a row
MAX_BEAMS = 64

METHODS: KindTable = {
    "greedy": Kind("Takes the token with the largest score, of equal ones the first."),
    "sample": Kind(
        "Draws from the softmax of scores / `temperature`: among all tokens, the `top_k` most probable (Fan et al. "
        "2018), or the fewest whose probabilities reach `top_p` (Holtzman et al. 2020).",
        {
            "temperature": (Positive, 1.0),
            "top_k": (Size | None, None),
            "top_p": (Annotated[Positive, Field(le=1)] | None, None),
        },
    ),
    "beam": Kind(
        "Keeps the `beams` most probable beginnings, and takes the text with the largest sum of log probabilities / "
        "(number of tokens) ^ `length_penalty`.",
        {"beams": (Annotated[Size, Field(le=MAX_BEAMS)], 4), "length_penalty": (NonNegative, 1.0)},
    ),
}


class BaseMethod(KindModel):
    """What every method has."""


METHOD_CLASSES = create_kind_models(METHODS, BaseMethod)
GREEDY = METHOD_CLASSES["greedy"].model_validate({"kind": "greedy"})

if TYPE_CHECKING:
    Method = BaseMethod
else:
    Method = discriminated_union(METHOD_CLASSES)

MaxLength = Annotated[Size, Field(le=MAX_GENERATED)]


class Generation(SpecModel):
    """The field `generate` of a `Scan` or a `block`: its settings where a prediction names no others."""

    scores: Name | None = Field(
        None, description="The body's output with the scores of the next token; default: the first that is no carry."
    )
    method: Method = Field(GREEDY, description="How a token is chosen.")
    max_length: MaxLength = Field(100, description="The maximum number of tokens that are added to a row.")
    stop: Count | None = Field(END, description="The token that ends a row; null: none does.")
    exclude: Annotated[tuple[Count, ...], Field(max_length=1000)] = Field(
        (PADDING, UNKNOWN, BEGIN), description="Tokens that are never chosen."
    )


def generation_arguments(settings: Generation) -> dict[str, Any]:
    """Return the settings as arguments of `generate` in `model.py`."""
    method = settings.method
    arguments = {"max_length": settings.max_length, "stop": settings.stop, "exclude": settings.exclude}
    return {**arguments, "method": method.kind, **method.settings()}


class GenerationOptions(SpecModel):
    """What a prediction says of the generation, over the settings of the node."""

    method: Method | None = Field(None, description="greedy, sample or beam, with its settings; default: the job's.")
    max_length: MaxLength | None = Field(None, description="The maximum number of new tokens; default: the job's.")

    def merged(self, own: Generation) -> Generation:
        """Return the settings of a node with these over them."""
        given = {name: value for name, value in self if value is not None}
        return own.model_copy(update=given)
