"""Which revision of its job a training is at, and what follows from the steps of its edits: part of `TrainState`."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from pydantic import TypeAdapter

from app.spec.edits.edit import Condition
from workers.data.loading.epochs import EpochOrigin
from workers.training.optim.schedules import JsonState


@dataclass(frozen=True, slots=True)
class Origins:
    """The steps that a document alone does not say: where schedules and the present length of epochs began."""

    schedule_step: int = 0  # of the first update
    epochs: EpochOrigin = field(default_factory=EpochOrigin)
    other_schedule_steps: tuple[int, ...] = ()  # of the others

    def schedule_step_of(self, place: int) -> int:
        """Return the step at which the schedule of an update began."""
        return (self.schedule_step, *self.other_schedule_steps, *[0] * place)[place]


@dataclass
class ConditionState:
    """Whether a condition has become true, and what a plateau is compared with. NaN is no value."""

    is_true: bool = False
    best: float | None = None
    stale: int = 0  # evaluations without improvement

    def update(self, condition: Condition, values: Mapping[str, float]) -> None:
        """Add the values of an evaluation, by series."""
        value = values.get(condition.metric, math.nan)
        if math.isnan(value):
            return
        if condition.plateau is None:
            below, above = condition.below, condition.above
            self.is_true |= (below is not None and value < below) or (above is not None and value > above)
            return
        sign = 1 if condition.mode == "min" else -1
        improved = math.isfinite(value) and (self.best is None or sign * (self.best - value) > 0)
        self.best, self.stale = (value, 0) if improved else (self.best, self.stale + 1)
        self.is_true |= self.stale >= condition.plateau


@dataclass
class RuleState:
    """How often a rule of `training.edits` has made an edit."""

    fired: int = 0
    fired_at: int = -1  # the step of the latest edit
    has_ended: bool = False  # an edit of it could not be applied, or the state that it worked towards is reached
    trigger: ConditionState = field(default_factory=ConditionState)
    end: ConditionState = field(default_factory=ConditionState)


@dataclass
class RevisionState:
    """The revision, and the state of everything that decides about the next ones."""

    number: int = 1
    origins: Origins = field(default_factory=Origins)
    parameters: int = 0  # of the network of the first revision
    conditions: dict[int, ConditionState] = field(default_factory=dict)  # by number of the edit that waits
    rules: dict[int, RuleState] = field(default_factory=dict)  # by place in `training.edits`

    def as_json(self) -> JsonState:
        """Return the state as JSON."""
        state: JsonState = asdict(self)
        return {**state, **{name: {str(key): each for key, each in state[name].items()} for name in _BY_NUMBER}}

    @staticmethod
    def from_json(stored: JsonState | None, forked: bool = False) -> "RevisionState":
        """Read what `as_json` returned; `None`: the first revision. With `forked` the state is another job's.

        Then it is the first revision of this one, whose rules go on as those of the other job.
        """
        if stored is None:
            return RevisionState()
        state = _ADAPTER.validate_python(stored)
        if forked:
            state.number, state.conditions = 1, {}
        return state


_BY_NUMBER = ("conditions", "rules")
_ADAPTER = TypeAdapter(RevisionState)
