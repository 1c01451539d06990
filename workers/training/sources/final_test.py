"""The test: held-out rows that are evaluated once, at the end, with the weights that the job publishes as the best."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from app.spec.training.plan import Training
from app.storage.protocol import ArtifactStore
from workers.data.loading.streaming import EvaluationExamples
from workers.network.runtime.build import BuiltNetwork
from workers.protocol.assignment import CheckpointRef
from workers.training.checkpoints.files import read_published_weights
from workers.training.devices import Precision
from workers.training.metrics.evaluation import MIN_EVALUATION_BATCH, evaluate
from workers.training.metrics.reports.classification_report import REPORT_VERSION
from workers.training.objective.objective import ObjectiveHead
from workers.training.optim.schedules import JsonState
from workers.training.results import finite_or_none

TEST_PREFIX = "test/"
CURRENT = "~"  # stands for the weights of the last step: of equal values, a checkpoint of this step comes first


@dataclass(frozen=True)
class FinalTest:
    """What the test needs beside the weights."""

    rows: EvaluationExamples
    heads: Sequence[ObjectiveHead]
    precision: Precision
    plan: Training
    store: ArtifactStore
    workdir: Path
    network_of: Callable[[int], BuiltNetwork]  # a network of an earlier revision of the job

    def run(
        self,
        network: BuiltNetwork,
        step: int,
        values: Mapping[str, float],
        saved: Sequence[CheckpointRef],
        revision: int = 1,
    ) -> JsonState:
        """Return the report of the test, as JSON.

        `network`, of `revision`, has the weights of the last `step`, which it keeps, and `values` are those of its
        evaluation. `saved` are the job's checkpoints, oldest first. `checkpoint` is the tested one; `None` stands for
        the last step.
        """
        size = max(self.plan.batch_size, MIN_EVALUATION_BATCH)
        with self._best_weights(network, CheckpointRef(CURRENT, step, (), values, revision), saved) as (tested, best):
            result = evaluate(best, self.heads, self.rows, size, self.precision, "test")
        document = result.report(tested.step) or {"version": REPORT_VERSION, "rows": len(self.rows), "heads": []}
        figures = {name.removeprefix(TEST_PREFIX): finite_or_none(value) for name, value in result.values.items()}
        checkpoint = None if tested.id == CURRENT else tested.id
        return {**document, "step": tested.step, "checkpoint": checkpoint, "values": figures}

    @contextmanager
    def _best_weights(
        self, network: BuiltNetwork, current: CheckpointRef, saved: Sequence[CheckpointRef]
    ) -> Iterator[tuple[CheckpointRef, BuiltNetwork]]:
        """Yield the best checkpoint and a network with its weights: the given one, which gets its own back."""
        for best in self._candidates(current, saved):
            if best.id == CURRENT:
                yield best, network
                return
            weights = read_published_weights(best, self.store, self.workdir)
            if weights is None:  # it is damaged, or was removed because it was not the best
                continue
            if best.revision != current.revision:
                earlier = self.network_of(best.revision)
                if earlier.blueprint != network.blueprint:  # which the job does not publish as its best
                    continue
                _load(earlier, weights)
                yield best, earlier
                return
            own = {name: tensor.clone() for name, tensor in network.state_dict().items()}
            try:
                _load(network, weights)
                yield best, network
            finally:
                _load(network, own)
            return

    def _candidates(self, current: CheckpointRef, saved: Sequence[CheckpointRef]) -> list[CheckpointRef]:
        """Return the checkpoints that are kept by value, best first, as `app.checkpoints.best_by_plan` has them.

        That leaves those of other networks out.
        """
        policy = self.plan.checkpoint
        kept = saved if policy.keep_best else saved[max(0, len(saved) - policy.keep_last + 1) :]
        sign = 1.0 if policy.mode == "min" else -1.0
        ranked = [
            (sign * value, each.step, each.id, each)
            for each in (*kept, current)
            if isinstance(value := each.values.get(policy.monitor), int | float) and math.isfinite(value)
        ]
        return [*(each for *_, each in sorted(ranked, key=lambda row: row[:3])), current]


def _load(network: BuiltNetwork, weights: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        network.load_state_dict(weights)
