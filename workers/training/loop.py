"""THE LOOP: resume, then before every step: commands → evaluate? → checkpoint? → stop? → step → report."""

from collections.abc import Sequence

import torch
from torch import Tensor

from app.faultpoints import faultpoint
from workers.data.loading.batch_source import WeightedBatch
from workers.data.rng import step_seed
from workers.network.runtime.build import flow_metrics
from workers.protocol.messages import Ending, Outcome, ProgressReport
from workers.torch_errors import translate_torch_errors
from workers.training.checkpoints.files import ReportFunction
from workers.training.devices import seed_step
from workers.training.metrics.evaluation import evaluate
from workers.training.metrics.recorder import Recorder
from workers.training.prepare import PreparedTraining
from workers.training.results import training_result

ENDINGS_BY_VERB = {"pause": Ending.PAUSED, "drain": Ending.RELEASED}


@translate_torch_errors()
def train(prepared: PreparedTraining) -> Outcome:
    """Train to the end, or until told to stop. Trained in one go or in pieces, the weights are the same bits.

    Returns SUCCEEDED with a result, CANCELLED, PAUSED or RELEASED. Raises `TrainingError`: `NumericError` where a loss
    is not finite and `on_nan` is fail, `StorageFull`, `OutOfMemory`, `DataError`, `BuildError`.
    """
    with prepared.saver:  # a checkpoint that is being written at the end is listed before the end is told
        return _train(prepared)


def _train(prepared: PreparedTraining) -> Outcome:  # noqa: PLR0912, PLR0915 - the one function that may be long
    plan, context, state, update = prepared.plan, prepared.context, prepared.state, prepared.update
    network, objective, device, saver = prepared.network, prepared.objective, prepared.device, prepared.saver
    forward = prepared.precision.autocast(network)
    supply = prepared.supply()
    per_epoch = prepared.sampler.steps_per_epoch
    counter = objective.denominator_function(supply.targets, plan.accumulate)

    def passed(batches: Sequence[WeightedBatch]) -> Tensor:
        """Add up the gradients of a step's batches. Returns the whole loss (scalar), on the device."""
        losses = []
        whole = counter([targets for _, targets, _ in batches]) if counter is not None else None
        for inputs, targets, share in batches:
            loss = objective.batch_loss(forward(inputs), targets, share, whole)
            update.backward(loss)
            losses.append(loss.detach())
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum()

    def again() -> Tensor:
        """Do so once more for the step at hand, with the same draws."""
        if network.is_random:
            seed_step(step_seed(plan.seed, step), device)
        loss = passed(batches)
        objective.pop_head_losses()  # what is told of a step is its first look
        return loss

    # Resume
    report: ReportFunction | None = None  # of this step's evaluation
    if prepared.restored_checkpoint is not None:
        restored = prepared.restored_checkpoint
        report = restored.report_at
        state.load(restored.tensors, restored.state_json, forked=restored.forked)
        saver.saved_step = restored.step
    counters = state.counters
    groups = state.optimizer.param_groups
    heads = tuple(head.name for head in prepared.heads)
    recorder = Recorder(context, counters, prepared.total_steps, per_epoch, plan.on_nan == "fail", heads)
    context.report(ProgressReport(phase="training"))
    network.train()

    while True:
        step = counters.step

        # Commands
        for command in context.commands():
            recorder.flush()
            if command.verb == "cancel":
                return Outcome(Ending.CANCELLED)
            saver.save_and_wait(state, step / per_epoch, {})
            return Outcome(ENDINGS_BY_VERB[command.verb])

        # Evaluate? A resumed step has been evaluated before, its values are in the table.
        values: dict[str, float] = {}
        improved = False
        finished = counters.stopped or step >= prepared.total_steps
        if step != counters.evaluated and (finished or step % prepared.evaluate_every == 0):
            recorder.read_losses()
            values = counters.training_losses()
            if prepared.validation is not None:
                if network.is_random:
                    seed_step(step_seed(plan.seed, step), device)
                size = max(plan.batch_size, 256)
                shown = state.evaluation_network
                found, report = evaluate(shown, prepared.heads, prepared.validation, size, prepared.precision)
                values |= found
                values |= {f"val/flow/{name}": value for name, value in flow_metrics(shown).items()}
            recorder.evaluation(values)
            counters.mark_evaluated()
            improved = state.best.update(values, step)
            if state.schedule is not None:
                state.schedule.after_evaluation(values)
            if plan.early_stop is not None and state.stopper is not None and not finished:
                state.stopper.update(values, step)
                if state.stopper.stale >= plan.early_stop.patience:
                    counters.stopped = finished = True
                    recorder.event("early_stop", {"step": step, "best": state.stopper.best})

        # Checkpoint? Points up to here are handed over first: a resumed attempt does not repeat them.
        saver.poll()
        if finished or prepared.checkpoint_policy.is_due(saver, step, improved):
            recorder.flush()
            if finished:
                saver.save_and_wait(state, step / per_epoch, values, report, final=True)
            else:
                saver.save(state, step / per_epoch, values, report)

        # Stop?
        if finished:
            return Outcome(Ending.SUCCEEDED, result=training_result(state, step / per_epoch))

        # Step
        if network.is_random:  # its draws are functions of (seed, step), wherever the attempt began
            seed_step(step_seed(plan.seed, step), device)
        batches = supply.batches(step)
        total, parts = passed(batches), objective.pop_head_losses()
        faultpoint("mid_step")
        lr = groups[0]["lr"]
        skipped = update.step(total, again)
        counters.step += 1
        report = None
        if state.schedule is not None:
            state.schedule.after_step(counters.step % per_epoch == 0)
        if state.average is not None:
            state.average.after_step(counters.step)

        # Report
        recorder.step(total, lr, skipped, flow_metrics(network), parts)
