"""Actions of a policy: how the output that acts in the job's environment is written."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from app.spec.data.environments.component_names import component_names
from app.spec.data.environments.environment import EnvironmentData
from app.spec.prediction import PredictionOptions
from workers.prediction.formatting import OutputFormatter, json_values


@dataclass(frozen=True)
class ActionFormatter(OutputFormatter):
    """Writes actions (N, ...) as the environment takes them; `labels` are of the choices, or of the components."""

    def _fields(self, output: Tensor, options: PredictionOptions) -> dict[str, list[Any]]:
        if set(options.outputs) <= {"raw", "image"}:
            return {}
        fields = {"value": json_values(output.float() if output.is_floating_point() else output)}
        if self.labels and not output.is_floating_point():
            fields["label"] = self.class_labels(output, len(self.labels))
        return fields


def action_formatter(data: EnvironmentData) -> ActionFormatter:
    """Return how the actions of a job's policy are written."""
    return ActionFormatter(about="action", labels=component_names(data).action or ())
