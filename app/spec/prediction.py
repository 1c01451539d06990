"""A request to a trained network: rows, and the form of the outputs."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from app.ids import CHECKPOINT_ID_PATTERN, DATASET_ID_PATTERN
from app.spec.base import Name, OneOrMany, Seed, Size, SpecModel, validation_error
from app.spec.network.generation import GenerationOptions

OutputForm = Literal["labels", "probabilities", "raw", "image"]
MAX_BATCH_SIZE = 4096

# Media type of a body → the form that its rows have.
ROW_FORMATS: Mapping[str, str] = {
    **dict.fromkeys(
        ("", "application/json", "text/json", "application/yaml", "application/x-yaml", "text/yaml"), "document"
    ),
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    **dict.fromkeys(
        ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"), "jsonl"
    ),
    "application/vnd.apache.parquet": "parquet",
    "application/x-npz": "npz",
    "application/x-safetensors": "safetensors",
    "application/x-idx": "idx",
    **dict.fromkeys(("application/octet-stream", "application/gzip", "application/x-gzip"), "file"),
    "application/zip": "zip",
    **dict.fromkeys(("image/png", "image/jpeg", "image/bmp", "image/gif", "image/webp"), "image"),
    "text/plain": "text",
}


class PredictionOptions(SpecModel):
    """The checkpoint that predicts, and the form of the outputs."""

    checkpoint: Annotated[str, Field(pattern=CHECKPOINT_ID_PATTERN)] | None = Field(
        None, description="One of the job's; default: the best, or else the newest."
    )
    outputs: Annotated[tuple[OutputForm, ...], Field(min_length=1, max_length=4), OneOrMany()] = Field(
        ("labels",),
        description="One or several: labels as the data has them, or numbers; the probabilities of all labels; the "
        "network's raw outputs; or outputs (1 or 3, height, width) as PNG files in base64.",
    )
    select: Annotated[tuple[Name, ...], Field(min_length=1, max_length=64), OneOrMany()] | None = Field(
        None,
        description="Outputs of the network, by name; rows need only the columns that these read. Default: all that "
        "can be predicted.",
    )
    seed: Seed = Field(0, description="Of networks that draw random numbers: the same seed gives the same outputs.")
    top: Annotated[Size, Field(le=100)] | None = Field(
        None, description="Also the k most probable labels, for outputs that choose one of several."
    )
    batch_size: Annotated[Size, Field(le=MAX_BATCH_SIZE)] = Field(
        256, description="Rows per forward pass, if memory allows; the outputs do not depend on it."
    )
    generate: GenerationOptions | Literal[False] | None = Field(
        None,
        description="How a network that generates texts goes on with those of the rows, over the settings of the job; "
        "false: it does not, and scores each place of the texts.",
    )


class EvaluationRequest(SpecModel):
    """A labelled data set to evaluate a job's network on."""

    dataset: Annotated[str, Field(pattern=DATASET_ID_PATTERN)] = Field(description="With the columns that the job has.")
    split: Literal["train", "validation", "test"] | None = Field(
        None, description="Of the data set; default: test, or else validation, or else train."
    )
    checkpoint: Annotated[str, Field(pattern=CHECKPOINT_ID_PATTERN)] | None = Field(
        None, description="One of the job's; default: the best, or else the newest."
    )


class Prediction(PredictionOptions):
    """Rows of the data set, each with a value for every column that the network reads."""

    rows: Annotated[list[dict[str, Any]], Field(min_length=1)] | None = Field(
        None,
        description="By the data set's own columns, unprepared; null where a value is missing. No target is needed.",
        examples=[[{"sepal_length": 5.1, "species": None}], [{"x": [5.1, 3.5, 1.4, 0.2]}], [{"text": "a good one"}]],
    )
    count: Size | None = Field(
        None,
        description="Instead of rows: how many samples of each output that reads no column, such as decoded noise.",
    )

    @model_validator(mode="after")
    def _rows_or_count(self) -> "Prediction":
        if (self.rows is None) == (self.count is None):
            code = "missing" if self.rows is None else "contradiction"
            raise validation_error(
                code,
                "a prediction is of rows, or of a count of samples",
                'such as {"rows": [{"x": 1.5}]} or {"count": 16}',
            )
        return self
