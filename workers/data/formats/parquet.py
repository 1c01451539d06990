"""Parquet, read by Arrow: columns of numbers, texts, and lists of them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from app.errors import first_line
from workers.data.files.archives import REUPLOAD_HINT
from workers.data.files.column_names import check_column_names, check_same_columns
from workers.data.files.content import Content, Upload
from workers.data.files.problems import RowLocations, refuse
from workers.data.files.split_files import SplitFile, split_files
from workers.data.formats.arrow_types import (
    as_integer,
    exact_numbers,
    has_time_zone,
    index_columns,
    metadata_types,
    seconds,
)
from workers.data.types.arrays import TensorType
from workers.data.types.base import BaseColumnType
from workers.data.types.datetimes import UTC
from workers.data.types.images import ImageType
from workers.data.types.table import Table, TableOptions, build_content
from workers.data.types.texts import TextType, infer_texts
from workers.data.types.values import EMPTY_LIST, Values, as_list, compact, compact_if_valid, narrow_floats

MIN_VALUE_BYTES = 8  # bytes that a value takes at least
DTYPE_HINT = "store it as a number, a text, or a list of them"

ColumnClass = type[BaseColumnType] | None  # None: to be inferred
Converter = Callable[[Any], Values]  # of a chunk of Arrow


def read_parquet(upload: Upload) -> Content:
    """Read tables of Arrow. Raises `InvalidInput`."""
    return build_content(read_parquet_table(split_files(upload), TableOptions.from_upload(upload)), upload)


def read_parquet_table(files: Sequence[SplitFile], options: TableOptions) -> Table:
    """Read the values of tables of Arrow. Raises `InvalidInput`."""
    schema: Any = None
    blocks: dict[str, list[Values]] = {}
    locations = RowLocations(unit="row")
    for each in files:
        file_schema, columns = _read(each, options, locations)
        if schema is not None:
            check_same_columns(schema.names, file_schema.names, each.name)
        schema = schema or file_schema
        for name, values in columns.items():
            blocks.setdefault(name, []).append(values)
    joined = {name: _concatenate(parts) for name, parts in blocks.items()}
    if options.infer:
        joined = {name: _infer(values, options.type_class(name)) for name, values in joined.items()}
    fields = [field for field in schema if field.name in joined]
    return Table(
        schema.names,
        joined,
        locations,
        [each.split for each in files],
        spellings={field.name: {"true": 1, "false": 1} for field in fields if str(field.type) == "bool"},
        types=metadata_types(schema, joined),
        units={field.name: UTC for field in fields if has_time_zone(field.type)},
        indexes=index_columns(schema),
    )


def _infer(values: Values, kind: ColumnClass) -> Values:
    """Return the values in the cells of a column of text; any other column as it is."""
    first = None if isinstance(values, np.ndarray) else next((value for value in values if value is not None), None)
    return infer_texts(as_list(values), kind) if isinstance(first, str) else values


def _concatenate(blocks: Sequence[Values]) -> Values:
    if all(isinstance(block, np.ndarray) for block in blocks):
        return np.concatenate(blocks)
    return [value for block in blocks for value in map(as_integer, as_list(block))]


def _read(part: SplitFile, options: TableOptions, locations: RowLocations) -> tuple[Any, dict[str, Values]]:
    """Return the schema of Arrow, and the values of the columns that `options` asks for."""
    import pyarrow  # noqa: PLC0415 - half a second, and few uploads are Parquet
    from pyarrow import parquet  # noqa: PLC0415

    pyarrow.set_cpu_count(1)
    try:
        with part.open() as file:
            content = pyarrow.BufferReader(file.read()) if part.name else part.path
            table = parquet.ParquetFile(content, read_dictionary=None, pre_buffer=False)
            options.check_row_count(table.metadata.num_rows)
            _check_size(table.metadata, options.limit, part.name)
            schema = table.schema_arrow
            check_column_names(schema.names, part.name)
            fields = [field for field in schema if options.infer or field.name in options.types]
            converters = {field.name: _converter(field.type, field.name, options) for field in fields}
            encoded = parquet.ParquetFile(content, read_dictionary=_text_paths(table, fields), pre_buffer=False)
            columns = {}
            for name, convert in converters.items():
                chunks = _read_chunks(encoded, table, schema.field(name))
                _check_decoded_size(chunks, options.limit, f"{part.name}: {name}" if part.name else name)
                columns[name] = _concatenate([convert(chunk) for chunk in chunks]) if chunks else []
    except MemoryError:
        raise
    except (pyarrow.ArrowException, OSError, OverflowError, ValueError, IndexError) as error:
        detail = f"the file cannot be read as parquet: {first_line(error)[:200]}"
        refuse("unreadable", detail, REUPLOAD_HINT, part.name)
    locations.start_file(part.name)
    locations.add(range(1, table.metadata.num_rows + 1))
    return schema, columns


def _check_size(metadata: Any, limit: int, name: str) -> None:
    """Refuse a table that claims too much, before anything is read: of bytes, or of values, those in lists too."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    chunks = [group.column(number) for group in groups for number in range(group.num_columns)]
    values = max(metadata.num_rows * metadata.num_columns, sum(chunk.num_values for chunk in chunks))
    claimed = max(sum(group.total_byte_size for group in groups), MIN_VALUE_BYTES * values)
    if claimed > limit or metadata.num_rows < 0:
        _refuse_size(claimed, limit, name)


def _refuse_size(size: int, limit: int, place: str) -> NoReturn:
    refuse(
        "too_large", f"{size:,} bytes unpacked, at most {limit:,} are allowed", "put fewer rows into one file", place
    )


def _text_paths(table: Any, fields: Sequence[Any]) -> list[str]:
    """Return the paths of texts and bytes, in lists too: they are read as a dictionary and indices into it."""
    metadata = table.metadata
    paths = [metadata.schema.column(number).path for number in range(metadata.num_columns)]
    names = [field.name for field in fields if _has_lengths(_leaf_type(field.type))]
    return [path for path in paths for name in names if path == name or path.startswith(f"{name}.")]


def _read_chunks(encoded: Any, table: Any, field: Any) -> list[Any]:
    """Return a column as arrays, with the texts as dictionaries if Arrow can.

    It cannot in lists whose row groups have several dictionaries: there the texts themselves are read.
    """
    import pyarrow  # noqa: PLC0415 - as above

    if _leaf_type(field.type) is field.type or not _has_lengths(_leaf_type(field.type)):
        return list(encoded.read([field.name], use_threads=False).column(0).chunks)
    chunks: list[Any] = []
    for group in range(table.metadata.num_row_groups):
        try:
            column = encoded.read_row_group(group, [field.name], use_threads=False).column(0)
        except pyarrow.ArrowNotImplementedError:
            column = table.read_row_group(group, [field.name], use_threads=False).column(0)
        chunks += column.chunks
    return chunks


def _check_decoded_size(chunks: Sequence[Any], limit: int, place: str) -> None:
    """Refuse a column whose texts would take too much: a dictionary has each once, and the rows may repeat them."""
    size = sum(map(_decoded_bytes, chunks))
    if size > limit:
        _refuse_size(size, limit, place)


def _decoded_bytes(chunk: Any) -> int:
    """Return the bytes of an array without its dictionary: for every row, the length of the entry that it names."""
    from pyarrow import compute, types  # noqa: PLC0415 - as above

    while _is_list(chunk.type):
        chunk = chunk.flatten()
    if not types.is_dictionary(chunk.type) or not _has_lengths(chunk.type.value_type):
        return int(chunk.nbytes)
    lengths = compute.take(compute.binary_length(chunk.dictionary), chunk.indices)
    return MIN_VALUE_BYTES * len(chunk) + int(compute.sum(lengths.cast("int64")).as_py() or 0)


def _has_lengths(arrow: Any) -> bool:
    return str(arrow) in ("string", "large_string", "binary", "large_binary")


def _is_list(arrow: Any) -> bool:
    from pyarrow import types  # noqa: PLC0415 - as above

    return bool(types.is_list(arrow) or types.is_large_list(arrow) or types.is_fixed_size_list(arrow))


def _leaf_type(arrow: Any) -> Any:
    """Return the type of the values in lists of lists; of any other type itself."""
    while _is_list(arrow):
        arrow = arrow.value_type
    return arrow


def _is_text(arrow: Any) -> bool:
    return str(arrow) in ("string", "large_string", "string_view")


def _converter(arrow: Any, name: str, options: TableOptions) -> Converter:
    """Return what converts chunks of a type of Arrow. Raises `InvalidInput` for a type that is not read."""
    from pyarrow import types  # noqa: PLC0415

    if _is_list(arrow):
        return _list_converter(arrow, name, options)
    if types.is_dictionary(arrow) and not _is_text(arrow.value_type):
        inner = _converter(arrow.value_type, name, options)
        return lambda chunk: inner(chunk.dictionary_decode() if types.is_dictionary(chunk.type) else chunk)
    kind = options.type_class(name)
    converters: tuple[tuple[bool, Converter], ...] = (
        (_is_text(arrow) or types.is_dictionary(arrow), lambda chunk: _texts(chunk, kind, options.keeps_text(name))),
        (kind is TensorType and (types.is_boolean(arrow) or types.is_integer(arrow)), _integers),
        (
            types.is_integer(arrow) or types.is_decimal(arrow) or types.is_boolean(arrow),
            lambda chunk: exact_numbers(chunk, kind),
        ),
        (types.is_floating(arrow) or types.is_null(arrow), _floats),
        (types.is_timestamp(arrow) or types.is_date(arrow), lambda chunk: seconds(chunk, kind)),
        (
            kind is ImageType and (types.is_binary(arrow) or types.is_large_binary(arrow)),
            lambda chunk: list(_values(chunk)),
        ),
    )
    converter = next((each for is_readable, each in converters if is_readable), None)
    if converter is None:
        detail = f'column "{name}" holds {str(arrow)[:80]}, which is not read'
        refuse("unsupported_dtype", detail, DTYPE_HINT, name)
    return converter


def _list_converter(arrow: Any, name: str, options: TableOptions) -> Converter:
    from pyarrow import types  # noqa: PLC0415

    inner, flat = _leaf_type(arrow), not _is_list(arrow.value_type)
    number = types.is_integer(inner) or types.is_floating(inner)
    if not (number or _is_text(inner) or types.is_boolean(inner)):
        refuse("unsupported_dtype", f'column "{name}" holds {str(arrow)[:80]}, which is not read', DTYPE_HINT, name)
    if number and flat:
        return lambda chunk: _number_lists(chunk, name, options)
    return lambda chunk: [_compact(value, name, options) for value in _values(chunk)]


def _number_lists(chunk: Any, name: str, options: TableOptions) -> Values:
    """Return an array of numbers for every list."""
    values = np.asarray(chunk.flatten().to_numpy(zero_copy_only=False))
    numbers = narrow_floats(values) if values.dtype.kind == "f" else values.astype(np.int64)
    if chunk.flatten().null_count or (values.dtype.kind == "f" and not np.isfinite(numbers).all()):
        return [_compact(value, name, options) for value in _values(chunk)]
    lengths = chunk.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    valid = chunk.is_valid().to_pylist()
    rows = np.split(numbers, np.cumsum(lengths)[:-1])
    return [(row if len(row) else EMPTY_LIST) if there else None for row, there in zip(rows, valid, strict=True)]


def _values(chunk: Any) -> Iterator[Any]:
    for value in chunk:  # one by one: the lists of all rows would take twenty times their size
        yield value.as_py()


def _compact(value: Any, name: str, options: TableOptions) -> Any:
    if not options.infer:
        return compact_if_valid(value)
    try:
        return compact(value)
    except ValueError as error:
        refuse("unsupported_value", f'column "{name}": {error}', place=name)


def _texts(chunk: Any, kind: ColumnClass, keeps_text: bool) -> Values:
    """Return texts, of which equal ones are one object; of another known type, the values in them."""
    from pyarrow import types  # noqa: PLC0415

    encoded = chunk if types.is_dictionary(chunk.type) else chunk.dictionary_encode()
    words = encoded.dictionary.to_pylist()
    if any("\0" in word for word in words if word):
        refuse("unsupported_value", "a text has the character NUL", "leave it out")
    is_text = kind is None or keeps_text or kind.families == TextType.families
    decode = str if is_text or kind is None else kind.decode
    decoded = [decode(word) if word else None for word in words]
    return [None if place is None else decoded[place] for place in encoded.indices.to_pylist()]


def _floats(chunk: Any) -> Values:
    return np.array(chunk.cast("float64", safe=False).to_numpy(zero_copy_only=False))


def _integers(chunk: Any) -> Values:
    return np.asarray(chunk.to_numpy(zero_copy_only=False))
