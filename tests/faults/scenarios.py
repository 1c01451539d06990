"""Short histories in one process, each with its faults. Without a bug nothing is wrong after any of them."""

from tests.faults.in_process_service import STEPS, InProcessService, ProcessKilled, succeeded_outcome
from workers.protocol.messages import ProgressReport, SeriesPoints


def attempt_killed(here: InProcessService) -> None:
    """An attempt dies between two checkpoints, within an epoch."""
    here.submit()
    here.inject("mid_step", 9)
    here.finish()


def attempts_killed_twice(here: InProcessService) -> None:
    """Two attempts die before the first checkpoint."""
    here.submit()
    here.inject("mid_step", 2)
    here.inject("mid_step", 4)
    here.finish()


def killed_after_final_checkpoint(here: InProcessService) -> None:
    """An attempt dies with its final checkpoint listed, before it has said that it succeeded."""
    here.submit()
    here.inject("before_outcome", 1)
    here.finish()


def api_killed_before_commit(here: InProcessService) -> None:
    """The API dies with a job in its transaction."""
    here.inject("before_commit", 1)
    here.submit()
    here.finish()


def response_lost(here: InProcessService) -> None:
    """The API dies with a job committed, and the client asks again."""
    here.inject("after_commit", 1)
    here.submit()
    here.finish()


def zombie(here: InProcessService) -> None:
    """A superseded attempt goes on to write while the next one trains."""
    here.submit()
    here.inject("mid_step", 9)
    first = here.attempt()
    assert first is not None
    here.expire()
    late = SeriesPoints([STEPS + 1], [0.0], [0.0], [0.0])
    here.inject(
        "mid_step", 5, lambda: here.zombie(first, ProgressReport(series={"train/loss": late}), succeeded_outcome())
    )
    here.finish()


def zombie_after_cancel(here: InProcessService) -> None:
    """An attempt writes after its lease has run out and its job is cancelled."""
    job_id = here.submit()
    here.inject("mid_step", 9)
    first = here.attempt()
    assert first is not None
    here.cancel(job_id)
    here.expire()
    here.zombie(first, ProgressReport(series={"train/loss": SeriesPoints([9], [0.0], [0.0], [0.0])}))


def concurrent_lease_sweeps(here: InProcessService) -> None:
    """Two sweepers see the same lease run out."""
    here.submit()
    here.inject("mid_step", 9)
    first = here.attempt()
    assert first is not None
    here.expire()
    here.record_late_loss(first)
    here.finish()


def database_unavailable(here: InProcessService) -> None:
    """The database does not answer when a report is to be written."""
    here.submit()
    here.inject("before_chunk", 6, here.fail_next_transaction)
    here.finish()


def commit_acknowledgement_lost(here: InProcessService) -> None:
    """A report is committed, and the connection breaks before the worker hears of it."""
    here.submit()
    here.inject("before_chunk", 6, here.lose_commit_response)
    here.finish()


def killed_while_storing(here: InProcessService) -> None:
    """An attempt dies in the middle of a file."""
    here.submit()
    here.inject("file_half_written", 9, lambda: _verify(here))
    here.finish()


def killed_while_removing(here: InProcessService) -> None:
    """A worker dies between taking checkpoints off the list and removing their files."""
    here.submit()
    here.inject("before_removal", 3, lambda: _verify(here))
    here.finish()


def power_loss(here: InProcessService) -> None:
    """The power fails just after a checkpoint has been listed."""
    here.submit()
    here.inject("row_committed", 2, here.lose_unsynced_data)
    here.finish()


def killed_after_cancel(here: InProcessService) -> None:
    """A worker dies after the user's wish to cancel has been acknowledged, and before the attempt has heard of it."""
    job_id = here.submit()
    here.inject("mid_step", 9, lambda: _cancel(here, job_id))
    here.finish()


def _verify(here: InProcessService) -> None:
    here.verify_checkpoints()
    raise ProcessKilled


def _cancel(here: InProcessService, job_id: str) -> None:
    here.cancel(job_id)
    raise ProcessKilled


SCENARIOS = (
    attempt_killed,
    attempts_killed_twice,
    killed_after_final_checkpoint,
    api_killed_before_commit,
    response_lost,
    zombie,
    zombie_after_cancel,
    concurrent_lease_sweeps,
    database_unavailable,
    commit_acknowledgement_lost,
    killed_while_storing,
    killed_while_removing,
    power_loss,
    killed_after_cancel,
)
