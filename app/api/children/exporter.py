"""Exports of a checkpoint, made when somebody asks for the first time and kept in the artifact store.

A graph lies under the SHA-256 of its content; a small JSON document beside it, put last, says that it is there.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app import checkpoints
from app.api.children.bundle import write_bundle
from app.api.children.inspector import ExportRequest
from app.api.services import Services
from app.db.tables import JobRow
from app.errors import NotFound
from app.storage.keys import exports_prefix
from app.storage.protocol import ArtifactStore
from app.storage.removal import remove_files

WEIGHTS = "weights.safetensors"
BUNDLE = "bundle"
EXPORT_FILE_NAMES: Mapping[str, str] = {"onnx": "model.onnx", "torch_export": "model.pt2", BUNDLE: "bundle.zip"}


@dataclass(frozen=True, slots=True)
class ExportSource:
    """What an export is made of."""

    job_id: str
    checkpoint: str
    step: int
    spec: Mapping[str, Any]
    data_schema: Mapping[str, Any]
    files: tuple[Mapping[str, Any], ...]  # the public ones

    @property
    def weights(self) -> str:
        """The key of the weights in the store. Raises `NotFound`."""
        found = next((file["path"] for file in self.files if file["name"] == WEIGHTS), None)
        if found is None:
            raise NotFound(f"{self.checkpoint} has no {WEIGHTS}")
        return str(found)


def export_source(session: Session, owner: str, checkpoint_id: str) -> ExportSource:
    """Return what an export of the owner's checkpoint is made of. Raises `NotFound`."""
    row = checkpoints.find(session, owner, checkpoint_id)
    job = session.get_one(JobRow, row.job_id)
    files = tuple(file for file in row.files if file["public"])
    return ExportSource(job.id, row.id, row.step, job.spec, job.data_schema, files)


def get_or_create_export(services: Services, owner: str, checkpoint_id: str, form: str) -> Mapping[str, Any]:
    """Return a stored export {name, path, size, sha256, difference}, made now if there is none.

    Raises `NotFound`, `NotExportable`, `NotInstalled`, `Overloaded`, `Unavailable`, `StorageFull`.
    """
    checkpoints.acquire_for_reading(services.db, lambda session: checkpoints.find(session, owner, checkpoint_id))
    made_of = services.db.read(export_source, owner, checkpoint_id)
    note = f"{exports_prefix(made_of.job_id, checkpoint_id)}{EXPORT_FILE_NAMES[form]}.json"
    found = _read_manifest(services.store, note)
    if found is not None:
        return found
    with services.inspector.export_slot():
        found = _read_manifest(services.store, note)  # somebody may have asked for the same, and waited less
        return found if found is not None else _create_export(services, owner, made_of, form, note)


def _write_export(services: Services, made_of: ExportSource, form: str, target: Path) -> float | None:
    """Write the file; returns the largest difference to the network's own outputs, where that means something."""
    if form == BUNDLE:
        told = {
            "name": made_of.spec.get("name", "untitled"),
            "checkpoint": made_of.checkpoint,
            "job": made_of.job_id,
            "step": made_of.step,
        }
        write_bundle(services.store, made_of.files, made_of.spec, told, target)
        return None
    weights = services.store.fetch(made_of.weights, target.with_name(WEIGHTS))
    return services.inspector.export(ExportRequest(form, made_of.spec, made_of.data_schema, weights), target)


def _read_manifest(store: ArtifactStore, note: str) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = json.loads(b"".join(store.read(note)))
    except NotFound:
        return None
    return found


def _create_export(services: Services, owner: str, made_of: ExportSource, form: str, note: str) -> Mapping[str, Any]:
    name = EXPORT_FILE_NAMES[form]
    with tempfile.TemporaryDirectory(prefix="graftwerk-export-") as place:
        target = Path(place) / name
        difference = _write_export(services, made_of, form, target)
        with target.open("rb") as content:
            digest = file_digest(content, "sha256").hexdigest()
        key = note.replace(f"{name}.json", f"{digest}/{name}")
        stored = services.store.put_file(key, target)
    found = {"name": name, "path": key, "size": stored.size, "sha256": digest, "difference": difference}
    services.store.put_bytes(note, json.dumps(found).encode())
    try:
        services.db.read(checkpoints.find, owner, made_of.checkpoint)
    except NotFound:  # deleted in the meantime, with every export that was there then
        remove_files(services.store, [note, key])
        raise
    return found
