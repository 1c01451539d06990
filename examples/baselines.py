"""Baselines on the real data sets: ``python -m examples.baselines FOLDER``, after `examples.data all`.

    tweets, mails, docstrings   logistic regression on TF-IDF of words and pairs of words
    tags            the most frequent tag of each token
    trees           logistic regression on how often each kind of node occurs
    airline         the same month a year before, and exponential smoothing: see `forecast_baselines`
    vowels          logistic regression on each coefficient's mean, deviation, first and last value
    plane, diabetes least squares in closed form
    vae, denoising  the same networks in a plain loop of PyTorch, on Fashion-MNIST
    characters      the same network in a plain loop of PyTorch

Hyperparameters are selected on a tenth of the training examples; the test set is used once, at the end.
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, log_loss
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from examples.data.files import read_conll, read_csv, read_jsonl
from examples.forecast_baselines import airline_baseline
from examples.generative_baselines import denoising_baseline, vae_baseline
from examples.plain_characters import characters_baseline

DIABETES = Path(__file__).parents[1] / "workers" / "data" / "samples" / "diabetes.npz"
REGULARIZATION_STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
TOKEN_PATTERNS = {"words": r"(?u)\b\w\w+\b", "words and marks": r"\w+|[^\w\s]"}
MAX_ITERATIONS = 2000

Span = tuple[str, int, int]


def texts_baseline(folder: Path) -> dict[str, Any]:
    """Return the scores of TF-IDF with logistic regression on a table of texts."""
    parts = [read_csv(folder / f"{part}.csv") for part in ("train", "test")]
    candidates = {
        f"{name}, C={strength:g}": make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=pattern),
            LogisticRegression(C=strength, max_iter=MAX_ITERATIONS),
        )
        for name, pattern in TOKEN_PATTERNS.items()
        for strength in REGULARIZATION_STRENGTHS
    }
    return _best_on_validation(candidates, *parts)


def trees_baseline(folder: Path) -> dict[str, Any]:
    """Return the scores of a bag of nodes: the counts of kinds, or their logarithms."""
    parts = [read_jsonl(folder / f"{part}.jsonl") for part in ("train", "test")]
    bags = [([Counter(node_kinds(row["tree"])) for row in part], [row["label"] for row in part]) for part in parts]
    candidates = {
        f"{name}, C={strength:g}": make_pipeline(
            DictVectorizer(sparse=False),
            FunctionTransformer(function),
            StandardScaler(),
            LogisticRegression(C=strength, max_iter=MAX_ITERATIONS),
        )
        for name, function in {"counts": None, "logarithms": np.log1p}.items()
        for strength in REGULARIZATION_STRENGTHS
    }
    return _best_on_validation(candidates, *bags)


def series_baseline(folder: Path) -> dict[str, Any]:
    """Return the scores of summary statistics of each utterance."""
    parts = [read_jsonl(folder / f"{part}.jsonl") for part in ("train", "test")]
    figures = [([sequence_statistics(row["series"]) for row in part], [row["label"] for row in part]) for part in parts]
    candidates = {
        f"C={strength:g}": make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=MAX_ITERATIONS))
        for strength in REGULARIZATION_STRENGTHS
    }
    return _best_on_validation(candidates, *figures)


def _best_on_validation(
    candidates: Mapping[str, Pipeline], train: tuple[Sequence[Any], Sequence[str]], test: tuple[Any, Sequence[str]]
) -> dict[str, Any]:
    """Return the test scores of the candidate that is best on a tenth of the training examples, refitted on all."""
    content, labels = train
    is_validation = np.arange(len(labels)) % 10 == 9
    fitted = [(each, label) for each, label, out in zip(content, labels, is_validation, strict=True) if not out]
    scored = [(each, label) for each, label, out in zip(content, labels, is_validation, strict=True) if out]
    scores = {
        name: model.fit(*zip(*fitted, strict=True)).score(*zip(*scored, strict=True))
        for name, model in candidates.items()
    }
    name = max(scores, key=lambda each: scores[each])
    best = candidates[name].fit(content, labels)
    predictions, probabilities = best.predict(test[0]), best.predict_proba(test[0])
    return {
        "chosen": name,
        "validation accuracy": round(scores[name], 4),
        "accuracy": round(float(np.mean(predictions == np.array(test[1]))), 6),
        "macro F1": round(float(f1_score(test[1], predictions, average="macro")), 4),
        "log loss": round(float(log_loss(test[1], probabilities, labels=best.classes_)), 6),
        "train": len(labels),
        "test": len(test[1]),
    }


def node_kinds(tree: Mapping[str, Any]) -> Iterator[str]:
    """Yield the kind of each node of a tree."""
    yield tree["label"]
    for child in tree["children"]:
        yield from node_kinds(child)


def sequence_statistics(frames: Sequence[Sequence[float]]) -> np.ndarray:
    """Return means, standard deviations, first and last values of a series (T, C), as an array (4 C)."""
    table = np.array(frames)
    return np.concatenate([table.mean(0), table.std(0), table[0], table[-1]])


def tags_baseline(folder: Path) -> dict[str, Any]:
    """Return the scores of each token's most frequent tag; unknown tokens are outside (O)."""
    train, test = (read_conll(folder / f"{part}.conll") for part in ("train", "test"))
    tag_of = most_frequent_tags(train)
    guesses = [[tag_of.get(token, "O") for token in tokens] for tokens, _ in test]
    truths = [tags for _, tags in test]
    right = [guess == truth for row in zip(guesses, truths, strict=True) for guess, truth in zip(*row, strict=True)]
    precision, recall, f1 = span_scores(guesses, truths)
    return {
        "accuracy": round(sum(right) / len(right), 4),
        "span precision": round(precision, 4),
        "span recall": round(recall, 4),
        "span F1": round(f1, 4),
        "train": len(train),
        "test": len(test),
        "test spans": sum(len(entity_spans(truth)) for truth in truths),
    }


def most_frequent_tags(sentences: Sequence[tuple[Sequence[str], Sequence[str]]]) -> dict[str, str]:
    """Return each token's most frequent tag."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for tokens, tags in sentences:
        for token, tag in zip(tokens, tags, strict=True):
            counts[token][tag] += 1
    return {token: counted.most_common(1)[0][0] for token, counted in counts.items()}


def entity_spans(tags: Sequence[str]) -> set[Span]:
    """Return (kind, start, end) of spans in the IOB2 scheme; an I- without its B- is ignored."""
    spans: set[Span] = set()
    kind, start = "", 0
    for index, tag in enumerate([*tags, "O"]):
        if kind and tag != f"I-{kind}":
            spans.add((kind, start, index))
            kind = ""
        if tag.startswith("B-"):
            kind, start = tag[2:], index
    return spans


def span_scores(guesses: Sequence[Sequence[str]], truths: Sequence[Sequence[str]]) -> tuple[float, float, float]:
    """Return precision, recall and F1 of spans; a correct span has the right kind, start and end."""
    pairs = [(entity_spans(guess), entity_spans(truth)) for guess, truth in zip(guesses, truths, strict=True)]
    right = sum(len(guessed & true) for guessed, true in pairs)
    guessed, true = (sum(len(pair[side]) for pair in pairs) for side in (0, 1))
    return right / max(guessed, 1), right / max(true, 1), 2 * right / max(guessed + true, 1)


def diabetes_baseline(_folder: Path) -> dict[str, Any]:
    """Return the mean squared error of least squares on all rows of the bundled sample."""
    with np.load(DIABETES, allow_pickle=False) as archive:
        return {"mean square": least_squares_error(archive["x"], archive["y"]), "rows": len(archive["y"])}


def plane_baseline(folder: Path) -> dict[str, Any]:
    """Return the mean squared error of least squares on the synthetic rows."""
    rows = np.loadtxt(folder / "plane.csv", delimiter=",", skiprows=1)
    return {"mean square": least_squares_error(rows[:, :-1], rows[:, -1]), "rows": len(rows)}


def least_squares_error(x: np.ndarray, y: np.ndarray) -> float:
    """Return the smallest mean of (y - (x w + b))² over w and b."""
    columns = np.column_stack([x, np.ones(len(x))]).astype(np.float64)
    target = y.reshape(len(x), -1).astype(np.float64)
    weights = np.linalg.lstsq(columns, target, rcond=None)[0]
    return float(np.mean((target - columns @ weights) ** 2))


BASELINES: Mapping[str, Callable[[Path], dict[str, Any]]] = {
    "tweets": texts_baseline,
    "mails": texts_baseline,
    "docstrings": texts_baseline,
    "tags": tags_baseline,
    "trees": trees_baseline,
    "vowels": series_baseline,
    "airline": airline_baseline,
    "plane": plane_baseline,
    "diabetes": diabetes_baseline,
    "vae": vae_baseline,
    "denoising": denoising_baseline,
    "characters": characters_baseline,
}
DATA = {"vae": "fashion", "denoising": "fashion"}  # where the folder has another name


def main() -> None:
    """Print a line of JSON per baseline."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="contains a folder per data set")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: {', '.join(BASELINES)}")
    arguments = parser.parse_args()
    for name in arguments.names or BASELINES:
        sys.stdout.write(json.dumps({"data": name, **BASELINES[name](arguments.folder / DATA.get(name, name))}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
