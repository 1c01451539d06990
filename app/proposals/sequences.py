"""Texts, lists of words, and series: embeddings or values, read in both directions, and pooled over their length."""

from typing import NamedTuple

from app.proposals.draft import Draft
from app.spec.data.columns import Column

CHARACTERS_PER_TOKEN = 5  # of a text: how many tokens follow from its length
MAX_TOKENS = 256
EMBEDDING_WIDTH = 64
MIN_COUNT_ROWS = 200  # with so many texts, n-grams of a single one are left out
LARGE_VOCABULARY_ROWS = 2_000  # with so many texts, words that occur once are unknown
BAG_ROWS = 10_000  # with fewer texts n-grams are counted, as TF-IDF does: their order is not learned from so few
BAG_WIDTH, BAG_SCALE = 32, 0.1  # the vector of an n-gram, and what its first values are multiplied by
LONG_SERIES = 1_000  # time steps: a recurrent network takes that many steps one after the other


class ReadSequence(NamedTuple):
    """A sequence in a network: (N, L, F), and the tensor of its lengths, if they differ."""

    values: str
    length: str | None


def read_words(draft: Draft, column: Column) -> ReadSequence:
    """Add the feature and the embedding of a column of texts or lists of words."""
    tokens = _token_count(column)
    tokenizer = {"kind": "word", "min_count": 2 if draft.rows >= LARGE_VOCABULARY_ROWS else 1}
    feature = {"kind": "text", "column": column.name, "max_length": tokens, "tokenizer": tokenizer}
    name = draft.add_feature(column.name, feature, ("_length",))
    draft.explain(f"/data/features/{name}", _text_reason(column, tokens, draft.rows))
    words = draft.add_node(f"{name[:50]}_words", "Embedding", [name], embedding_dim=EMBEDDING_WIDTH, padding_idx=0)
    draft.explain_node(words, f"A vector of {EMBEDDING_WIDTH} numbers for each word, learned with the rest.")
    return ReadSequence(draft.add_node("seen", "Dropout", [words], p=0.3), f"{name}_length")


def _token_count(column: Column) -> int:
    longest = column.max_length if column.type == "words" else column.max_length // CHARACTERS_PER_TOKEN + 1
    return max(8, min(MAX_TOKENS, longest))


def _text_reason(column: Column, tokens: int, rows: int) -> str:
    what = "lists" if column.type == "words" else "texts are split into words and marks; those"
    rare = "; words that occur once are unknown" if rows >= LARGE_VOCABULARY_ROWS else ""
    return f'The {what} of "{column.name}" are read up to {tokens} words{rare}.'


def read_series(draft: Draft, column: Column) -> ReadSequence:
    """Add the feature of a column of series."""
    feature = {"kind": "series", "column": column.name, "scale": "standard"}
    name = draft.add_feature(column.name, feature, ("_length",))
    draft.explain(f"/data/features/{name}", "Each value of a time step is standardised by the training rows.")
    if column.max_length > LONG_SERIES:
        detail = f'series of up to {column.max_length:,} steps in "{column.name}" are read one step after the other'
        draft.warn("long_series", detail, f"set max_length of /data/features/{name}, or upload coarser series", "")
    values = name
    if len(column.shape) != 1:  # a number, or an array, in each time step
        kind, fields = ("Flatten", {"start_dim": 2}) if column.shape else ("unsqueeze", {"dim": 2})
        values = draft.add_node("steps", kind, [name], **fields)
    return ReadSequence(values, f"{name}_length")


def read_fixed_series(draft: Draft, column: Column) -> ReadSequence:
    """Add the feature of a column of arrays (L, F), which are series of one length."""
    name = draft.add_feature(column.name, {"kind": "tensor", "column": column.name, "scale": "standard"})
    draft.explain(f"/data/features/{name}", f"Arrays {list(column.shape)} are read as that many steps, standardised.")
    return ReadSequence(name, None)


def add_recurrent(draft: Draft, sequence: ReadSequence, width: int, kind: str = "GRU") -> ReadSequence:
    """Add a recurrent layer in both directions: (N, L, 2 width)."""
    read = [sequence.values] if sequence.length is None else [sequence.values, sequence.length]
    layer = draft.add_node("read", kind, read, hidden_size=width, bidirectional=True, returns="sequence")
    draft.explain_node(layer, f"A {kind} of {width} units reads each sequence forwards and backwards.")
    return ReadSequence(layer, sequence.length)


def add_pooling(draft: Draft, sequence: ReadSequence) -> str:
    """Add what makes a row of a sequence: largest values and means over its length (N, 2 F)."""
    read = [sequence.values] if sequence.length is None else [sequence.values, sequence.length]
    largest = draft.add_node("largest", "pool_sequence", read, by="max")
    mean = draft.add_node("mean", "pool_sequence", read, by="mean")
    draft.explain_node(
        largest, "Largest values and means over the length: what occurs anywhere counts, padding does not."
    )
    return draft.add_node("pooled", "cat", [largest, mean], dim=1)


def add_words_branch(draft: Draft, column: Column) -> str:
    """Add a column of texts or lists of words, and return the node of its row (N, k)."""
    if draft.rows < BAG_ROWS:
        return add_bag(draft, column)
    return add_pooling(draft, add_recurrent(draft, read_words(draft, column), 64))


def add_bag(draft: Draft, column: Column) -> str:
    """Add a column of texts as a bag of hashed n-grams, and return the node of its row (N, 32).

    It is the sum of their vectors, weighted as TF-IDF (Joulin et al. 2016). The vectors begin small: those of rare
    n-grams, which are seen a few times, would stay as they were drawn.
    """
    feature = {"kind": "ngrams", "column": column.name, "min_count": 2 if draft.rows >= MIN_COUNT_ROWS else 1}
    name = draft.add_feature(column.name, feature, ("_length", "_weight"))
    read = f'Words and pairs of words of "{column.name}" are counted and weighed: rare ones tell more.'
    draft.explain(f"/data/features/{name}", read)
    vectors = draft.add_node(f"{name[:50]}_ngrams", "Embedding", [name], embedding_dim=BAG_WIDTH, padding_idx=0)
    draft.explain_node(vectors, f"A vector of {BAG_WIDTH} numbers for each word or pair, learned with the rest.")
    weight = draft.add_node("weight", "unsqueeze", [f"{name}_weight"], dim=2)
    weighted = draft.add_node("weighted", "mul", [vectors, weight])
    bag = draft.add_node("bag", "pool_sequence", [weighted, f"{name}_length"], by="sum")
    draft.explain_node(bag, f"Of fewer than {BAG_ROWS:,} texts what occurs is learned, and not its order.")
    return draft.add_node("small", "mul", [bag], scalar=BAG_SCALE)


def add_series_branch(draft: Draft, column: Column) -> str:
    """Add a column of series, and return the node of its row (N, k)."""
    sequence = read_series(draft, column) if column.type == "series" else read_fixed_series(draft, column)
    return add_pooling(draft, add_recurrent(draft, sequence, 64 if draft.rows < 5_000 else 100))
