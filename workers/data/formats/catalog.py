"""Every format of an upload, and which one a file has: the one that the user gives, or the one that it looks like."""

from collections.abc import Mapping

from workers.data.files.content import Content, FormatReader, Upload
from workers.data.files.problems import refuse
from workers.data.formats.arrays import read_npz, read_safetensors
from workers.data.formats.delimited import read_csv, read_tsv
from workers.data.formats.detection import detect_binary, detect_format, detect_text
from workers.data.formats.idx import read_idx_upload
from workers.data.formats.images.reader import read_images
from workers.data.formats.jsonl import read_jsonl
from workers.data.formats.parquet import read_parquet
from workers.data.formats.texts.conll import read_conll
from workers.data.formats.texts.trees import read_trees
from workers.data.formats.texts.word_vectors import read_vectors
from workers.data.formats.weights import read_weights

# Format → reader.
FORMATS: Mapping[str, FormatReader] = {
    "csv": read_csv,
    "tsv": read_tsv,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
    "npz": read_npz,
    "safetensors": read_safetensors,
    "idx": read_idx_upload,
    "images": read_images,
    "conll": read_conll,
    "trees": read_trees,
    "vectors": read_vectors,
    "weights": read_weights,
}
FORMAT_HINT = "name the format, one of: " + ", ".join(FORMATS)


def read_upload(upload: Upload) -> Content:
    """Read the columns of an upload. Raises `InvalidInput` with every problem."""
    return FORMATS[resolve_format(upload)](upload)


def resolve_format(upload: Upload) -> str:
    """Return the format of an upload: the one that the user gives, unless the content is unmistakably of another one.

    Raises `InvalidInput` for another one, or if none is given and none is detected.
    """
    explicit = upload.source.format
    if explicit == "auto":
        detected = detect_format(upload)
        if detected is None:
            refuse("unknown_format", "the content looks like no format that is read here", FORMAT_HINT)
        return detected
    found = detect_binary(upload) or detect_text(upload)
    if found not in (None, explicit) and (explicit, found) != (
        "weights",
        "safetensors",
    ):  # a file does not say what it is for
        detail = f"the format is given as {explicit}, and the content looks like {found}"
        refuse("wrong_format", detail, f'give "{found}", or leave format out')
    return explicit
