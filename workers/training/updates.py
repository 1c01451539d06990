"""From the updates of a plan to how they are taken, and to what they change."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.spec.training.plan import Training
from app.spec.training.updates.update import BaseUpdate, UpdatePlan
from workers.network.runtime.build import BuiltNetwork, network_part
from workers.training.devices import Precision
from workers.training.objective.objective import BuiltObjective
from workers.training.optim.learning_rate import RunLength, build_learning_rate_schedule
from workers.training.optim.optimizers import build_optimizer
from workers.training.optim.parameter_groups import ParameterSplit
from workers.training.optim.update import build_update
from workers.training.optim.update_state import UpdateState
from workers.training.revision import Origins
from workers.training.step import UpdateRule


@dataclass(frozen=True)
class UpdateParts:
    """What the updates of a plan are built of."""

    plan: Training
    network: BuiltNetwork
    objective: BuiltObjective
    precision: Precision
    run: RunLength
    origins: Origins

    def rules(self, splits: Sequence[ParameterSplit]) -> list[UpdateRule]:
        """Return how the updates are taken, in order; `splits` are their parameters."""
        built = [build_update(self.plan, place, each, self.network) for place, each in enumerate(splits)]
        pairs = zip(self.plan.updates, built, strict=False)  # no pair of a plan that is one update
        rules = [UpdateRule(self.objective.part(spec.loss), update, spec.every) for spec, update in pairs]
        return rules or [UpdateRule(self.objective.loss, built[0])]

    def states(self, splits: Sequence[ParameterSplit]) -> list[UpdateState]:
        """Return the updates' state of before the first step; `splits` are their parameters."""
        return [self._state(place, split) for place, split in enumerate(splits)]

    def _state(self, place: int, split: ParameterSplit) -> UpdateState:
        pointer, spec = self.plan.all_updates()[place]
        where = f"/training{pointer}"
        optimizer = build_optimizer(spec.optimizer, split.param_groups(self.network), self.precision.device, where)
        run = replace(self.run, schedule_step=self.origins.schedule_step_of(place))
        schedule = build_learning_rate_schedule(spec, self.plan.average, optimizer, run, where)
        trained = split.trained_names()
        parameters = [parameter for name, parameter in self.network.named_parameters() if name in trained]
        return UpdateState(optimizer, parameters, schedule, self.precision.scaler(), self._part(spec))

    def _part(self, spec: BaseUpdate) -> BuiltNetwork | None:
        if not isinstance(spec, UpdatePlan):
            return None
        return network_part(self.network, self.objective.part_outputs(spec.loss))
