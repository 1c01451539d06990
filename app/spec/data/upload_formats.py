"""The formats of uploads, and which one the name of a file stands for."""

import codecs
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

UPLOAD_FORMATS: dict[str, str] = {
    "csv": "A table: a header; commas, semicolons, tabs, bars or blanks between cells; packed by gzip or not.",
    "tsv": "A table: a header, tabs between cells.",
    "jsonl": "An object in every line, whose keys are the columns.",
    "parquet": "A table as Arrow, Spark and pandas write it.",
    "npz": "Arrays of NumPy by name, without pickle.",
    "safetensors": "Tensors by name.",
    "idx": "The format of MNIST: one file, or a zip of the four; packed by gzip or not.",
    "images": "A zip of images in folders named like their classes, or with a table of their labels.",
    "conll": "Tokens and their tags, one a line; a blank line between texts.",
    "trees": "A tree as an s-expression in every line.",
    "vectors": "Words and their vectors as text, such as GloVe's; named by a text feature, not trained on.",
    "weights": "Weights in safetensors, by the names of the network's `state_dict`, for `start_from`; never detected.",
}
TEXT_ENCODINGS = (
    *("utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32"),
    *(f"windows-{page}" for page in range(1250, 1259)),
    *("iso-8859-1", "iso-8859-2", "iso-8859-5", "iso-8859-7", "iso-8859-9", "iso-8859-15"),
    *("koi8-r", "mac-roman", "cp437", "cp850", "cp866"),
    *("shift_jis", "euc-jp", "gb18030", "big5", "euc-kr"),
)
if TYPE_CHECKING:
    UploadFormat = str
    TextEncoding = str
else:
    UploadFormat = Literal[("auto", *UPLOAD_FORMATS)]
    TextEncoding = Literal[TEXT_ENCODINGS]
Background = Literal["white", "black", "none"]
FormatDecision = Literal["user", "name", "content"]


def find_encoding(name: str) -> str | None:
    """Return the encoding that a name, such as "cp1251", stands for; `None` if it is not read here."""
    try:
        canonical = codecs.lookup(name).name
    except LookupError:
        return None
    return next((each for each in TEXT_ENCODINGS if codecs.lookup(each).name == canonical), None)


# Ending of a text's name → format.
FORMAT_BY_SUFFIX: Mapping[str, str] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".conll": "conll",
    ".conllu": "conll",
    ".bio": "conll",
    ".iob": "conll",
    ".iob2": "conll",
    ".tags": "conll",
    ".trees": "trees",
    ".ptb": "trees",
    ".mrg": "trees",
    ".vec": "vectors",
    ".vectors": "vectors",
}


def format_by_name(name: str | None) -> str | None:
    """Return the format of a text that a file's name ends in, also before ".gz"; `None` if it says nothing."""
    plain = PurePosixPath((name or "").lower())
    return FORMAT_BY_SUFFIX.get(PurePosixPath(plain.stem).suffix if plain.suffix == ".gz" else plain.suffix)


def format_decision(explicit: str, name: str | None, resolved: str) -> FormatDecision:
    """Return what the format of an upload follows from: what the user wrote, the file's name, or its content."""
    if explicit != "auto":
        return "user"
    return "name" if format_by_name(name) == resolved else "content"
