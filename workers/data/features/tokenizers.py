"""Tokenizers, trained on texts with the library of that name: the same texts give the same one, to the bit.

What the library does in threads is switched off: a fork would inherit their locks, and a job has cores of its own.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from app.spec.data.sequence_features import Tokenizer as Plan

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the library reads it at every call

PAD_ID, UNK_ID = 0, 1  # codes of every tokenizer
SPECIAL_TOKENS = ("[PAD]", "[UNK]")
WORD_PATTERN = Regex(r"\w{1,100}|[^\w\s]")  # letters, marks and digits together; every other sign alone
CHARACTER_PATTERN = Regex(r"[\s\S]")
BPE_CHUNK_PATTERN = Regex(r"[\s\S]{1,100}")  # what BPE looks at in one: its time grows with the square of it
SUBWORD_PREFIX = "##"  # what WordPiece writes before a piece that does not begin a word


def _new_tokenizer(model: models.Model, splitter: pre_tokenizers.PreTokenizer | None, plan: Plan) -> Tokenizer:
    tokenizer = Tokenizer(model)
    steps = [normalizers.NFC(), *([normalizers.Lowercase()] if plan.lowercase else [])]
    tokenizer.normalizer = normalizers.Sequence(steps)
    if splitter is not None:
        tokenizer.pre_tokenizer = splitter
    return tokenizer


def _train(tokenizer: Tokenizer, texts: Iterable[str], trainer: trainers.Trainer) -> Tokenizer:
    """Train, and forget what is special: a text in which "[PAD]" is written has no padding in it."""
    tokenizer.train_from_iterator(texts, trainer)
    return load_tokenizer(json.loads(tokenizer.to_str()) | {"added_tokens": []})


def _word_level_trainer(plan: Plan) -> trainers.WordLevelTrainer:
    return trainers.WordLevelTrainer(
        vocab_size=plan.vocabulary,
        min_frequency=plan.min_count,
        show_progress=False,
        special_tokens=list(SPECIAL_TOKENS),
    )


def _train_word(plan: Plan, texts: Iterable[str]) -> Tokenizer:
    splitter = pre_tokenizers.Split(WORD_PATTERN, "removed", invert=True)
    return _train(
        _new_tokenizer(models.WordLevel(unk_token=SPECIAL_TOKENS[1]), splitter, plan), texts, _word_level_trainer(plan)
    )


def _train_character(plan: Plan, texts: Iterable[str]) -> Tokenizer:
    splitter = pre_tokenizers.Split(CHARACTER_PATTERN, "isolated")
    tokenizer = _train(
        _new_tokenizer(models.WordLevel(unk_token=SPECIAL_TOKENS[1]), splitter, plan), texts, _word_level_trainer(plan)
    )
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


def _train_bpe(plan: Plan, texts: Iterable[str]) -> Tokenizer:
    splitter = pre_tokenizers.Sequence(
        [pre_tokenizers.ByteLevel(add_prefix_space=False), pre_tokenizers.Split(BPE_CHUNK_PATTERN, "isolated")]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=plan.vocabulary,
        min_frequency=plan.min_count,
        show_progress=False,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer = _train(_new_tokenizer(models.BPE(unk_token=SPECIAL_TOKENS[1]), splitter, plan), texts, trainer)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _train_wordpiece(plan: Plan, texts: Iterable[str]) -> Tokenizer:
    """Train WordPiece on the most frequent signs, numbered beforehand: the library would in an order that varies."""
    texts = list(texts)
    tokenizer = _new_tokenizer(
        models.WordPiece(unk_token=SPECIAL_TOKENS[1]), pre_tokenizers.Split(WORD_PATTERN, "removed", invert=True), plan
    )
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update("".join(tokenizer.normalizer.normalize_str(text).split()))
    signs = sorted(counts, key=lambda sign: (-counts[sign], sign))[: (plan.vocabulary - len(SPECIAL_TOKENS)) // 2]
    trainer = trainers.WordPieceTrainer(
        vocab_size=plan.vocabulary,
        min_frequency=plan.min_count,
        show_progress=False,
        initial_alphabet=signs,
        limit_alphabet=len(signs),
        special_tokens=[*SPECIAL_TOKENS, *(SUBWORD_PREFIX + sign for sign in signs)],
        continuing_subword_prefix=SUBWORD_PREFIX,
    )
    tokenizer = _train(tokenizer, texts, trainer)
    tokenizer.decoder = decoders.WordPiece(SUBWORD_PREFIX)
    return tokenizer


TOKENIZER_TRAINERS: Mapping[str, Callable[[Plan, Iterable[str]], Tokenizer]] = {
    "word": _train_word,
    "character": _train_character,
    "bpe": _train_bpe,
    "wordpiece": _train_wordpiece,
}


def train_tokenizer(plan: Plan, texts: Iterable[str]) -> Tokenizer:
    """Train a tokenizer on texts."""
    return TOKENIZER_TRAINERS[plan.kind](plan, texts)


def train_word_tokenizer(plan: Plan, words: Iterable[str]) -> Tokenizer:
    """Train a tokenizer for lists of words, each of which is a token as it is."""
    plain = (word for word in words if word not in SPECIAL_TOKENS)
    return _train(
        _new_tokenizer(models.WordLevel(unk_token=SPECIAL_TOKENS[1]), None, plan), plain, _word_level_trainer(plan)
    )


def load_tokenizer(document: object) -> Tokenizer:
    """Return a tokenizer from the JSON that it has written."""
    return Tokenizer.from_str(json.dumps(document))
