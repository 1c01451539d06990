"""Parquet, read by Arrow: columns of numbers, texts, and lists of them."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from app.errors import first_line
from workers.data.files.content import Content, Upload
from workers.data.files.problems import RowLocations, refuse
from workers.data.files.split_files import SplitFile, split_files
from workers.data.types.inference import Cells
from workers.data.types.table import build_content, check_column_names, target_column
from workers.data.types.values import EMPTY_LIST, compact, parse_texts

MIN_VALUE_BYTES = 8  # bytes that a value takes at least
DTYPE_HINT = "store it as a number, a text, or a list of them"


def read_parquet(upload: Upload) -> Content:
    """Read tables of Arrow. Raises `InvalidInput`."""
    files = split_files(upload)
    columns: dict[str, list[Cells]] = {}
    places = RowLocations(unit="row")
    for each in files:
        found = _read(each, upload.limit, places)
        if columns and columns.keys() != found.keys():
            differing = ", ".join(sorted(columns.keys() ^ found.keys())[:10])
            refuse("columns_differ", f"the files differ in these columns: {differing}", place=each.name)
        for name, cells in found.items():
            columns.setdefault(name, []).append(cells)
    target = target_column(list(columns), upload.source, last=False)
    joined = {name: _concatenate(blocks) for name, blocks in columns.items()}
    joined = {name: parse_texts(cells) if _holds_texts(cells) else cells for name, cells in joined.items()}
    return build_content(joined, [each.split for each in files], places, upload.source, target=target)


def _concatenate(blocks: list[Cells]) -> Cells:
    if all(isinstance(block, np.ndarray) for block in blocks):
        return np.concatenate(blocks)
    return [cell for block in blocks for cell in (_plain(block) if isinstance(block, np.ndarray) else block)]


def _holds_texts(cells: Cells) -> bool:
    return isinstance(next((cell for cell in cells if cell is not None), None), str)


def _plain(block: np.ndarray[Any, Any]) -> list[float | None]:
    return [None if value != value else value for value in block.tolist()]  # noqa: PLR0124 - NaN


def _read(part: SplitFile, limit: int, places: RowLocations) -> dict[str, Cells]:
    import pyarrow  # noqa: PLC0415 - half a second, and few uploads are Parquet
    from pyarrow import parquet  # noqa: PLC0415

    pyarrow.set_cpu_count(1)
    try:
        with part.open() as file:
            content = pyarrow.BufferReader(file.read()) if part.name else part.path
            table = parquet.ParquetFile(content, read_dictionary=None, pre_buffer=False)
            _check(table.metadata, limit, part.name)
            names = table.schema_arrow.names
            check_column_names(names, part.name)
            for field in table.schema_arrow:
                _converter(field.type, field.name)
            texts = [field.name for field in table.schema_arrow if _is_text(field.type)]
            table = parquet.ParquetFile(content, read_dictionary=texts, pre_buffer=False)
            columns = {name: _column(table.read([name], use_threads=False).column(0), name) for name in names}
    except MemoryError:
        raise
    except (pyarrow.ArrowException, OSError, OverflowError, ValueError, IndexError) as error:
        hint = "it may be truncated: compare its size or SHA-256 with the original, and upload it again"
        refuse("unreadable", f"the file cannot be read as parquet: {first_line(error)[:200]}", hint, part.name)
    places.start_file(part.name)
    places.add(range(1, table.metadata.num_rows + 1))
    return columns


def _check(metadata: Any, limit: int, name: str) -> None:
    """Believe no header: what it claims is counted before anything is read."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    claimed = max(
        sum(group.total_byte_size for group in groups), MIN_VALUE_BYTES * metadata.num_rows * metadata.num_columns
    )
    if claimed > limit or metadata.num_rows < 0:
        refuse("too_large", f"{claimed} bytes unpacked, at most {limit} are allowed", "upload fewer rows", name)


def _column(column: Any, name: str) -> Cells:
    convert = _converter(column.type, name)
    if column.num_chunks == 0:
        return []
    return _concatenate([convert(chunk) for chunk in column.chunks])


def _is_text(kind: Any) -> bool:
    return str(kind) in ("string", "large_string", "string_view")


def _converter(kind: Any, name: str) -> Callable[[Any], Cells]:
    """Return what makes values of an array of Arrow. Raises `InvalidInput` for a type that is not read."""
    from pyarrow import types  # noqa: PLC0415

    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _lists_of(kind, name)
    if types.is_dictionary(kind) and _is_text(kind.value_type):
        return _decode_dictionary
    if _is_text(kind):
        return lambda chunk: _decode_dictionary(chunk.dictionary_encode())
    if types.is_boolean(kind) or types.is_null(kind):
        return lambda chunk: _floats(chunk.cast("uint8"))
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return _floats
    return refuse("unsupported_dtype", f'column "{name}" holds {str(kind)[:80]}, which is not read', DTYPE_HINT, name)


def _lists_of(kind: Any, name: str) -> Callable[[Any], Cells]:
    from pyarrow import types  # noqa: PLC0415

    inner, plain = kind.value_type, True
    while types.is_list(inner) or types.is_large_list(inner) or types.is_fixed_size_list(inner):
        inner, plain = inner.value_type, False
    number = types.is_integer(inner) or types.is_floating(inner)
    if not (number or _is_text(inner) or types.is_boolean(inner)):
        refuse("unsupported_dtype", f'column "{name}" holds {str(kind)[:80]}, which is not read', DTYPE_HINT, name)
    if number and plain:
        return lambda chunk: _numbers(chunk, name)
    return lambda chunk: [_compact(value, name) for value in _values(chunk)]


def _numbers(chunk: Any, name: str) -> Cells:
    """Return an array of numbers for every list."""
    if chunk.flatten().null_count:
        refuse("unsupported_value", f'column "{name}": a list holds a null', "leave it out", name)
    values = np.asarray(chunk.flatten().to_numpy(zero_copy_only=False))
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        refuse("unsupported_value", f'column "{name}": a list holds a number that is not finite', place=name)
    values = values.astype(np.float32 if values.dtype.kind == "f" else np.int64)
    lengths = chunk.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    there = chunk.is_valid().to_pylist()
    rows = np.split(values, np.cumsum(lengths)[:-1])
    return [(row if len(row) else EMPTY_LIST) if valid else None for row, valid in zip(rows, there, strict=True)]


def _values(chunk: Any) -> Iterator[Any]:
    for value in chunk:  # one by one: the lists of all rows would take twenty times their size
        yield value.as_py()


def _compact(value: Any, name: str) -> Any:
    try:
        return compact(value)
    except ValueError as error:
        refuse("unsupported_value", f'column "{name}": {error}', place=name)


def _decode_dictionary(chunk: Any) -> Cells:
    """Return texts, of which equal ones are one object."""
    words = chunk.dictionary.to_pylist()
    if any("\0" in word for word in words if word):
        refuse("unsupported_value", "a text has the character NUL", "leave it out")
    texts = [None if place is None else words[place] for place in chunk.indices.to_pylist()]
    return [text or None for text in texts]


def _floats(chunk: Any) -> Cells:
    return np.array(chunk.cast("float64", safe=False).to_numpy(zero_copy_only=False))
