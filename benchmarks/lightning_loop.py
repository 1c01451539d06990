"""The same training by Lightning's Trainer, in a process of an interpreter that has the package `lightning`.

Run as a program it reads a number of steps from a line, trains for that many, writes the seconds of the loop alone as
a line, and waits for the next. It imports nothing of this repository but the figures in `step_workload`, and
`peer_process`.
"""

import json
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peer_process import PeerProcess, run_peer
from step_workload import BATCH, CLASSES, FEATURES, HIDDEN, LR, ROWS


@contextmanager
def run_lightning(python: Path) -> Iterator[PeerProcess]:
    """Run the process in a temporary folder, into which Lightning writes its logs; it is asked for steps."""
    with (
        tempfile.TemporaryDirectory(prefix="lightning-bench-") as folder,
        run_peer("Lightning", python, __file__, {"PL_DISABLE_FORK": "1"}, folder) as running,
    ):
        yield running


def serve_timings() -> None:
    """Answer every line of steps with the seconds they took."""
    import logging

    import lightning as released
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.set_num_threads(1)

    class Classifier(released.LightningModule):
        """As its tutorials write it, with the optimiser that the service uses."""

        def __init__(self) -> None:
            super().__init__()
            self.network = nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES))
            self.loss = nn.CrossEntropyLoss()

        def training_step(self, batch: list[torch.Tensor], _index: int) -> torch.Tensor:
            loss: torch.Tensor = self.loss(self.network(batch[0]), batch[1])
            self.log("train_loss", loss)
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=LR, fused=True)

    class Clock(released.Callback):
        """Times the loop, without what comes before and after it."""

        def on_train_start(self, *_: object) -> None:
            self.began = time.perf_counter()

        def on_train_end(self, *_: object) -> None:
            self.seconds = time.perf_counter() - self.began

    generator = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, FEATURES, generator=generator)
    data = TensorDataset(x, torch.randint(CLASSES, (ROWS,), generator=generator))
    print(json.dumps({"release": released.__version__}), flush=True)
    for line in sys.stdin:
        clock = Clock()
        trainer = released.Trainer(
            max_steps=int(line),
            accelerator="cpu",
            devices=1,
            callbacks=[clock],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(Classifier(), DataLoader(data, BATCH, shuffle=True))
        print(json.dumps({"seconds": clock.seconds}), flush=True)


if __name__ == "__main__":
    serve_timings()
