"""What a job starts from: a checkpoint or a file of weights, and which of its weights are taken."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from app.ids import CHECKPOINT_ID_PATTERN, DATASET_ID_PATTERN
from app.spec.base import SpecModel, validation_error
from app.spec.edits.operations import MAX_OPERATIONS, Operation

Match = Literal["names", "shapes"]
WeightPath = Annotated[str, Field(max_length=1000)]  # of a node, a part of it or a tensor, as in `state_dict`; "": all
MATCH_DESCRIPTION = (
    "names: the weights have exactly the names and shapes of the network. shapes: those whose name and shape fit are "
    "taken; the network's others begin anew, the others of the source are left out, and both are told."
)
RENAME_DESCRIPTION = (
    "Paths in the source by the beginning of their names, and the paths that they have in this network: "
    '{"backbone": "encoder"} takes backbone.conv1.weight for encoder.conv1.weight; "" is the whole of either.'
)
PREPARATION_DESCRIPTION = (
    "How this job prepares a feature that the other job has by the same name and kind: as fitted there (checkpoint), "
    "or fitted anew (fit). Default: fit, and a vocabulary that then differs from that of the weights is refused."
)


class StartFrom(SpecModel):
    """Initial weights: of a checkpoint, whose training `what: everything` resumes, or of an uploaded file."""

    checkpoint: Annotated[str, Field(pattern=CHECKPOINT_ID_PATTERN)] | None = None
    dataset: Annotated[str, Field(pattern=DATASET_ID_PATTERN)] | None = Field(None, description="Of weights.")
    what: Literal["weights", "everything"] = "weights"
    match: Match = Field("names", description=MATCH_DESCRIPTION)
    rename: Annotated[dict[WeightPath, WeightPath], Field(max_length=200)] = Field(
        default_factory=dict, description=RENAME_DESCRIPTION
    )
    preparation: Literal["fit", "checkpoint"] | None = Field(None, description=PREPARATION_DESCRIPTION)
    edits: Annotated[
        tuple[Operation, ...],
        Field(max_length=MAX_OPERATIONS, description="Operations of an edit, applied before the first step."),
    ] = ()

    @property
    def pointer(self) -> str:
        """The pointer of what the weights come from."""
        return "/start_from/checkpoint" if self.dataset is None else "/start_from/dataset"

    @model_validator(mode="after")
    def _is_consistent(self) -> "StartFrom":
        if (self.checkpoint is None) == (self.dataset is None):
            raise validation_error(
                "contradiction", "a job starts from a checkpoint or from a data set of weights", "name one"
            )
        if self.dataset is not None and self.what == "everything":
            raise validation_error("contradiction", "a file holds weights, and not everything", 'use "what": "weights"')
        if self.dataset is not None and self.preparation == "checkpoint":
            detail = "a file of weights has no preparation of rows"
            raise validation_error("contradiction", detail, "remove preparation, or start from a checkpoint")
        if self.what == "everything" and (self.match != "names" or self.rename or self.preparation is not None):
            detail = "everything that was trained needs the same network and data: nothing is left out or renamed"
            raise validation_error("contradiction", detail, 'use "what": "weights"')
        return self


def rename_weights(names: Iterable[str], rename: Mapping[str, str]) -> dict[str, tuple[str, str | None]]:
    """Return the new name of each weight, and the path of `rename` that made it; of several paths the longest counts.

    A path is that of a whole part of the name: "conv1" is no path of "conv10.weight". Dots at its end are ignored.
    """
    paths = sorted(((path.rstrip("."), path) for path in rename), key=lambda pair: len(pair[0]), reverse=True)
    renamed: dict[str, tuple[str, str | None]] = {}
    for name in names:
        renamed[name] = (name, None)
        for old, path in paths:
            if not old or name == old or name.startswith(f"{old}."):
                parts = (rename[path].rstrip("."), name.removeprefix(old).removeprefix("."))
                renamed[name] = (".".join(part for part in parts if part), path)
                break
    return renamed
