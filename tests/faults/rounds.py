"""Short histories in one process, each with its faults. Without a bug nothing is wrong after any of them."""

from tests.faults.miniature import STEPS, Killed, Miniature, succeeded
from workers.protocol.messages import Block, Report


def killed(here: Miniature) -> None:
    """An attempt dies between two checkpoints, within an epoch."""
    here.submit()
    here.at("mid_step", 9)
    here.finish()


def killed_twice(here: Miniature) -> None:
    """Two attempts die before the first checkpoint."""
    here.submit()
    here.at("mid_step", 2)
    here.at("mid_step", 4)
    here.finish()


def killed_at_the_end(here: Miniature) -> None:
    """An attempt dies with its final checkpoint listed, before it has said that it succeeded."""
    here.submit()
    here.at("before_outcome", 1)
    here.finish()


def killed_before_commit(here: Miniature) -> None:
    """The API dies with a job in its transaction."""
    here.at("before_commit", 1)
    here.submit()
    here.finish()


def answer_lost(here: Miniature) -> None:
    """The API dies with a job committed, and the client asks again."""
    here.at("after_commit", 1)
    here.submit()
    here.finish()


def zombie(here: Miniature) -> None:
    """A superseded attempt goes on to write while the next one trains."""
    here.submit()
    here.at("mid_step", 9)
    first = here.attempt()
    assert first is not None
    here.expire()
    late = Block([STEPS + 1], [0.0], [0.0], [0.0])
    here.at("mid_step", 5, lambda: here.zombie(first, Report(series={"train/loss": late}), succeeded()))
    here.finish()


def zombie_after_cancel(here: Miniature) -> None:
    """An attempt writes after its lease has run out and its job is cancelled."""
    job_id = here.submit()
    here.at("mid_step", 9)
    first = here.attempt()
    assert first is not None
    here.cancel(job_id)
    here.expire()
    here.zombie(first, Report(series={"train/loss": Block([9], [0.0], [0.0], [0.0])}))


def two_sweepers(here: Miniature) -> None:
    """Two sweepers see the same lease run out."""
    here.submit()
    here.at("mid_step", 9)
    first = here.attempt()
    assert first is not None
    here.expire()
    here.lose(first)
    here.finish()


def database_away(here: Miniature) -> None:
    """The database does not answer when a report is to be written."""
    here.submit()
    here.at("before_chunk", 6, here.miss)
    here.finish()


def commit_unheard(here: Miniature) -> None:
    """A report is committed, and the connection breaks before the worker hears of it."""
    here.submit()
    here.at("before_chunk", 6, here.lose_the_answer)
    here.finish()


def killed_while_storing(here: Miniature) -> None:
    """An attempt dies in the middle of a file."""
    here.submit()
    here.at("file_half_written", 9, lambda: _looked_at(here))
    here.finish()


def killed_while_removing(here: Miniature) -> None:
    """A worker dies between taking checkpoints off the list and removing their files."""
    here.submit()
    here.at("before_removal", 3, lambda: _looked_at(here))
    here.finish()


def power_cut(here: Miniature) -> None:
    """The power fails just after a checkpoint has been listed."""
    here.submit()
    here.at("row_committed", 2, here.cut_the_power)
    here.finish()


def killed_after_cancel(here: Miniature) -> None:
    """A worker dies after the user's wish to cancel has been acknowledged, and before the attempt has heard of it."""
    job_id = here.submit()
    here.at("mid_step", 9, lambda: _cancelled(here, job_id))
    here.finish()


def _looked_at(here: Miniature) -> None:
    here.look()
    raise Killed


def _cancelled(here: Miniature, job_id: str) -> None:
    here.cancel(job_id)
    raise Killed


ROUNDS = (killed, killed_twice, killed_at_the_end, killed_before_commit, answer_lost, zombie, zombie_after_cancel,
          two_sweepers, database_away, commit_unheard, killed_while_storing, killed_while_removing, power_cut,
          killed_after_cancel)  # fmt: skip
