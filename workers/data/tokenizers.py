"""Tokenizers, trained with the library tokenizers: equal texts give equal tokenizers, to the bit.

The library's threads are switched off: a fork would inherit their locks, and a job has cores of its own.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from app.spec.data.sequence_features import Tokenizer as TokenizerSettings

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the library reads it at every call

PAD_ID, UNK_ID = 0, 1  # codes of every tokenizer
PADDING, UNKNOWN, _, _ = SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[BEGIN]", "[END]")  # the last two of generated texts
PLAIN_SPECIAL_TOKENS = SPECIAL_TOKENS[:2]
WORD_PATTERN = Regex(r"\w{1,100}|[^\w\s]")  # letters, marks and digits together; other characters alone
CHARACTER_PATTERN = Regex(r"[\s\S]")
BPE_CHUNK_PATTERN = Regex(r"[\s\S]{1,100}")  # its time grows with the square of the length
SUBWORD_PREFIX = "##"  # of WordPiece, before a piece that does not begin a word


def _new_tokenizer(
    model: models.Model, splitter: pre_tokenizers.PreTokenizer | None, settings: TokenizerSettings
) -> Tokenizer:
    tokenizer = Tokenizer(model)
    steps = [normalizers.NFC(), *([normalizers.Lowercase()] if settings.lowercase else [])]
    tokenizer.normalizer = normalizers.Sequence(steps)
    if splitter is not None:
        tokenizer.pre_tokenizer = splitter
    return tokenizer


def _train(tokenizer: Tokenizer, texts: Iterable[str], trainer: trainers.Trainer) -> Tokenizer:
    """Train, without special tokens: a text that contains "[PAD]" has no padding in it."""
    tokenizer.train_from_iterator(texts, trainer)
    return load_tokenizer(json.loads(tokenizer.to_str()) | {"added_tokens": []})


def _train_word_level(
    splitter: pre_tokenizers.PreTokenizer | None,
    settings: TokenizerSettings,
    texts: Iterable[str],
    special_tokens: Sequence[str],
) -> Tokenizer:
    trainer = trainers.WordLevelTrainer(
        vocab_size=settings.vocabulary,
        min_frequency=settings.min_count,
        show_progress=False,
        special_tokens=list(special_tokens),
    )
    return _train(_new_tokenizer(models.WordLevel(unk_token=UNKNOWN), splitter, settings), texts, trainer)


def _train_word(settings: TokenizerSettings, texts: Iterable[str], special_tokens: Sequence[str]) -> Tokenizer:
    return _train_word_level(
        pre_tokenizers.Split(WORD_PATTERN, "removed", invert=True), settings, texts, special_tokens
    )


def _train_character(settings: TokenizerSettings, texts: Iterable[str], special_tokens: Sequence[str]) -> Tokenizer:
    tokenizer = _train_word_level(pre_tokenizers.Split(CHARACTER_PATTERN, "isolated"), settings, texts, special_tokens)
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


def _train_bpe(settings: TokenizerSettings, texts: Iterable[str], special_tokens: Sequence[str]) -> Tokenizer:
    splitter = pre_tokenizers.Sequence(
        [pre_tokenizers.ByteLevel(add_prefix_space=False), pre_tokenizers.Split(BPE_CHUNK_PATTERN, "isolated")]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=settings.vocabulary,
        min_frequency=settings.min_count,
        show_progress=False,
        special_tokens=list(special_tokens),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer = _train(_new_tokenizer(models.BPE(unk_token=UNKNOWN), splitter, settings), texts, trainer)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _train_wordpiece(settings: TokenizerSettings, texts: Iterable[str], special_tokens: Sequence[str]) -> Tokenizer:
    """Train WordPiece with the most frequent characters numbered beforehand, as the library's order of them varies."""
    texts = list(texts)
    tokenizer = _new_tokenizer(
        models.WordPiece(unk_token=UNKNOWN), pre_tokenizers.Split(WORD_PATTERN, "removed", invert=True), settings
    )
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update("".join(tokenizer.normalizer.normalize_str(text).split()))
    characters = sorted(counts, key=lambda character: (-counts[character], character))[
        : (settings.vocabulary - len(special_tokens)) // 2
    ]
    trainer = trainers.WordPieceTrainer(
        vocab_size=settings.vocabulary,
        min_frequency=settings.min_count,
        show_progress=False,
        initial_alphabet=characters,
        limit_alphabet=len(characters),
        special_tokens=[*special_tokens, *(SUBWORD_PREFIX + character for character in characters)],
        continuing_subword_prefix=SUBWORD_PREFIX,
    )
    tokenizer = _train(tokenizer, texts, trainer)
    tokenizer.decoder = decoders.WordPiece(SUBWORD_PREFIX)
    return tokenizer


TOKENIZER_TRAINERS: Mapping[str, Callable[[TokenizerSettings, Iterable[str], Sequence[str]], Tokenizer]] = {
    "word": _train_word,
    "character": _train_character,
    "bpe": _train_bpe,
    "wordpiece": _train_wordpiece,
}


def train_tokenizer(
    settings: TokenizerSettings, texts: Iterable[str], special_tokens: Sequence[str] = PLAIN_SPECIAL_TOKENS
) -> Tokenizer:
    """Train a tokenizer on texts; `special_tokens` have the first numbers, in order."""
    return TOKENIZER_TRAINERS[settings.kind](settings, texts, special_tokens)


def train_word_tokenizer(
    settings: TokenizerSettings, words: Iterable[str], special_tokens: Sequence[str] = PLAIN_SPECIAL_TOKENS
) -> Tokenizer:
    """Train a tokenizer for lists of words, each of which is one token."""
    return _train_word_level(None, settings, (word for word in words if word not in special_tokens), special_tokens)


def load_tokenizer(document: object) -> Tokenizer:
    """Return a tokenizer from its JSON."""
    return Tokenizer.from_str(json.dumps(document))
