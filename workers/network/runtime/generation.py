"""Free running: a Scan or a block that scores the next token gets the tokens that are chosen from its own scores.

`advance(tokens, state, fixed)` reads further tokens (N, L) of every row, and returns the scores (N, C) of the token
behind them and the next state. Only torch may be imported here, since `model.py` carries the source of these functions.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from workers.network.runtime.control_flow import Bodies, Body, as_tuple

State = tuple[Tensor, ...]
Advance = Callable[[Tensor, State, State], tuple[Tensor, State]]


class GeneratedTokens(NamedTuple):
    """The tokens that were added to each row."""

    tokens: Tensor  # int64 (N, T), the stop token included; 0 behind the end of a row
    lengths: Tensor  # int64 (N), the stop token counted
    log_probabilities: Tensor  # float64 (N, T), the network's own, of each token; 0 behind the end of a row
    ended: Tensor  # bool (N): whether the stop token came


def generate_from_scan(
    bodies: Bodies,
    *inputs: Tensor,
    carry: int,
    scores: int,
    lengths: bool = False,
    shared: tuple[int, ...] = (),
    **settings: Any,
) -> GeneratedTokens:
    """Run the body of a Scan along the tokens that are there, and on, along those that it chooses.

    `inputs` are the carry, the tokens (N, L), the lengths if there are any, and the other inputs. All rows have L
    tokens. `scores` is the output of the body that scores the next token; `shared` are the other inputs without a batch
    dimension. `settings` are those of `generate`.
    """
    fixed = inputs[carry + 1 + lengths :]
    advance = partial(advance_scan, bodies["body"], scores=scores)
    return generate(advance, inputs[carry], inputs[:carry], fixed, shared=shared, **settings)


def generate_from_block(
    body: Body, *inputs: Tensor, scores: int, shared: tuple[int, ...] = (), **settings: Any
) -> GeneratedTokens:
    """Run a block on the tokens (N, L), its first input, and again on every longer text that it makes of them.

    The other inputs stay. `scores` is its output (N, L, C) of scores. `settings` are those of `generate`.
    """
    advance = partial(advance_prefix, body, scores=scores)
    return generate(advance, inputs[0], (), inputs[1:], shared=shared, **settings)


def advance_scan(body: Body, tokens: Tensor, state: State, fixed: State, *, scores: int) -> tuple[Tensor, State]:
    """Read further tokens, step by step; the state is the carry."""
    outputs: State = ()
    for token in tokens.unbind(1):
        outputs = as_tuple(body(*state, token, *fixed))
        state = outputs[: len(state)]
    return outputs[scores], state


def advance_prefix(body: Body, tokens: Tensor, state: State, fixed: State, *, scores: int) -> tuple[Tensor, State]:
    """Read all tokens again, with further ones behind them; the state is the text."""
    text = torch.cat([*state, tokens], 1)
    outputs = as_tuple(body(text, *fixed))
    return outputs[scores][:, -1], (text,)


def generate(
    advance: Advance,
    prompt: Tensor,
    state: State,
    fixed: State,
    *,
    max_length: int,
    stop: int | None,
    exclude: Sequence[int] = (),
    method: str = "greedy",
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
    draws: Tensor | None = None,
    beams: int = 4,
    length_penalty: float = 1.0,
    shared: tuple[int, ...] = (),
) -> GeneratedTokens:
    """Add up to `max_length` tokens to every row of a prompt (N, L), by the method greedy, sample or beam.

    A row ends with the token `stop`; tokens of `exclude` are never chosen. With sample, row i takes its token t by the
    number [i, t] of `draws`, float64 (N, max_length) in 0..1: by default of `torch.rand` with a generator of the seed.
    """
    if method == "beam":
        return search_beams(
            advance,
            prompt,
            state,
            fixed,
            max_length=max_length,
            stop=stop,
            exclude=exclude,
            beams=beams,
            length_penalty=length_penalty,
            shared=shared,
        )
    numbers = (uniform_numbers(len(prompt), max_length, seed) if draws is None else draws).to(prompt.device)

    def choose(scores: Tensor, step: int) -> Tensor:
        if method == "greedy":
            return scores.argmax(1)
        return draw_tokens(scores, numbers[:, step], temperature, top_k, top_p)

    return follow_choices(advance, prompt, state, fixed, choose, max_length=max_length, stop=stop, exclude=exclude)


def uniform_numbers(rows: int, count: int, seed: int) -> Tensor:
    """Return the numbers by which rows are sampled: float64 (rows, count) in 0..1."""
    return torch.rand((rows, count), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def exclude_tokens(scores: Tensor, exclude: Sequence[int]) -> Tensor:
    """Return scores (N, C) that are minus infinity for some tokens."""
    places = [token for token in exclude if token < scores.shape[1]]
    return scores.index_fill(1, torch.tensor(places, device=scores.device), -torch.inf) if places else scores


def draw_tokens(
    scores: Tensor, numbers: Tensor, temperature: float, top_k: int | None = None, top_p: float | None = None
) -> Tensor:
    """Return a token for every row of scores (N, C): the one in whose share of the probability the number (N) falls.

    Tokens are in the order of their probabilities, of equal ones the first token first.
    """
    ordered, tokens = (scores.double() / temperature).sort(dim=1, descending=True, stable=True)
    shares = ordered.softmax(1)
    if top_k is not None:
        shares[:, top_k:] = 0.0
    if top_p is not None:  # a token stays if those before it do not reach the probability
        shares = shares.masked_fill(shares.cumsum(1) - shares >= top_p, 0.0)
    bounds = shares.cumsum(1)
    place = torch.searchsorted(bounds, numbers.unsqueeze(1) * bounds[:, -1:], right=True)
    last = (shares > 0).sum(1, keepdim=True) - 1
    return tokens.gather(1, place.minimum(last)).squeeze(1)


def follow_choices(
    advance: Advance,
    prompt: Tensor,
    state: State,
    fixed: State,
    choose: Callable[[Tensor, int], Tensor],
    *,
    max_length: int,
    stop: int | None,
    exclude: Sequence[int],
) -> GeneratedTokens:
    """Add the tokens that `choose(scores, step)` names, until every row has ended."""
    scores, state = advance(prompt, state, fixed)
    ended = torch.zeros(len(prompt), dtype=torch.bool, device=prompt.device)
    lengths = torch.zeros(len(prompt), dtype=torch.int64, device=prompt.device)
    tokens: list[Tensor] = []
    likelihoods: list[Tensor] = []
    for step in range(max_length):
        if step:
            scores, state = advance(tokens[-1].unsqueeze(1), state, fixed)
        token = choose(exclude_tokens(scores, exclude), step)
        likelihood = scores.double().log_softmax(1).gather(1, token.unsqueeze(1)).squeeze(1)
        tokens.append(token.masked_fill(ended, 0))
        likelihoods.append(likelihood.masked_fill(ended, 0.0))
        lengths += ~ended
        if stop is not None:
            ended = ended | (token == stop)
            if bool(ended.all()):
                break
    return GeneratedTokens(torch.stack(tokens, 1), lengths, torch.stack(likelihoods, 1), ended)


def search_beams(
    advance: Advance,
    prompt: Tensor,
    state: State,
    fixed: State,
    *,
    max_length: int,
    stop: int | None,
    exclude: Sequence[int],
    beams: int,
    length_penalty: float,
    shared: tuple[int, ...] = (),
) -> GeneratedTokens:
    """Return the best text of a beam search: rows times beams at once, whose states are reordered at every step.

    A text that ends leaves its place to others. The search of a row ends when no text that goes on can be better than
    the best that has ended: log probabilities only fall, and no text is longer than `max_length`.
    """
    rows, device = len(prompt), prompt.device
    scores, state = advance(prompt, state, fixed)
    scores, *expanded = (value.repeat_interleave(beams, 0) for value in (scores, *state))
    state = tuple(expanded)
    fixed = tuple(value if place in shared else value.repeat_interleave(beams, 0) for place, value in enumerate(fixed))
    sums = torch.full((rows, beams), -torch.inf, dtype=torch.float64, device=device)
    sums[:, 0] = 0.0  # the beams begin alike: the first alone counts
    tokens = torch.zeros((rows, beams, max_length), dtype=torch.int64, device=device)
    likelihoods = torch.zeros((rows, beams, max_length), dtype=torch.float64, device=device)
    best = BestTexts(rows, max_length, device)
    first = torch.arange(rows, device=device).unsqueeze(1) * beams
    for step in range(max_length):
        if step:
            scores, state = advance(tokens[:, :, step - 1].reshape(-1, 1), state, fixed)
        each = scores.double().log_softmax(1)
        totals = sums.unsqueeze(2) + exclude_tokens(each, exclude).view(rows, beams, -1)
        each = each.view(rows, beams, -1)
        if stop is not None:
            ending = totals[:, :, stop] / (step + 1) ** length_penalty
            best.take(ending, tokens, likelihoods, step, stop, each[:, :, stop])
            totals[:, :, stop] = -torch.inf
        order = totals.flatten(1).sort(dim=1, descending=True, stable=True).indices[:, :beams]
        sums = totals.flatten(1).gather(1, order)
        origin, token = order // each.shape[2], order % each.shape[2]
        chosen = each.flatten(1).gather(1, order)
        places = (first + origin).flatten()
        state = tuple(value.index_select(0, places) for value in state)
        tokens = tokens.flatten(0, 1).index_select(0, places).view(rows, beams, max_length)
        likelihoods = likelihoods.flatten(0, 1).index_select(0, places).view(rows, beams, max_length)
        tokens[:, :, step], likelihoods[:, :, step] = token, chosen
        if bool((best.score >= sums[:, 0] / max_length**length_penalty).all()):
            break
    else:
        best.take(sums / max_length**length_penalty, tokens, likelihoods, max_length)
    return best.generated()


class BestTexts:
    """The best text of each row so far."""

    def __init__(self, rows: int, max_length: int, device: torch.device) -> None:
        self.score = torch.full((rows,), -torch.inf, dtype=torch.float64, device=device)
        self.tokens = torch.zeros((rows, max_length), dtype=torch.int64, device=device)
        self.likelihoods = torch.zeros((rows, max_length), dtype=torch.float64, device=device)
        self.lengths = torch.zeros(rows, dtype=torch.int64, device=device)
        self.ended = torch.zeros(rows, dtype=torch.bool, device=device)

    def take(
        self,
        scores: Tensor,
        tokens: Tensor,
        likelihoods: Tensor,
        length: int,
        stop: int | None = None,
        stop_likelihood: Tensor | None = None,
    ) -> None:
        """Keep the best beam of each row, by scores (N, beams), if it is better; `length` tokens, then `stop`."""
        score, beam = scores.max(1)
        row = torch.arange(len(scores), device=scores.device)
        text, likelihood = tokens[row, beam].clone(), likelihoods[row, beam].clone()
        if stop is not None and stop_likelihood is not None:
            text[:, length], likelihood[:, length] = stop, stop_likelihood[row, beam]
        better = score > self.score
        self.score = torch.where(better, score, self.score)
        self.tokens = torch.where(better.unsqueeze(1), text, self.tokens)
        self.likelihoods = torch.where(better.unsqueeze(1), likelihood, self.likelihoods)
        self.lengths = torch.where(better, length + (stop is not None), self.lengths)
        self.ended = torch.where(better, stop is not None, self.ended)

    def generated(self) -> GeneratedTokens:
        """Return the texts, no longer than the longest."""
        width = int(self.lengths.max()) if len(self.lengths) else 0
        return GeneratedTokens(self.tokens[:, :width], self.lengths, self.likelihoods[:, :width], self.ended)
