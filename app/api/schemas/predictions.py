"""Predictions of rows."""

from typing import Any, Literal

from pydantic import Field

from app.api.schemas.base import JsonNumber, ResponseModel
from app.api.schemas.problems import ProblemDetail

Label = str | int | bool


class Chance(ResponseModel):
    """A label and its probability."""

    label: Label
    probability: JsonNumber


class PredictedOutput(ResponseModel):
    """What one output of the network predicts."""

    about: Literal["classes", "tags", "decisions", "labels", "numbers", "sequences", "raw", "text", "action"] = Field(
        description="One of several classes; a tag for every token; yes or no; several labels; numbers; a list of "
        "labels of any length; no target; a text that the network generates; or what is done in an environment."
    )
    target: str | None = Field(description="The column of the data that it was compared with.")
    loss: str | None
    labels: list[Label] | None = Field(
        description="What the probabilities belong to, in order; of actions the names of the choices or components."
    )
    unit: str | None = Field(None, description="What stands beside each number of the target in the data, such as kg.")


class Predicted(ResponseModel):
    """The prediction of one output for one row; nested lists where there is one per position."""

    label: Any = Field(None, description="The most probable one, as in the data; the name of the chosen action.")
    tags: Any = Field(None, description="The most probable label of every token.")
    probability: Any = Field(None, description="Of the label, or of every tag.")
    top: list[Chance] | None = Field(None, description="The most probable labels, if requested.")
    labels: list[Chance] | None = Field(None, description="Labels with a probability of at least one half.")
    value: Any = Field(
        None, description="A number or lists of them, in the units of the data; an action as the environment takes it."
    )
    probabilities: Any = Field(None, description="Of all labels, in their order, if requested.")
    image: str | None = Field(None, description="A PNG file in base64 of an output that is an image, if requested.")
    text: str | None = Field(None, description="What the network adds to the text of the row.")
    tokens: list[str | int] | None = Field(None, description="The tokens of that text, with the one that ends it.")
    log_probabilities: list[JsonNumber] | None = Field(None, description="The network's own, of each token.")
    ended: Literal["stop", "max_length"] | None = Field(
        None, description="Why the text ends: by the token that ends texts, or because it is as long as allowed."
    )
    raw: Any = Field(None, description="The network's own output, if requested, or if no loss interprets it.")


class WindowOrigin(ResponseModel):
    """The series of a forecast, and the time of the last row that it follows from."""

    series: str | float | None = Field(description="As the data has it; null where there is one series.")
    after: str = Field(description="The time of the last row that the network has read.")


class Predictions(ResponseModel):
    """Predictions for rows, in their order."""

    job: str
    checkpoint: str
    step: int
    outputs: dict[str, PredictedOutput]
    left_out: dict[str, str] = Field(description="Outputs without a prediction per row, and why.")
    warnings: list[ProblemDetail] = Field(description="What reading the rows left out, guessed or converted.")
    files: list[str] | None = Field(description="The files in an archive, one for each row.")
    windows: list[WindowOrigin] | None = Field(
        None, description="Of a job with windows: what each prediction is the forecast of."
    )
    predictions: list[dict[str, Predicted]] = Field(description="For each row, or each series, by output.")
