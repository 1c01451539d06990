"""Tokens and their tags, as at the Conference on Natural Language Learning: one a line, a blank line between texts."""

from collections.abc import Sequence

from workers.data.files.content import Content, Upload
from workers.data.files.lines import read_lines
from workers.data.files.problems import ProblemCollector, RowLocations, line_problem
from workers.data.files.split_files import SplitFile, split_files
from workers.data.types.table import build_content

MAX_TOKENS = 100_000  # tokens of a text
CONLLU_COLUMNS = 10  # columns of CoNLL-U: the second is the word, the fourth its part of speech
WORD_COLUMN, UPOS_COLUMN = 1, 3
DOCUMENT_MARKER = "-DOCSTART-"

TaggedSentences = tuple[list[tuple[str, ...]], list[tuple[str, ...]]]  # tokens, tags


def read_conll(upload: Upload) -> Content:
    """Read texts whose tokens have tags. Raises `InvalidInput`."""
    files = split_files(upload)
    found: TaggedSentences = ([], [])
    places, findings = RowLocations(), ProblemCollector()
    for each in files:
        _read(each, found, places, findings)
    findings.raise_if_any()
    columns = {"tokens": found[0], "tags": found[1]}
    types = upload.source.types or {}
    source = upload.source.model_copy(update={"types": {"tokens": "words", "tags": "words"} | types})
    target = upload.source.target or "tags"
    return build_content(columns, [each.split for each in files], places, source, target=target)


def _read(part: SplitFile, found: TaggedSentences, places: RowLocations, findings: ProblemCollector) -> None:
    places.start_file(part.name)
    width, begun = 0, 0
    words, tags = list[str](), list[str]()

    def end() -> None:
        if words:
            found[0].append(tuple(words))
            found[1].append(tuple(tags))
            places.add([begun])
            words.clear()
            tags.clear()

    with part.open() as file:
        for number, line in enumerate(read_lines(file, part.name), start=1):
            cells = line.rstrip("\r\n").split("\t") if "\t" in line else line.split()
            if not line.strip() or cells[0] == DOCUMENT_MARKER:
                end()
                continue
            if line.startswith("#") and not words and len(cells) != width:
                continue  # a comment
            width = width or len(cells)
            if len(cells) != width or width < 2 or not cells[0] or not cells[-1]:
                told = f"has {len(cells)} columns, the first token has {width}" if width > 1 else "has no tag"
                hint = "a token, its tag, and what else there is between them; a blank line between texts"
                findings.add(line_problem(part.name, number, "columns_differ", told, hint))
                continue
            begun = begun if words else number
            word, tag = _token(cells)
            if word:
                words.append(word)
                tags.append(tag)
            if len(words) > MAX_TOKENS:
                detail = f"has the {MAX_TOKENS:,}th token of one text"
                findings.add(line_problem(part.name, number, "too_long", detail, "put blank lines between texts"))
                findings.raise_if_any()
        end()


def _token(cells: Sequence[str]) -> tuple[str, str]:
    """Return a token and its tag; nothing for a line of CoNLL-U that stands for several words, or for none."""
    if len(cells) != CONLLU_COLUMNS:
        return cells[0], cells[-1]
    return (cells[WORD_COLUMN], cells[UPOS_COLUMN]) if cells[0].isdigit() else ("", "")
