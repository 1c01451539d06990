"""Statistics of what happens inside a network while it trains: what is sampled, and at which steps."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import Field

from app.spec.base import SpecModel, Steps

DEFAULT_INTERVAL = 200  # steps
EARLY_STEPS = (1, 10, 50, 100)  # sampled as well with the default interval: much happens there
BINS_PER_OCTAVE, OCTAVES = 4, 16  # of histograms, from the largest magnitude down; what is smaller is around zero
DENSE_SAMPLES, DENSE_HISTOGRAMS = 1024, 32  # intervals before each doubling
SAMPLES_PER_HISTOGRAM = 4  # at least: counting costs as much as all the rest


QUANTITIES: Mapping[str, str] = {
    "grad_norm": "The norm of the gradient, of all the node's parameters together.",
    "weight_norm": "The norm of the node's parameters before the step.",
    "update_ratio": "The norm of what the step changed of them, divided by `weight_norm`.",
    "activation_mean": "The mean of the node's output.",
    "activation_std": "Its standard deviation (divided by the count, not by one less).",
    "activation_nonfinite": "How many of its values are NaN or infinite.",
    "dead_share": "The share of an activation's units that are zero or saturated for the whole batch.",
    "iterations": "How often a loop ran its body, or a fold its cells: the mean over examples.",
    "branch_shares": "The share of examples that took a branch: `branch_shares/NAME`.",
    "tree_height": "The mean height of the trees of a fold.",
    "level_sizes": "Nodes that a fold computes together, by height: `level_sizes/0` are the leaves.",
}


class Statistics(SpecModel):
    """Norms of gradients, weights and updates, and the activations, node by node, at some of the steps."""

    every_steps: Steps | None = Field(None, description="Steps between two samples; by default 200.")
    histograms: bool = Field(True, description="Sample the distributions of weights, gradients and activations too.")


@dataclass(frozen=True, slots=True)
class SampledSteps:
    """The steps at which statistics are sampled: a function of the plan and of the step alone.

    An attempt that resumes, before an edit or after it, therefore samples the same steps as one that never stopped.
    Steps count from 1, as in curves. They are the first step and the multiples of the interval, which doubles after
    1,024 intervals and whenever the number of steps has doubled since: a job has some thousand samples, however long.
    """

    statistics: Statistics

    def after(self, step: int) -> int:
        """Return the first sampled step that comes after `step` steps."""
        if step < 1:
            return 1
        every = self.statistics.every_steps
        regular = _next_multiple(step, every or DEFAULT_INTERVAL, DENSE_SAMPLES)
        early = EARLY_STEPS if every is None else ()
        return next((each for each in early if step < each < regular), regular)

    def has_histograms(self, step: int) -> bool:
        """Say whether the sample of a step has histograms."""
        if not self.statistics.histograms:
            return False
        every = (self.statistics.every_steps or DEFAULT_INTERVAL) * SAMPLES_PER_HISTOGRAM
        return step == 1 or _next_multiple(step - 1, every, DENSE_HISTOGRAMS) == step


def _next_multiple(step: int, every: int, dense: int) -> int:
    """Return the next multiple of the interval after `step`; `dense` intervals come before each doubling."""
    interval = every
    while step >= interval * dense:
        interval *= 2
    return (step // interval + 1) * interval
