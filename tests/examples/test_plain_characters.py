"""The plain loop of the character model: the job begins with its weights, and counts characters as it does."""

import json
from pathlib import Path

import torch
from torch import nn

from app.spec.data.columns import Column, DataSchema
from app.spec.data.sequence_features import Tokenizer
from app.spec.job import parse_job
from examples.data.files import write_jsonl
from examples.plain_characters import characters_baseline, initial_model, number_characters
from tests.examples.example_runner import EXAMPLES_FOLDER
from workers.data.tokenizers import SPECIAL_TOKENS, train_tokenizer
from workers.network.runtime.build import build

EXAMPLE = json.loads((EXAMPLES_FOLDER / "real" / "characters-lstm.json").read_text())
TEXTS = ["abracadabra, the end", "A b c of it"]


def test_the_job_begins_with_its_weights() -> None:
    column = Column(name="text", shape=(9,), dtype="int64", classes=100)
    job = parse_job(EXAMPLE)
    torch.manual_seed(job.training.seed)
    network = build(job.model, DataSchema(columns=(column,), rows={}, inputs=("text",)), ("text",))
    drawn = initial_model().state_dict()
    assert all(value.equal(drawn[name.removeprefix("write.")]) for name, value in network.state_dict().items())
    tokens = torch.randint(4, 90, (3, 9))
    with torch.no_grad():
        assert network({"text": tokens})["text"].allclose(initial_model()(tokens), atol=1e-6)


def test_characters_have_the_numbers_of_the_service() -> None:
    settings = Tokenizer.model_validate(EXAMPLE["data"]["features"]["text"]["tokenizer"])
    tokenizer = train_tokenizer(settings, TEXTS, SPECIAL_TOKENS)
    numbers = number_characters(TEXTS)
    assert numbers == {each: tokenizer.token_to_id(each) for each in numbers}
    assert len(numbers) == len(set("".join(TEXTS)))


def test_the_loop_learns(tmp_path: Path) -> None:
    for part in ("train", "test"):
        write_jsonl(tmp_path / f"{part}.jsonl", ({"text": "to be or not " * 3} for _ in range(64)))
    found = characters_baseline(tmp_path)
    assert found["characters"] == 64 * (len("to be or not ") * 3 - 1)
    untrained = float(nn.CrossEntropyLoss()(torch.zeros(1, 100), torch.zeros(1, dtype=torch.long))) / 0.6931
    assert found["bits per character"] < 0.7 * untrained
