"""Removes files that no row lists any more, always after the commit."""

from collections.abc import Iterable

import structlog

from app.errors import GraftwerkError
from app.storage.keys import exports_prefix, job_prefix
from app.storage.protocol import ArtifactStore

_log = structlog.get_logger(__name__)


def remove_files(store: ArtifactStore, keys: Iterable[str]) -> None:
    """Delete files. A file that cannot be deleted is logged and stays; it only takes up space."""
    key = ""
    try:
        for key in keys:
            _remove(store, key)
    except (GraftwerkError, OSError) as error:
        _log.warning("files_not_listed", after=key, error=str(error))


def remove_checkpoint_files(store: ArtifactStore, job_id: str, checkpoint_id: str, keys: Iterable[str]) -> None:
    """Delete the files of a checkpoint that is gone, and what was exported from it."""
    remove_files(store, keys)
    remove_files(store, store.keys(exports_prefix(job_id, checkpoint_id)))


def remove_job_files(store: ArtifactStore, job_id: str) -> None:
    """Delete every file of a job that is gone: its checkpoints, and what was exported from them."""
    for prefix in (job_prefix(job_id), exports_prefix(job_id)):
        remove_files(store, store.keys(prefix))


def _remove(store: ArtifactStore, key: str) -> None:
    try:
        store.delete(key)
    except (GraftwerkError, OSError) as error:
        _log.warning("file_not_deleted", key=key, error=str(error))
