"""The way back from a loss that is not finite: the last good checkpoint, and an edit that the plan makes there."""

from collections.abc import Iterator
from dataclasses import replace

import torch

from app.errors import NumericError
from workers.network.runtime.build import BuiltNetwork
from workers.protocol.assignment import CheckpointRef
from workers.protocol.messages import ProgressReport
from workers.training.assembly import PreparedTraining, assemble
from workers.training.checkpoints.files import RestoredCheckpoint, checkpoint_ref, restore_checkpoint
from workers.training.revision import RevisionState
from workers.training.state import NETWORK_PREFIX, strip_prefix


def go_back(failed: PreparedTraining, error: NumericError) -> PreparedTraining:
    """Return the training at the last checkpoint of its revision whose weights are finite; an edit is due there.

    It is as if the edit had been made at that step: an attempt that resumes from before repeats it there, and meets no
    such loss. Raises `error` if no rule says so, or not any more, or if there is no such checkpoint.
    """
    edit, saver = failed.agenda.healing(failed.state.revision), failed.saver
    if edit is None:
        raise error
    saver.poll(wait=True)
    restored = next(_good_checkpoints(failed), None)
    if restored is None:
        raise error
    revision = RevisionState.from_json(restored.state_json.get("revision"))
    with torch.random.fork_rng(devices=[]):
        network = BuiltNetwork(failed.network.blueprint)
    prepared = assemble(failed.document, network, failed.resources, revision, restored)
    saver.go_back(restored.step)
    failed.agenda.repeat(replace(edit, step=restored.step, revision=revision.number + 1))
    start = {"step": restored.step, "checkpoint": restored.checkpoint, "reason": error.detail}
    failed.context.report(ProgressReport(events=(("rewound", start),)))
    return prepared


def _good_checkpoints(failed: PreparedTraining) -> Iterator[RestoredCheckpoint]:
    """Yield the checkpoints of the present revision whose weights are finite, newest first."""
    refs = (*failed.resources.earlier_checkpoints, *map(checkpoint_ref, failed.saver.saved))
    for ref in reversed(refs):
        if ref.revision == failed.state.revision.number:
            restored = _restore(failed, ref)
            if restored is not None and _is_finite(restored):
                yield restored


def _restore(failed: PreparedTraining, ref: CheckpointRef) -> RestoredCheckpoint | None:
    return restore_checkpoint((ref,), failed.saver.store, failed.saver.workdir)


def _is_finite(restored: RestoredCheckpoint) -> bool:
    weights = strip_prefix(NETWORK_PREFIX, restored.tensors).values()
    return all(bool(torch.isfinite(weight).all()) for weight in weights)
