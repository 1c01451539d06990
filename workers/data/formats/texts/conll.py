"""CoNLL: a token and its tag in every line, and a blank line between sentences."""

from collections.abc import Sequence

from app.spec.data.upload_formats import format_by_name
from workers.data.files.content import Content, Upload
from workers.data.files.problems import ProblemCollector, RowLocations, line_problem
from workers.data.files.split_files import SplitFile, split_files
from workers.data.types.table import Table, TableOptions, build_content

MAX_TOKENS = 100_000  # of a sentence
CONLLU_COLUMNS = 10  # columns of CoNLL-U: the second is the word, the fourth its part of speech
WORD_COLUMN, UPOS_COLUMN = 1, 3
DOCUMENT_MARKER = "-DOCSTART-"
COLUMNS_HINT = "leave the columns between them out"


def read_conll(upload: Upload) -> Content:
    """Read sentences whose tokens have tags. Raises `InvalidInput`."""
    options = TableOptions.from_upload(upload)
    if upload.source.format == "auto" and format_by_name(upload.source.file) != "conll":
        detail = "lines were read as tokens and tags, since blank lines divide them"
        options.warnings.add("", "format", detail, 'give "format": "conll", or "tsv" if it is a table')
    table = read_conll_table(split_files(upload), options)
    return build_content(table, upload, default_target="tags", types={"tokens": "words", "tags": "words"})


def read_conll_table(files: Sequence[SplitFile], options: TableOptions) -> Table:
    """Read the tokens and tags of sentences; tags only where they are asked for.

    Raises `InvalidInput` with every line that is no token.
    """
    reader = _SentenceReader(options)
    for each in files:
        reader.read(each)
    reader.problems.raise_if_any()
    columns = {"tokens": reader.tokens} | ({"tags": reader.tags} if reader.has_tags else {})
    splits = [each.split for each in files]
    return Table(list(columns), columns, reader.locations, splits, warnings=options.warnings.warnings)


class _SentenceReader:
    """The sentences of all files."""

    def __init__(self, options: TableOptions) -> None:
        self.tokens, self.tags = list[tuple[str, ...]](), list[tuple[str, ...]]()
        self.locations, self.problems = RowLocations(), ProblemCollector()
        self.has_tags = options.infer or "tags" in options.types
        self._options = options
        self._sentence: list[tuple[str, str]] = []  # (token, tag)
        self._first_line = 0

    def read(self, part: SplitFile) -> None:
        """Read a file."""
        self.locations.start_file(part.name)
        width = 0
        for number, line in enumerate(part.read_text(self._options.warnings), start=1):
            cells = line.rstrip("\r\n").split("\t") if "\t" in line else line.split()
            if not line.strip() or cells[0] == DOCUMENT_MARKER:
                self._end_sentence()
                continue
            if line.startswith("#") and not self._sentence and len(cells) != width:
                continue  # a comment
            width = width or len(cells)
            if width not in (1, 2, CONLLU_COLUMNS):
                self._options.warnings.add(
                    "", "columns", f"of {width:,} columns the first and the last were read", COLUMNS_HINT
                )
            self._add(cells, width, number, part.name)
        self._end_sentence()

    def _add(self, cells: Sequence[str], width: int, number: int, file: str) -> None:
        if len(cells) != width or not cells[0] or (self.has_tags and (width < 2 or not cells[-1])):
            lacks_tag = self.has_tags and width < 2
            detail = "has no tag" if lacks_tag else f"has {len(cells):,} columns, the first token has {width:,}"
            hint = "a token, its tag, and any columns between them; a blank line between sentences"
            self.problems.add(line_problem(file, number, "columns_differ", detail, hint))
            return
        self._first_line = self._first_line if self._sentence else number
        token, tag = _token(cells)
        if token:
            self._sentence.append((token, tag))
        if len(self._sentence) > MAX_TOKENS:
            detail = f"has the {MAX_TOKENS:,}th token of one sentence"
            self.problems.add(line_problem(file, number, "too_long", detail, "put blank lines between sentences"))
            self.problems.raise_if_any()

    def _end_sentence(self) -> None:
        if self._sentence:
            self.tokens.append(tuple(token for token, _ in self._sentence))
            self.tags.append(tuple(tag for _, tag in self._sentence))
            self.locations.add([self._first_line])
            self._options.check_row_count(len(self.tokens))
            self._sentence = []


def _token(cells: Sequence[str]) -> tuple[str, str]:
    """Return a token and its tag; empty ones for the multiword tokens and empty nodes of CoNLL-U."""
    if len(cells) != CONLLU_COLUMNS:
        return cells[0], cells[-1]
    return (cells[WORD_COLUMN], cells[UPOS_COLUMN]) if cells[0].isdigit() else ("", "")
