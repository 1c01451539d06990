"""What networks tell of rows."""

from typing import Any, Literal

from pydantic import Field

from app.api.schemas.base import JsonNumber, ResponseModel

Label = str | int | bool


class Chance(ResponseModel):
    """A label, and how probable it is."""

    label: Label
    probability: JsonNumber


class PredictedOutput(ResponseModel):
    """What one output of the network is about."""

    about: Literal["classes", "tags", "decisions", "labels", "numbers", "raw"] = Field(
        description="One of several classes; a tag for every token; yes or no; several labels; numbers; or no target."
    )
    target: str | None = Field(description="The column of the data that it was compared with.")
    loss: str | None
    labels: list[Label] | None = Field(description="What the probabilities belong to, in order.")


class Predicted(ResponseModel):
    """What an output tells of a row. What is told of every place of a row stands in lists."""

    label: Any = Field(None, description="The most probable one, in the words of the data.")
    tags: Any = Field(None, description="The most probable label of every token.")
    probability: Any = Field(None, description="Of the label, or of every tag.")
    top: list[Chance] | None = Field(None, description="The most probable labels, if asked for.")
    labels: list[Chance] | None = Field(None, description="Those that are rather there than not.")
    value: Any = Field(None, description="A number or lists of them, in the units of the data.")
    probabilities: Any = Field(None, description="Of all labels, in their order, if asked for.")
    raw: Any = Field(None, description="The network's own output, if asked for, or if it has no meaning.")


class Predictions(ResponseModel):
    """What a network tells of rows, in their order."""

    job: str
    checkpoint: str
    step: int
    outputs: dict[str, PredictedOutput]
    left_out: dict[str, str] = Field(description="Outputs that cannot be told of rows alone, and why.")
    files: list[str] | None = Field(description="The files in an archive, one for each row.")
    predictions: list[dict[str, Predicted]] = Field(description="For each row, by output.")
