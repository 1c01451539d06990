"""The training plan: the optimiser, how long it runs, and when to evaluate, save and stop."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, model_validator

from app.errors import Problem
from app.spec.base import NonNegative, Seed, Size, SpecModel, Steps, validation_error
from app.spec.training.checkpointing import Checkpointing
from app.spec.training.planned_edits import PlannedEdit, planned_edit_problems, planned_edit_warnings
from app.spec.training.schedules import milestone_warnings
from app.spec.training.statistics import Statistics
from app.spec.training.updates.target_networks import TargetNetwork
from app.spec.training.updates.update import BaseUpdate, UpdatePlan, updates_problems
from app.spec.training.updates.weight_averages import Average


class EarlyStop(SpecModel):
    """Stop when the monitored value has not improved for `patience` evaluations."""

    monitor: str = "val/loss"
    mode: Literal["min", "max"] = "min"
    patience: Size = 3
    min_delta: NonNegative = 0.0


class Evaluation(SpecModel):
    """When the held-out examples are evaluated: at the end of every epoch unless `every_steps` says otherwise."""

    every_steps: Steps | None = None
    train: bool = Field(False, description="Whether the metrics of the training rows are computed too.")


class Training(BaseUpdate):
    """The plan. Its own optimiser and what goes with it describe one update of all parameters in every step."""

    updates: Annotated[tuple[UpdatePlan, ...], Field(max_length=32)] = Field(
        (), description="Several updates in every step, each with its own loss, parameters and optimiser."
    )
    target_networks: Annotated[tuple[TargetNetwork, ...], Field(max_length=100)] = Field(
        (), description="Nodes whose weights follow those of other nodes."
    )
    average: Average | None = None
    epochs: Steps | None = None
    steps: Steps | None = None
    batch_size: Size = 64
    accumulate: Size = 1
    precision: Literal["float32", "bf16", "fp16"] = "float32"
    mode: Literal["eager", "compiled"] = "eager"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    seed: Seed = 0
    deterministic: bool = True
    drop_last: bool = False
    on_nan: Literal["fail", "skip", "ignore"] = "fail"
    evaluate: Evaluation = Evaluation()
    early_stop: EarlyStop | None = None
    checkpoint: Checkpointing = Checkpointing()
    statistics: Statistics | Literal[False] = Field(
        Statistics(), description="Of what happens inside the network while it trains; `false`: none."
    )
    edits: Annotated[tuple[PlannedEdit, ...], Field(max_length=100)] = Field(
        (), description="Changes that the plan makes by itself."
    )

    @model_validator(mode="after")
    def _one_length(self) -> "Training":
        if self.epochs is not None and self.steps is not None:
            raise validation_error(
                "contradiction", "a plan is measured in epochs or in steps, not in both", "remove epochs or steps"
            )
        return self

    @model_validator(mode="after")
    def _one_form(self) -> "Training":
        own = [name for name in BaseUpdate.model_fields if name in self.model_fields_set]
        if self.updates and own:
            verb = "belongs" if len(own) == 1 else "belong"
            hint = f"move {'it' if len(own) == 1 else 'them'} into the updates, or remove updates"
            raise validation_error("contradiction", f"with updates, {', '.join(own)} {verb} to each update", hint)
        return self

    def all_updates(self) -> list[tuple[str, BaseUpdate]]:
        """Return the updates of a step, in order, with their pointers into the plan; by default the plan itself."""
        return [(f"/updates/{place}", update) for place, update in enumerate(self.updates)] or [("", self)]

    def run_lengths(self, rows: int | None) -> dict[str, int | None]:
        """Return the steps and the epochs of the run, by "step" and "epoch"; `rows` are those of an epoch if known."""
        if rows is None:
            return {"step": self.steps, "epoch": None if self.steps is not None else self.epochs or 1}
        batches = max(1, rows // self.batch_size if self.drop_last else -(-rows // self.batch_size))
        per_epoch = -(-batches // self.accumulate)
        steps = self.total_steps(per_epoch)
        return {"step": steps, "epoch": -(-steps // per_epoch)}

    def warnings(self, rows: int | None) -> list[Problem]:
        """Return what has no effect in a run with so many rows in an epoch; pointers lead into the plan."""
        lengths, scheduled = self.run_lengths(rows), [(place, each.schedule) for place, each in self.all_updates()]
        late = [
            found.with_prefix(f"{place}/schedule")
            for place, schedule in scheduled
            if schedule is not None
            for found in milestone_warnings(schedule, lengths)
        ]
        return late + list(planned_edit_warnings(self.edits, lengths))

    def minimised_heads(self, heads: Iterable[str]) -> tuple[str, ...]:
        """Return those of some heads whose losses are minimised; the others are evaluated only."""
        named = {head for update in self.updates for head in update.loss}
        return tuple(head for head in heads if not self.updates or head in named)

    def total_steps(self, steps_per_epoch: int) -> int:
        """Return the number of optimiser steps of the run (one epoch by default)."""
        return self.steps or (self.epochs or 1) * steps_per_epoch

    def monitors(self) -> list[tuple[str, str]]:
        """Return the pointer and the series of everything that follows a series."""
        monitors = [("/training/early_stop/monitor", self.early_stop.monitor)] if self.early_stop else []
        for pointer, update in self.all_updates():
            if update.schedule is not None and update.schedule.kind == "ReduceLROnPlateau":
                monitors.append((f"/training{pointer}/schedule/monitor", update.schedule.settings()["monitor"]))
        for position, rule in enumerate(self.edits):
            for pointer, condition in rule.conditions():
                monitors.append((f"/training/edits/{position}{pointer}/metric", condition.metric))
        return [*monitors, ("/training/checkpoint/monitor", self.checkpoint.monitor)]

    def problems(self) -> list[Problem]:
        """Return the contradictions in the plan; pointers lead into it."""
        problems = [*planned_edit_problems(self.edits, self.on_nan), *updates_problems(self.updates)]
        searches = [each.optimizer.kind for _, each in self.all_updates() if each.optimizer.row.closure]
        problems += self._line_search_problems(searches[0]) if searches else []
        for pointer, update in self.all_updates():
            problems += [each.with_prefix(pointer) for each in update.update_problems(self.epochs, self.steps)]
        return problems

    def _line_search_problems(self, kind: str) -> list[Problem]:
        """Return the settings that change losses or weights while a line search of this kind compares them."""
        problems = []
        if self.precision == "fp16":
            detail = f"{kind} compares losses, and fp16 scales them differently as it goes"
            problems.append(Problem("/precision", "unsupported", detail, 'use "float32" or "bf16"'))
        if self.on_nan == "skip":
            detail = f"{kind} changes the weights during a step, which cannot be skipped afterwards"
            problems.append(Problem("/on_nan", "unsupported", detail, 'use "fail"'))
        return problems
