"""Tokenizers, trained on texts with the library of that name: the same texts give the same one, to the bit.

What the library does in threads is switched off: a fork would inherit their locks, and a job has cores of its own.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from app.spec.data.features import Tokenizer as Plan

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the library reads it at every call

PADDING, UNKNOWN = 0, 1  # codes of every tokenizer
SPECIAL = ("[PAD]", "[UNK]")
WORDS = Regex(r"\w{1,100}|[^\w\s]")  # letters, marks and digits together; every other sign alone
ANY = Regex(r"[\s\S]")
STRETCH = Regex(r"[\s\S]{1,100}")  # what BPE looks at in one: its time grows with the square of it
INSIDE = "##"  # what WordPiece writes before a piece that does not begin a word


def _plain(model: models.Model, splitter: pre_tokenizers.PreTokenizer | None, plan: Plan) -> Tokenizer:
    tokenizer = Tokenizer(model)
    steps = [normalizers.NFC(), *([normalizers.Lowercase()] if plan.lowercase else [])]
    tokenizer.normalizer = normalizers.Sequence(steps)
    if splitter is not None:
        tokenizer.pre_tokenizer = splitter
    return tokenizer


def _finished(tokenizer: Tokenizer, texts: Iterable[str], trainer: trainers.Trainer) -> Tokenizer:
    """Train, and forget what is special: a text in which "[PAD]" is written has no padding in it."""
    tokenizer.train_from_iterator(texts, trainer)
    return loaded(json.loads(tokenizer.to_str()) | {"added_tokens": []})


def _frequent(plan: Plan) -> trainers.WordLevelTrainer:
    return trainers.WordLevelTrainer(vocab_size=plan.vocabulary, min_frequency=plan.min_count, show_progress=False,
                                     special_tokens=list(SPECIAL))  # fmt: skip


def _words(plan: Plan, texts: Iterable[str]) -> Tokenizer:
    splitter = pre_tokenizers.Split(WORDS, "removed", invert=True)
    return _finished(_plain(models.WordLevel(unk_token=SPECIAL[1]), splitter, plan), texts, _frequent(plan))


def _characters(plan: Plan, texts: Iterable[str]) -> Tokenizer:
    splitter = pre_tokenizers.Split(ANY, "isolated")
    tokenizer = _finished(_plain(models.WordLevel(unk_token=SPECIAL[1]), splitter, plan), texts, _frequent(plan))
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


def _bytes(plan: Plan, texts: Iterable[str]) -> Tokenizer:
    splitter = pre_tokenizers.Sequence(
        [pre_tokenizers.ByteLevel(add_prefix_space=False), pre_tokenizers.Split(STRETCH, "isolated")]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=plan.vocabulary, min_frequency=plan.min_count, show_progress=False,
        special_tokens=list(SPECIAL), initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    tokenizer = _finished(_plain(models.BPE(unk_token=SPECIAL[1]), splitter, plan), texts, trainer)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _pieces(plan: Plan, texts: Iterable[str]) -> Tokenizer:
    """Train WordPiece on the most frequent signs, numbered beforehand: the library would in an order that varies."""
    texts = list(texts)
    tokenizer = _plain(
        models.WordPiece(unk_token=SPECIAL[1]), pre_tokenizers.Split(WORDS, "removed", invert=True), plan
    )
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update("".join(tokenizer.normalizer.normalize_str(text).split()))
    signs = sorted(counts, key=lambda sign: (-counts[sign], sign))[: (plan.vocabulary - len(SPECIAL)) // 2]
    trainer = trainers.WordPieceTrainer(
        vocab_size=plan.vocabulary, min_frequency=plan.min_count, show_progress=False, initial_alphabet=signs,
        limit_alphabet=len(signs), special_tokens=[*SPECIAL, *(INSIDE + sign for sign in signs)],
        continuing_subword_prefix=INSIDE,
    )  # fmt: skip
    tokenizer = _finished(tokenizer, texts, trainer)
    tokenizer.decoder = decoders.WordPiece(INSIDE)
    return tokenizer


KINDS: Mapping[str, Callable[[Plan, Iterable[str]], Tokenizer]] = {
    "word": _words,
    "character": _characters,
    "bpe": _bytes,
    "wordpiece": _pieces,
}


def trained(plan: Plan, texts: Iterable[str]) -> Tokenizer:
    """Train a tokenizer on texts."""
    return KINDS[plan.kind](plan, texts)


def trained_on_words(plan: Plan, words: Iterable[str]) -> Tokenizer:
    """Train a tokenizer for lists of words, each of which is a token as it is."""
    plain = (word for word in words if word not in SPECIAL)
    return _finished(_plain(models.WordLevel(unk_token=SPECIAL[1]), None, plan), plain, _frequent(plan))


def loaded(document: object) -> Tokenizer:
    """Return a tokenizer from the JSON that it has written."""
    return Tokenizer.from_str(json.dumps(document))
