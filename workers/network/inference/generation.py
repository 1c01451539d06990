"""Shape inference of nodes that run freely: which of their outputs scores the next token."""

from collections.abc import Sequence

from torch import Tensor

from app.spec.hints.names import did_you_mean
from app.spec.network.generation import Generation
from workers.network.inference.input_checks import INDEX_DTYPES, NodeError, describe_tensor


def infer_scores(
    name: str,
    settings: Generation,
    outputs: Sequence[str],
    carry: int,
    tokens: Tensor,
    values: Sequence[Tensor],
    count: int | None,
) -> int:
    """Return which output of a node scores the next token. Raises `NodeError` for tokens or scores that are none.

    `outputs` are their names, the first `carry` of them the carry, and `values` themselves; `count` is the number of
    different tokens, if it is known.
    """
    if tokens.dim() != 2 or tokens.dtype not in INDEX_DTYPES:
        detail = f"{name} generates tokens (N, L), but reads {describe_tensor(tokens)}"
        raise NodeError(detail, "look the tokens up by an Embedding in its body", field="generate")
    names = list(outputs[carry:])
    if not names or settings.scores not in (None, *names):
        detail = f"{name} has no output {f'{settings.scores!r} ' if settings.scores else ''}beside its carry"
        hint = did_you_mean(settings.scores or "", names) or "let its body give scores of the next token as well"
        raise NodeError(detail, hint, field="generate/scores")
    place = carry if settings.scores is None else list(outputs).index(settings.scores)
    scores = values[place]
    if scores.dim() != 3 or scores.shape[:2] != tokens.shape or not scores.is_floating_point():
        detail = f"{name} needs scores (N, L, C) of the next token, but {outputs[place]} is {describe_tensor(scores)}"
        raise NodeError(detail, 'name the output of the scores: "scores" in generate', field="generate/scores")
    if count is not None and scores.shape[2] > count:
        detail = f"{name} scores {scores.shape[2]:,} tokens, and there are {count:,}"
        raise NodeError(detail, f"give {count:,} scores", field="generate")
    _check_tokens(name, settings, scores.shape[2])
    return place


def _check_tokens(name: str, settings: Generation, count: int) -> None:
    """Raise `NodeError` for a `stop` or an `exclude` that is said, and that none of `count` scores is about."""
    said = {"stop": [] if settings.stop is None else [settings.stop], "exclude": settings.exclude}
    for field in settings.model_fields_set & said.keys():
        unknown = [token for token in said[field] if token >= count]
        if unknown:
            detail = f"{field} of {name} is the token {unknown[0]:,}, which it never scores: there are {count:,}"
            raise NodeError(detail, f"use a number from 0 to {count - 1:,}", field=f"generate/{field}")
