"""Reports of evaluations: of held-out rows while a job trains, of its test, and of data sets later."""

from pydantic import Field

from app.api.schemas.base import JsonNumber, JsonObject, ResponseModel
from app.api.schemas.problems import ProblemDetail

HEADS_DESCRIPTION = "One object per output; its `about` says of which form: see the page on reports."


class JobTest(ResponseModel):
    """The report of a job's test: rows that chose nothing, evaluated once, at the end."""

    checkpoint_id: str = Field(description="Whose weights were tested: the best when the training ended.")
    step: int = Field(description="Of that checkpoint.")
    rows: int
    values: dict[str, JsonNumber | None] = Field(description="The loss and the metrics; null for what is no number.")
    heads: list[JsonObject] = Field(description=HEADS_DESCRIPTION)


class JobReport(ResponseModel):
    """The report of an evaluation."""

    job_id: str
    checkpoint_id: str
    version: int
    step: int
    rows: int = Field(description="Examples of the validation; 0 if there is none.")
    heads: list[JsonObject] = Field(description=HEADS_DESCRIPTION)
    test: JobTest | None = Field(None, description="Of the job, whichever checkpoint is asked for.")


class JobEvaluation(ResponseModel):
    """The figures of a job's network on a labelled data set."""

    job_id: str
    checkpoint_id: str
    step: int
    dataset: str
    split: str
    rows: int
    values: dict[str, JsonNumber | None] = Field(description="The loss and the metrics; null for what is no number.")
    heads: list[JsonObject] = Field(description=HEADS_DESCRIPTION)
    notes: list[str] = Field(description="What is left out, and why.")
    warnings: list[ProblemDetail] = Field(description="Why the figures may mislead.")
