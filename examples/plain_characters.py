"""The network of `real/characters-lstm.json` in a plain loop: ``python -m examples.plain_characters FOLDER``.

What a user of PyTorch would write: the same layers, optimizer, schedule and number of steps. Its bits per character are
what the job is compared with. Another order of the windows changes them by two percent, so both have the same: that of
the job, a function of its seed, as its initial weights are, which are those that torch draws.
"""

import json
import math
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from examples.data.files import read_jsonl
from workers.data.loading.sampler import epoch_permutation

SIZE, WIDTH, VOCABULARY, FIRST = 128, 32, 100, 4  # FIRST: numbers before those of characters, as the service has them
EPOCHS, BATCH_SIZE, RATE, CLIP_NORM, SEED = 10, 64, 0.005, 1.0, 0


class CharacterModel(nn.Module):
    """From characters (N, L) to scores of the next ones (N, L, C)."""

    def __init__(self) -> None:
        super().__init__()
        self.vectors = nn.Embedding(VOCABULARY, WIDTH)
        self.read = nn.LSTM(WIDTH, SIZE, batch_first=True)
        self.scores = nn.Linear(SIZE, VOCABULARY)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the scores."""
        scores: Tensor = self.scores(self.read(self.vectors(tokens))[0])
        return scores


def initial_model() -> CharacterModel:
    """Return the model with the initial weights of the job."""
    torch.manual_seed(SEED)
    return CharacterModel()


def number_characters(texts: Sequence[str]) -> dict[str, int]:
    """Return the numbers of characters, as the service has them: frequent ones first, those alike by the alphabet."""
    counts = Counter("".join(texts))
    return {each: FIRST + place for place, each in enumerate(sorted(counts, key=lambda each: (-counts[each], each)))}


def characters_baseline(folder: Path) -> dict[str, Any]:
    """Return the bits per character of the test windows."""
    train, test = ([str(row["text"]) for row in read_jsonl(folder / f"{part}.jsonl")] for part in ("train", "test"))
    numbers = number_characters(train)
    windows, held_out = (
        torch.tensor([[numbers.get(character, 1) for character in text] for text in texts]) for texts in (train, test)
    )
    model, loss = initial_model(), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    steps = math.ceil(len(windows) / BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=EPOCHS * steps)
    for epoch in range(EPOCHS):
        for rows in epoch_permutation(SEED, epoch, len(windows)).split(BATCH_SIZE):
            text = windows[rows]
            optimizer.zero_grad()
            loss(model(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten()).backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
            optimizer.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        bits = loss(model(held_out[:, :-1]).flatten(0, 1), held_out[:, 1:].flatten()) / math.log(2)
    return {"bits per character": float(bits), "characters": held_out[:, 1:].numel()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(characters_baseline(Path(sys.argv[1]))) + "\n")
