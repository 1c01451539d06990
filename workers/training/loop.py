"""The training loop: resume, then for every step: commands → evaluate? → save? → stop? → edit? → step → report."""

from collections.abc import Mapping
from functools import partial

from app.errors import NumericError
from workers.network.runtime.build import flow_metrics
from workers.protocol.messages import ENDINGS, Ending, Outcome, ProgressReport
from workers.torch_errors import translate_torch_errors
from workers.training.assembly import PreparedTraining
from workers.training.checkpoints.files import ReportFunction, checkpoint_ref
from workers.training.edits.editing import apply_edit, begin_revision
from workers.training.edits.healing import go_back
from workers.training.metrics.evaluation import EvaluationInterrupted
from workers.training.metrics.recorder import RecordedUpdate, Recorder
from workers.training.optim.schedules import JsonState
from workers.training.results import training_result, unmeasured_warnings
from workers.training.statistics.sampler import StatisticsSampler

SAVING_VERBS = ("pause", "drain")  # end an attempt with a checkpoint


@translate_torch_errors()
def train(prepared: PreparedTraining) -> Outcome:
    """Train to the end, or until a command stops it. Interruptions do not change the bits of the weights.

    Returns SUCCEEDED with a result, CANCELLED, PAUSED or RELEASED. Raises `TrainingError`: `NumericError` where a loss
    is not finite and `on_nan` is fail, `StorageFull`, `OutOfMemory`, `DataError`, `BuildError`.
    """
    if prepared.restored_checkpoint is None:
        events = tuple(("warning", each.as_dict()) for each in prepared.source.warnings())
        prepared.context.report(ProgressReport(events=events))
    with prepared.saver:  # a checkpoint that is still being written is announced before the outcome
        while True:
            try:
                result = _train(prepared)
            except NumericError as error:
                result = go_back(prepared, error)
            if isinstance(result, Outcome):
                return result
            prepared = result


def _train(prepared: PreparedTraining) -> Outcome | PreparedTraining:  # noqa: PLR0912, PLR0915 - the one long function
    """Train at one revision; return how the attempt ended, or the training at the next revision."""
    plan, context, state, saver = prepared.plan, prepared.context, prepared.state, prepared.saver
    training_step, epochs, agenda = prepared.training_step, prepared.epochs, prepared.agenda

    # Resume
    report: ReportFunction | None = None  # of this step's evaluation
    test_report: JsonState | None = None
    if prepared.restored_checkpoint is not None:
        restored = prepared.restored_checkpoint
        report, test_report = restored.report_at, None if restored.forked else restored.test_report
        state.load(restored.tensors, restored.state_json, forked=restored.forked)
        saver.resume_at(restored.step, () if restored.forked else restored.segments)
    counters = state.counters
    recorder = _recorder(prepared)
    statistics = StatisticsSampler(state, plan)
    context.report(ProgressReport(phase="training"))
    state.network.train()
    if agenda.goes_back and saver.saved_step is None:
        saver.save(state, epochs.passed(counters.step), {})

    while True:
        step = counters.step

        # Commands
        for command in context.commands():
            if agenda.receive(command, context):
                continue
            recorder.flush()
            if command.verb in SAVING_VERBS:
                saver.save_and_wait(state, epochs.passed(step), {})
            return Outcome(ENDINGS[command.verb])

        # Evaluate? Not a resumed step whose evaluation has been reported before.
        values: dict[str, float] = {}
        improved = False
        finished = counters.stopped or step >= prepared.total_steps
        if step != counters.evaluated and (finished or prepared.is_evaluation_step(step)):
            recorder.read_losses()
            values = counters.training_losses()
            seed = partial(training_step.seed_random, state)
            try:
                evaluation = prepared.source.evaluate(state.evaluation_network, seed, context.has_ending_command)
            except EvaluationInterrupted:
                continue  # to obey; the step is evaluated when the training goes on
            report = evaluation.report
            values |= evaluation.values
            recorder.evaluation(values)
            counters.mark_evaluated()
            improved = state.best.update(values, step)
            agenda.after_evaluation(values, state.revision)
            for update in state.updates:
                if update.schedule is not None:
                    update.schedule.after_evaluation(values)
            if plan.early_stop is not None and state.stopper is not None and not finished:
                state.stopper.update(values, step)
                if state.stopper.stale >= plan.early_stop.patience:
                    counters.stopped = finished = True
                    recorder.event("early_stop", {"step": step, "best": state.stopper.best})

        # The best so far? If it comes too soon after a checkpoint, it is stored with the next one.
        saver.poll()
        is_due = finished or prepared.checkpoint_policy.is_due(saver, step, improved)
        if improved and is_due:
            saver.drop_held()
        elif improved and plan.checkpoint.keep_best and step:
            saver.hold(state, epochs.passed(step), values, report)

        # Test? Not if the final checkpoint, with its report, was saved before.
        if finished:
            recorder.flush()
            saver.save_held(step)
        if finished and prepared.source.test is not None and test_report is None:
            test_report = _test(prepared, values)
            recorder.evaluation({f"test/{name}": value for name, value in test_report["values"].items()})

        # Checkpoint? Points up to here are sent first: a resumed attempt does not send them again.
        if finished:
            for warning in (*unmeasured_warnings(state), *agenda.idle_rules(state.revision)):
                recorder.event("warning", warning.as_dict())
        if is_due:
            recorder.flush()
            epoch = epochs.passed(step)
            if finished:
                saver.save_and_wait(state, epoch, values, report, final=True, test_report=test_report)
            else:
                saver.save(state, epoch, values, report)

        # Stop?
        if finished:
            agenda.end(step, context)
            final = saver.saved[-1].id
            return Outcome(Ending.SUCCEEDED, result=training_result(state, epochs.passed(step), test_report, final))

        # Edit? After the evaluation of this step and before the next one: a resumed attempt repeats it here.
        if (edit := agenda.due(step, epochs, state.revision, prepared.parameters)) is not None:
            recorder.flush()
            edited = apply_edit(prepared, edit)
            if edited.prepared is prepared:
                context.report_edit(edited.message)
                continue
            begin_revision(prepared, edited, values, report)
            return edited.prepared

        # Step
        rates = [update.optimizer.param_groups[0]["lr"] for update in state.updates]
        batches, is_sampled = state.source.batches(step), step + 1 == statistics.due
        results = statistics.run(training_step, state, batches) if is_sampled else training_step.run(state, batches)
        counters.step += 1
        report = None
        for update in state.updates:
            if update.schedule is not None:
                update.schedule.after_step(epochs.position(counters.step)[1] == 0)
        for following in state.target_networks:
            following.after_step(counters.step)
        if state.average is not None:
            state.average.after_step(counters.step)

        # Report
        flows = flow_metrics(state.network)
        if is_sampled:
            recorder.statistics(statistics.take(training_step, flows))
        recorder.step(results, rates, flows, state.source.pop_values())


def _recorder(prepared: PreparedTraining) -> Recorder:
    plan, epochs, heads = prepared.plan, prepared.epochs, prepared.heads
    updates = [RecordedUpdate(heads=tuple(head.name for head in heads))]
    weights = {}
    if plan.updates:
        updates = [
            RecordedUpdate(each.series_name, tuple(head.name for head in heads if head.name in each.loss))
            for each in plan.updates
        ]
        weights = {head.name: head.weight for head in heads if head.weight}
    counters, total, origin = prepared.state.counters, prepared.total_steps, epochs.origin
    fail = plan.on_nan == "fail"
    advice = "".join(dict.fromkeys(head.advice_if_infinite for head in heads))
    return Recorder(prepared.context, counters, total, epochs.steps_per_epoch, fail, updates, weights, origin, advice)


def _test(prepared: PreparedTraining, values: Mapping[str, float]) -> JsonState:
    """Evaluate the test with the best weights, by the `values` of the last evaluation; return its report."""
    assert prepared.source.test is not None  # noqa: S101 - the caller looked
    prepared.context.report(ProgressReport(phase="testing"))
    prepared.saver.poll(wait=True)  # a checkpoint that is being written may be the best
    saved = [*prepared.resources.earlier_checkpoints, *map(checkpoint_ref, prepared.saver.saved)]
    state = prepared.state
    prepared.training_step.seed_random(state)
    test, revision = prepared.source.test, state.revision.number
    return test.run(state.evaluation_network, state.counters.step, values, saved, revision)
