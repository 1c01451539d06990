"""Texts that a trained network generates: settings of a request over those of the job, and the form of the result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from app.errors import InvalidInput, NotPredictable, Problem
from app.spec.data.columns import Column
from app.spec.network.generation import Generation, GenerationOptions, generation_arguments
from app.spec.prediction import PredictionOptions
from workers.data.columns import PreparedColumn, RaggedTensor
from workers.data.features.texts import TextPreprocessor
from workers.network.runtime.build import BuiltNetwork
from workers.network.runtime.free_run import free_run
from workers.network.runtime.generation import GeneratedTokens, uniform_numbers

MAX_TOKENS = 1_000_000  # of one request
CAUSAL_TOLERANCE = 1e-2  # of log probabilities, far beyond the rounding of sums
TEXT_DESCRIPTION: Mapping[str, Any] = {"about": "text", "labels": None}  # of an output that is generated
Settings = Mapping[str, Any]  # arguments of `workers.network.runtime.generation.generate`


@dataclass(frozen=True)
class TextGenerator:
    """The node of a network that generates, and the feature whose tokens it goes on with."""

    output: str  # of the network: the scores
    column: Column  # the tokens that it reads
    texts: TextPreprocessor | None  # `None`: the data has the tokens as numbers
    settings: Generation
    is_scan: bool  # a block reads the whole text at every step, so it is no longer than in training

    def settings_for(self, options: GenerationOptions, prompt: int) -> Settings:
        """Return the settings for rows of `prompt` tokens.

        Raises `InvalidInput` for more tokens than the network reads. Without a `max_length` of the request the job's
        counts, as far as there is room.
        """
        merged = options.merged(self.settings)
        room = self.column.shape[0] - prompt + 1 if not self.is_scan else merged.max_length
        if room < (options.max_length or 1):
            detail = (
                f"a row begins with {prompt} tokens, and the network reads {self.column.shape[0]} at most: "
                f"{max(room, 0)} can be added"
            )
            hint = "shorten the row" if room < 1 else f"use at most {room}, or shorten the row"
            raise InvalidInput([Problem("/generate/max_length", "too_long", detail, hint)])
        arguments = generation_arguments(merged.model_copy(update={"max_length": min(merged.max_length, room)}))
        known = self.texts.tokenizer.get_vocab_size() if self.texts is not None else self.column.classes or 0
        return {**arguments, "exclude": (*merged.exclude, *range(known, self.column.classes or known))}

    def prompts(self, inputs: Mapping[str, PreparedColumn]) -> dict[str, PreparedColumn]:
        """Return the inputs with tokens that are padded to nothing but the longest row of a batch.

        Raises `InvalidInput` for rows that lost their end.
        """
        tokens = inputs[self.column.name]
        if not isinstance(tokens, RaggedTensor):
            return dict(inputs)
        if tokens.truncated_count:
            rows = "1 row has" if tokens.truncated_count == 1 else f"{tokens.truncated_count:,} rows have"
            detail = f'{rows} more than {self.column.shape[0]} tokens in "{self.column.name}"'
            raise InvalidInput([Problem("/rows", "too_long", detail, "shorten them: the network goes on at their end")])
        return {**inputs, self.column.name: replace(tokens, min_length=1)}

    def random_numbers(self, options: GenerationOptions, rows: int, seed: int) -> Tensor | None:
        """Return the random numbers of all rows, (rows, tokens); `None` if nothing is drawn.

        Raises `InvalidInput` for too many tokens.
        """
        merged = options.merged(self.settings)
        if rows * merged.max_length > MAX_TOKENS:
            detail = f"{rows:,} rows of up to {merged.max_length:,} tokens are more than {MAX_TOKENS:,} tokens"
            hint = f"use at most {MAX_TOKENS // rows:,}, or send fewer rows"
            raise InvalidInput([Problem("/generate/max_length", "too_long", detail, hint)])
        return uniform_numbers(rows, merged.max_length, seed) if merged.method.kind == "sample" else None

    def generate(self, network: BuiltNetwork, values: Mapping[str, Tensor], settings: Settings) -> list[dict[str, Any]]:
        """Return the fields of every row. Raises `NotPredictable` for a block that sees later tokens."""
        generated = free_run(network, values, settings)
        if not self.is_scan:
            self._check_order(network, values, generated)
        rows = zip(
            generated.tokens.tolist(),
            generated.lengths.tolist(),
            generated.log_probabilities.tolist(),
            generated.ended.tolist(),
            strict=True,
        )
        return [
            self._fields(tokens[:length], likelihoods[:length], ended) for tokens, length, likelihoods, ended in rows
        ]

    def _check_order(self, network: BuiltNetwork, values: Mapping[str, Tensor], generated: GeneratedTokens) -> None:
        """Raise `NotPredictable` if the scores of the first row are others where its text is given as a whole."""
        length, prompt = int(generated.lengths[0]), values[self.column.name][:1]
        text = torch.cat([prompt, generated.tokens[:1, :length]], 1)[:, :-1]
        whole = network({**{name: value[:1] for name, value in values.items()}, self.column.name: text})[self.output]
        each = whole[0, prompt.shape[1] - 1 :].double().log_softmax(1)
        expected = each.gather(1, generated.tokens[0, :length].unsqueeze(1)).squeeze(1)
        if not torch.allclose(expected, generated.log_probabilities[0, :length], atol=CAUSAL_TOLERANCE, rtol=0):
            detail = (
                "the scores of a place change with the tokens behind it, which do not exist where a text is generated"
            )
            raise NotPredictable(f"{detail}: the block that generates is not causal, and has learned to look ahead")

    def _fields(self, tokens: Sequence[int], likelihoods: Sequence[float], ended: bool) -> dict[str, Any]:
        text = {"text": self.texts.text(tokens)} if self.texts is not None else {}
        names = (
            [self.texts.tokenizer.id_to_token(token) or "" for token in tokens] if self.texts is not None else tokens
        )
        end = "stop" if ended else "max_length"
        return {**text, "tokens": list(names), "log_probabilities": list(likelihoods), "ended": end}


def generation_options(generator: TextGenerator | None, options: PredictionOptions) -> GenerationOptions | None:
    """Return what a request says of the generation; `None` if nothing is generated.

    Raises `InvalidInput` for settings of a network that does not generate, and for other forms of a text.
    """
    if generator is None:
        if options.generate not in (None, False):
            detail = "the network generates nothing: none of its nodes has generate"
            raise InvalidInput([Problem("/generate", "contradiction", detail, "remove generate")])
        return None
    if options.generate is False:
        return None
    if options.outputs != ("labels",) or options.top is not None:
        detail = "the network generates a text, which has no probabilities of labels and no raw form"
        field = "/top" if options.outputs == ("labels",) else "/outputs"
        hint = 'add "generate": false for scores at each place of the text that is given'
        raise InvalidInput([Problem(field, "contradiction", detail, hint)])
    return options.generate or GenerationOptions()
