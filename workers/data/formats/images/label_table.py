"""A table of the images' names and labels in their archive, such as labels.csv, or train.csv and test.csv."""

import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np

from app.spec.data.columns import ColumnType
from workers.data.files.content import Upload
from workers.data.files.problems import (
    ProblemCollector,
    RowLocations,
    WarningCollector,
    abbreviate,
    format_count,
    refuse,
)
from workers.data.files.split_files import SPLIT_BY_NAME, SPLITS, SplitFile, split_of
from workers.data.formats.delimited import read_csv_table, read_tsv_table
from workers.data.formats.images.layout import ArchiveImage, warn_of_files
from workers.data.formats.jsonl import read_jsonl_table
from workers.data.types.table import Table, TableOptions
from workers.data.types.values import Values, as_list, format_number

MIN_MATCHES = 0.5  # share of a column's values that are names of images: then it is the column of names
TABLE_READERS: Mapping[str, Callable[[Sequence[SplitFile], TableOptions], Table]] = {
    ".csv": read_csv_table,
    ".tsv": read_tsv_table,
    ".tab": read_tsv_table,
    ".jsonl": read_jsonl_table,
    ".ndjson": read_jsonl_table,
}


@dataclass(frozen=True)
class LabelledImages:
    """Images in the order of rows, and the other columns of their tables."""

    images: Sequence[ArchiveImage]
    splits: Sequence[str]  # of every image, those of "train" first
    table: Table  # without the column of names


class ImageIndex:
    """Images by what a table may call them: a path, the end of one, or a name, each with or without its ending."""

    def __init__(self, images: Iterable[ArchiveImage]) -> None:
        self._images: dict[str, list[ArchiveImage]] = defaultdict(list)
        for image in images:
            path = PurePosixPath(image.info.filename)
            for start in range(len(path.parts)):
                end = PurePosixPath(*path.parts[start:])
                self._images[str(end).lower()].append(image)
                self._images[str(end.with_suffix("")).lower()].append(image)

    def find(self, name: str) -> list[ArchiveImage]:
        """Return the images that a name may stand for."""
        plain = name.strip().replace("\\", "/").removeprefix("./").lower()
        found = self._images.get(plain)
        if not found and "/" in plain:  # a folder that the archive does not have
            found = self._images.get(plain.rpartition("/")[2])
        return found or []


def read_labels(
    upload: Upload, images: Sequence[ArchiveImage], infos: Sequence[zipfile.ZipInfo], warnings: WarningCollector
) -> LabelledImages | None:
    """Return the images that tables name, with the other columns; `None` if no table names any.

    Raises `InvalidInput` for tables that contradict each other, and names that stand for several images.
    """
    index = ImageIndex(images)
    named = {info.filename: _name_column(upload, info, index) for info in infos}
    others = [info for info in infos if named[info.filename] is None]
    warn_of_files(others, "of other rows than the images", "remove them", warnings)
    tables = _choose_tables([info for info in infos if info not in others], warnings)
    if not tables:
        return None
    columns = {named[info.filename] for info in tables}
    column = named[tables[0].filename]
    if column is None or len(columns) > 1:
        listed = " and ".join(sorted(filter(None, columns)))
        refuse("columns_differ", f"the tables call the names of images {listed}", "give all of them the same columns")
    table = _read_tables(upload, tables, column, warnings)
    if len({image.folders[:1] for image in images}) > 1 and all(image.folders for image in images):
        count = len({found[0].info.filename for text in _texts(table.columns[column]) if (found := index.find(text))})
        if count < MIN_MATCHES * len(images):
            warn_of_files(tables, "since most images are of folders that they do not name", "remove them", warnings)
            return None
        detail = f'labels read from "{tables[0].filename[:80]}", not from the names of folders'
        warnings.add("", "labels_of_table", detail, "put all images into one folder")
    return _join(table, column, tables, images, index, warnings)


def _name_column(upload: Upload, info: zipfile.ZipInfo, index: ImageIndex) -> str | None:
    """Return the column of a table that holds names of images, if there is one."""
    part = SplitFile("train", upload.path, info.filename, upload.source.encoding, upload.limit)
    reader = TABLE_READERS[PurePosixPath(info.filename).suffix.lower()]
    names: dict[str, ColumnType] = dict.fromkeys(reader([part], TableOptions({}, infer=False)).names, "text")
    table = reader([part], TableOptions(names, infer=False))
    ranks = {name: _rank(table.columns[name], index) for name in table.columns}
    best = max(ranks, key=lambda name: ranks[name], default=None)
    return best if best is not None and ranks[best][0] >= MIN_MATCHES else None


def _rank(values: Values, index: ImageIndex) -> tuple[float, int, int]:
    """Return how likely values are names of images: the share of those that are, with an ending, and different."""
    texts = _texts(values)
    found = sum(bool(index.find(text)) for text in texts) / max(1, len(texts))
    return found, sum(bool(PurePosixPath(text).suffix) for text in texts), len(set(texts))


def _texts(values: Values) -> list[str]:
    return [
        value if isinstance(value, str) else format_number(value) if isinstance(value, int | float) else ""
        for value in as_list(values)
    ]


def _choose_tables(tables: Sequence[zipfile.ZipInfo], warnings: WarningCollector) -> Sequence[zipfile.ZipInfo]:
    """Return one table of all images, or those of the splits. Raises `InvalidInput` if it is not clear which count."""
    of_splits = [info for info in tables if _split_of_table(info) is not None]
    others = [info for info in tables if _split_of_table(info) is None]
    if of_splits and others:
        warn_of_files(others, "since other tables are named like splits", "remove them", warnings)
    elif len(others) > 1:
        names = ", ".join(f'"{info.filename[:80]}"' for info in others[:5])
        refuse("duplicate_name", f"several tables name images: {names}", "leave one, or name them train and test")
    chosen = of_splits or others
    splits = [_split_of_table(info) for info in chosen]
    if len(set(splits)) < len(splits):
        names = ", ".join(f'"{info.filename[:80]}"' for info in chosen[:5])
        refuse("duplicate_name", f"several tables are for the same split: {names}", "join them into one")
    return chosen


def _split_of_table(info: zipfile.ZipInfo) -> str | None:
    """Return the split that the name of a table, or of a folder around it, stands for."""
    by_folder = [SPLIT_BY_NAME.get(part.lower()) for part in PurePosixPath(info.filename).parts[:-1]]
    return split_of(info.filename) or next(filter(None, by_folder), None)


def _read_tables(upload: Upload, infos: Sequence[zipfile.ZipInfo], column: str, warnings: WarningCollector) -> Table:
    suffixes = {PurePosixPath(info.filename).suffix.lower() for info in infos}
    if len({TABLE_READERS[suffix] for suffix in suffixes}) > 1:
        refuse("wrong_format", "the tables are of several formats", "save all of them as CSV")
    files = [
        SplitFile(_split_of_table(info) or "train", upload.path, info.filename, upload.source.encoding, upload.limit)
        for info in infos
    ]
    known: dict[str, ColumnType] = {column: "text"}
    if upload.known_schema is not None:
        known |= {each.name: each.type for each in upload.known_schema.columns if each.name != "image"}
    else:
        known |= upload.source.types or {}
    options = TableOptions(known, infer=upload.known_schema is None, limit=upload.limit, warnings=warnings)
    return TABLE_READERS[suffixes.pop()](files, options)


def _join(
    table: Table,
    column: str,
    infos: Sequence[zipfile.ZipInfo],
    images: Sequence[ArchiveImage],
    index: ImageIndex,
    warnings: WarningCollector,
) -> LabelledImages:
    """Return rows with their images, by split; rows and images without each other are counted and left out."""
    problems = ProblemCollector()
    rows: list[tuple[str, int, ArchiveImage]] = []
    missing = list[str]()
    taken: dict[str, int] = {}
    own = [_split_of_table(info) for info in infos]
    row_splits = [split for split, count in zip(own, table.locations.row_counts, strict=True) for _ in range(count)]
    for row, (text, split) in enumerate(zip(_texts(table.columns[column]), row_splits, strict=True)):
        found = index.find(text)
        if len(found) > 1:
            found = [image for image in found if image.split in (None, split)] if split is not None else found
        if len(found) > 1:
            names = " and ".join(image.name for image in found[:2])
            detail = f'"{abbreviate(text)}" may be {names}'
            problems.add(table.locations.problem_at(row, column, "ambiguous_name", detail, "write the path"))
        elif not found:
            missing.append(text)
        elif found[0].info.filename in taken:
            detail = f'"{abbreviate(text)}" is named in another row as well'
            problems.add(table.locations.problem_at(row, column, "duplicate_name", detail, "leave one of them out"))
        else:
            taken[found[0].info.filename] = row
            rows.append((split or found[0].split or "train", row, found[0]))
    problems.raise_if_any()
    if not rows:
        refuse("no_rows", "no row of the table names an image of the archive", "write the names of the files")
    if missing:
        detail = (
            f'{format_count(len(missing), "row")} without an image left out, the first names "{abbreviate(missing[0])}"'
        )
        warnings.add("", "rows_without_image", detail, "add the images, or remove the rows")
    without = [image.info for image in images if image.info.filename not in taken]
    warn_of_files(without, "without a row in the table", "add rows, or remove the images", warnings)
    rows.sort(key=lambda each: SPLITS.index(each[0]))
    return LabelledImages(
        [image for _, _, image in rows],
        [split for split, _, _ in rows],
        _select(table, column, rows, infos[0].filename if len(infos) == 1 else ""),
    )


def _select(table: Table, column: str, rows: Sequence[tuple[str, int, ArchiveImage]], name: str) -> Table:
    """Return a table of some rows, by split, without a column."""
    order = [row for _, row, _ in rows]
    splits = list(dict.fromkeys(split for split, _, _ in rows))
    locations = RowLocations()
    for split in splits:
        locations.start_file(name)
        locations.add(table.locations.number_of(row) for other, row, _ in rows if other == split)
    place = {row: number for number, row in enumerate(order)}
    columns: dict[str, Values] = {
        each: values[order] if isinstance(values, np.ndarray) else [values[row] for row in order]
        for each, values in table.columns.items()
        if each != column
    }
    unreadable = [(place[row], each, text) for row, each, text in table.unreadable if row in place and each != column]
    names = [each for each in table.names if each != column]
    return replace(table, names=names, columns=columns, locations=locations, splits=splits, unreadable=unreadable)
