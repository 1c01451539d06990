"""The agenda: edits that are to be repeated, edits that wait, and rules that make edits; which of them is due."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

from app.errors import Problem
from app.spec.edits.edit import Trigger
from app.spec.training.planned_edits import PlannedEdit
from workers.data.loading.epochs import Epochs
from workers.protocol.assignment import EditRef
from workers.protocol.messages import Command, EditRejected, EditWithdrawn
from workers.training.context import Context
from workers.training.edits.rules import ends, fires
from workers.training.revision import ConditionState, RevisionState, RuleState

EPOCH_SETTINGS = frozenset({"training.batch_size", "training.accumulate", "training.drop_last"})  # an epoch's length
_TRIGGER_ADAPTER = TypeAdapter(Trigger)
_EDIT = TypeAdapter(EditRef)


class Agenda:
    """The edits of an attempt.

    Those that were applied before come first, at their steps; then those that wait, in the order of their numbers;
    then those that rules make. Edits are due after the evaluation of a step, and before the next step is taken.
    """

    def __init__(self, edits: Sequence[EditRef] = (), rules: Sequence[PlannedEdit] = ()) -> None:
        log = sorted((edit for edit in edits if edit.revision is not None), key=lambda edit: edit.revision or 0)
        waiting = sorted((edit for edit in edits if edit.revision is None), key=lambda edit: edit.number or 0)
        self._log, self._waiting = deque(log), deque(waiting)
        self.rules = tuple(rules)

    def receive(self, command: Command, context: Context) -> bool:
        """Obey a command about an edit: add one, unless it is there already, or withdraw one; return whether it was."""
        if command.verb == "edit":
            edit = _EDIT.validate_python(command.payload)
            if all(edit.number != other.number for other in (*self._log, *self._waiting)):
                self._waiting = deque(sorted([*self._waiting, edit], key=lambda each: each.number or 0))
        elif command.verb == "withdraw":
            number = int(command.payload["number"])
            if self._remove(number):
                context.report_edit(EditWithdrawn(number))
        return command.verb in ("edit", "withdraw")

    def _remove(self, number: int) -> bool:
        kept = deque(edit for edit in self._waiting if edit.number != number)
        found, self._waiting = len(kept) < len(self._waiting), kept
        return found

    def repeat(self, edit: EditRef) -> None:
        """Add an edit that is to be applied at its step, before all others."""
        self._log.append(edit)

    def prune(self, state: RevisionState) -> None:
        """Drop the conditions of edits that do not wait any more."""
        waiting = {edit.number for edit in self._waiting}
        state.conditions = {number: each for number, each in state.conditions.items() if number in waiting}

    def after_evaluation(self, values: Mapping[str, float], state: RevisionState) -> None:
        """Add the values of an evaluation, by series, to the conditions that wait for them."""
        for edit in self._waiting:
            trigger = _parse_trigger(edit)
            if edit.number is not None and trigger is not None and trigger.when is not None:
                state.conditions.setdefault(edit.number, ConditionState()).update(trigger.when, values)
        for position, rule in enumerate(self.rules):
            own = state.rules.setdefault(position, RuleState())
            if rule.at is not None and rule.at.when is not None:
                own.trigger.update(rule.at.when, values)
            if rule.until is not None and rule.until.when is not None:
                own.end.update(rule.until.when, values)

    def due(self, step: int, epochs: Epochs, state: RevisionState, parameters: int) -> EditRef | None:
        """Return the edit that is due after `step` steps, if any; `parameters` are those of the present network.

        While applied edits are left to be repeated, nothing else is due: it would have been applied before them.
        """
        while self._log and (self._log[0].revision or 0) <= state.number:
            self._log.popleft()
        if self._log:
            return self._log[0] if step >= (self._log[0].step or 0) else None
        if self._waiting and _is_due(self._waiting[0], step, epochs, state):
            return self._waiting[0]
        return next(self._due_by_rule(step, epochs, state, parameters), None)

    def _due_by_rule(self, step: int, epochs: Epochs, state: RevisionState, parameters: int) -> Iterator[EditRef]:
        for position, rule in enumerate(self.rules):
            own = state.rules.setdefault(position, RuleState())
            own.has_ended |= ends(rule, own, step, epochs, parameters / max(1, state.parameters))
            if fires(rule, own, step, epochs) and (epochs.may_change(step) or not _changes_epochs(rule)):
                yield _planned(position, rule, own.fired + 1)

    def settle(self, edit: EditRef, step: int, state: RevisionState, rejected: bool = False) -> None:
        """Remove an edit that was applied or rejected, and count it for its rule."""
        if self._log and self._log[0] == edit:
            self._log.popleft()
        if edit.rule is not None:
            rule = state.rules.setdefault(edit.rule, RuleState())
            rule.fired, rule.fired_at, rule.trigger = edit.firing, step, ConditionState()
            rule.has_ended |= rejected
        elif edit.number is not None:
            self._remove(edit.number)
            state.conditions.pop(edit.number, None)

    def healing(self, state: RevisionState) -> EditRef | None:
        """Return the edit that a rule makes where a loss is not finite; `None` if there is none, or not any more."""
        for position, rule in enumerate(self.rules):
            own = state.rules.get(position, RuleState())
            if rule.on == "nan" and not own.has_ended and own.fired < (rule.limit or 0):
                return _planned(position, rule, own.fired + 1)
        return None

    @property
    def goes_back(self) -> bool:
        """Whether a rule goes back to a checkpoint."""
        return any(rule.on == "nan" for rule in self.rules)

    def end(self, step: int, context: Context) -> None:
        """Report at the end of the training what becomes of the edits that still wait."""
        hint = "continue the job with more steps or epochs, or give a trigger within them"
        problem = Problem("/at", "never_due", f"the training ended after {step} steps, before the edit was due", hint)
        for edit in self._waiting:
            context.report_edit(EditRejected(edit.number, (problem.as_dict(),), step))

    def idle_rules(self, state: RevisionState) -> Iterator[Problem]:
        """Yield a warning for every rule that has never made an edit; one against NaN is glad of it."""
        for position, rule in enumerate(self.rules):
            if rule.on is None and not state.rules.get(position, RuleState()).fired:
                detail = "the rule never made an edit: its trigger did not come"
                hint = "compare its trigger with the length of the training, or remove it"
                yield Problem(f"/training/edits/{position}", "never_due", detail, hint)


def _planned(position: int, rule: PlannedEdit, firing: int) -> EditRef:
    operations = tuple(each.model_dump(mode="json", by_alias=True, exclude_unset=True) for each in rule.operations)
    return EditRef(None, operations, rule=position, firing=firing)


def _parse_trigger(edit: EditRef) -> Trigger | None:
    return None if edit.at == "now" else _TRIGGER_ADAPTER.validate_python(edit.at)


def _is_due(edit: EditRef, step: int, epochs: Epochs, state: RevisionState) -> bool:
    if _lengthens_epochs(edit.operations) and not epochs.may_change(step):
        return False
    trigger = _parse_trigger(edit)
    if trigger is None:
        return True
    if trigger.step is not None:
        return step >= trigger.step
    if trigger.epoch is not None:
        return epochs.passed(step) >= trigger.epoch
    return state.conditions.get(edit.number or 0, ConditionState()).is_true


def _lengthens_epochs(operations: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether an edit changes how many steps an epoch has: then it is applied at the beginning of one."""
    return any(each.get("path") in EPOCH_SETTINGS for each in operations)


def _changes_epochs(rule: PlannedEdit) -> bool:
    return any(vars(each).get("path") in EPOCH_SETTINGS for each in rule.operations)
