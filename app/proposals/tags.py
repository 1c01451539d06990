"""Tags: a class for every word of a list, by a recurrent layer that reads it in both directions."""

from collections.abc import Sequence

from app.errors import InvalidInput, Problem
from app.proposals.draft import Draft
from app.proposals.sequences import add_recurrent, read_series, read_words
from app.spec.data.columns import Column

TAGGED_TYPES = ("words", "series")
WIDTH = 64  # of the recurrent layer, in each direction


def add_tagger(draft: Draft, columns: Sequence[Column], outputs: int) -> str:
    """Add what reads the tagged sequence, and return the node of the scores (N, L, outputs).

    Raises `InvalidInput` if there is nothing to tag.
    """
    tagged = [column for column in columns if column.type in TAGGED_TYPES]
    if not tagged:
        detail = f'"{draft.target}" holds lists of words, and there is no other column of words or series to tag'
        hint = '"task": "labels" learns the words of a list as labels of the whole row'
        raise InvalidInput([Problem("/target", "contradiction", detail, hint)])
    first, *others = tagged
    for column in others:
        detail = f'only "{first.name}" is read: whether "{column.name}" is as long is not known'
        draft.ignore(column.name, detail, "declare a feature of it, and join both with cat, if it is")
    sequence = read_words(draft, first) if first.type == "words" else read_series(draft, first)
    layer = add_recurrent(draft, sequence, WIDTH, "LSTM")
    kept = draft.add_node("kept", "Dropout", [layer.values], p=0.3)
    return draft.add_node("scores", "Linear", [kept], out_features=outputs)
