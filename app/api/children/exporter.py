"""Exports of a checkpoint, created by the first request and kept in the artifact store.

A graph is stored under the SHA-256 of its content; the manifest beside it, written last, makes it visible.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app import checkpoints
from app.api.children.bundle import write_bundle
from app.api.services import Services
from app.db.tables import CheckpointRow, EditRow, JobRow
from app.edits import repository, revisions
from app.errors import NotExportable, NotFound
from app.storage.keys import exports_prefix
from app.storage.protocol import ArtifactStore
from app.storage.removal import remove_files
from workers.protocol.child_requests import ExportRequest

WEIGHTS = "weights.safetensors"
BUNDLE = "bundle"
EXPORT_FILE_NAMES: Mapping[str, str] = {"onnx": "model.onnx", "torch_export": "model.pt2", BUNDLE: "bundle.zip"}


@dataclass(frozen=True, slots=True)
class ExportSource:
    """The checkpoint to export."""

    job_id: str
    checkpoint: str
    step: int
    spec: Mapping[str, Any]  # of the checkpoint's revision
    data_schema: Mapping[str, Any]
    files: tuple[Mapping[str, Any], ...]  # the public ones
    first_spec: Mapping[str, Any]  # of revision 1
    edits: tuple[Mapping[str, Any], ...]  # that led from it to the spec

    @property
    def weights(self) -> str:
        """The key of the weights in the store. Raises `NotFound`."""
        path = next((file["path"] for file in self.files if file["name"] == WEIGHTS), None)
        if path is None:
            raise NotFound(f"{self.checkpoint} has no {WEIGHTS}")
        return str(path)


def export_source(session: Session, owner: str, checkpoint_id: str) -> ExportSource:
    """Return the owner's checkpoint as the source of an export. Raises `NotFound`."""
    row = checkpoints.find(session, owner, checkpoint_id)
    job = session.get_one(JobRow, row.job_id)
    files = tuple(file for file in row.files if file["public"])
    document, first = revisions.checkpoint_document(session, job, row), row.revision == revisions.FIRST_REVISION
    log = [] if first else [_edit_entry(each) for each in _edits_before(session, job, row)]
    return ExportSource(job.id, row.id, row.step, document, job.data_schema, files, job.spec, tuple(log))


def _edits_before(session: Session, job: JobRow, checkpoint: CheckpointRow) -> list[EditRow]:
    """Return the edits that led to a checkpoint, oldest first."""
    return revisions.trace_line(checkpoint.revision, repository.applied(session, job.id)).edits()


def _edit_entry(row: EditRow) -> dict[str, Any]:
    """Return an edit as a bundle holds it: with the first spec, all that is needed to train the same again."""
    names = ("number", "origin", "step", "revision", "parent", "operations", "choices", "comment", "base")
    return {name: getattr(row, name) for name in names}


def get_or_create_export(services: Services, owner: str, checkpoint_id: str, form: str) -> Mapping[str, Any]:
    """Return a stored export {name, path, size, sha256, difference}; it is created if there is none.

    Raises `NotFound`, `NotExportable`, `MissingDependency`, `ServiceOverloaded`, `Unavailable`, `StorageFull`.
    """
    checkpoints.acquire_for_reading(services.db, lambda session: checkpoints.find(session, owner, checkpoint_id))
    source = services.db.read(export_source, owner, checkpoint_id)
    manifest_key = f"{exports_prefix(source.job_id, checkpoint_id)}{EXPORT_FILE_NAMES[form]}.json"
    manifest = _read_manifest(services.store, manifest_key)
    if manifest is not None:
        return manifest
    with services.inspector.export_slot():
        manifest = _read_manifest(services.store, manifest_key)  # another request may have created it meanwhile
        return manifest if manifest is not None else _create_export(services, owner, source, form, manifest_key)


def _write_export(services: Services, source: ExportSource, form: str, target: Path) -> float | None:
    """Write the file; returns the largest difference to the network's own outputs, `None` for a bundle."""
    if form == BUNDLE:
        placeholders = {
            "name": source.spec.get("name", "untitled"),
            "checkpoint": source.checkpoint,
            "job": source.job_id,
            "step": source.step,
            "network": "Policy" if source.spec["data"]["kind"] == "environment" else "Network",
        }
        documents: dict[str, Any] = {"spec.json": source.spec}
        if source.edits:
            documents |= {"first_spec.json": source.first_spec, "edits.json": source.edits}
        write_bundle(services.store, source.files, documents, placeholders, target)
        return None
    weights = services.store.fetch(source.weights, target.with_name(WEIGHTS))
    return services.inspector.export(ExportRequest(form, source.spec, source.data_schema, weights, target))


def _read_manifest(store: ArtifactStore, key: str) -> Mapping[str, Any] | None:
    try:
        manifest: Mapping[str, Any] = json.loads(b"".join(store.read(key)))
    except NotFound:
        return None
    return manifest


def _create_export(
    services: Services, owner: str, source: ExportSource, form: str, manifest_key: str
) -> Mapping[str, Any]:
    name = EXPORT_FILE_NAMES[form]
    with services.spool.folder("export") as folder:
        target = folder / name
        services.spool.check_room(sum(file["size"] for file in source.files))
        try:
            difference = _write_export(services, source, form, target)
        except NotExportable:
            services.spool.check_room(1)  # torch says of a full disk only that writing failed
            raise
        with target.open("rb") as content:
            digest = file_digest(content, "sha256").hexdigest()
        key = manifest_key.replace(f"{name}.json", f"{digest}/{name}")
        stored = services.store.put_file(key, target)
    manifest = {"name": name, "path": key, "size": stored.size, "sha256": digest, "difference": difference}
    services.store.put_bytes(manifest_key, json.dumps(manifest).encode())
    try:
        services.db.read(checkpoints.find, owner, source.checkpoint)
    except NotFound:  # deleted in the meantime, with every export that was there then
        remove_files(services.store, [manifest_key, key])
        raise
    return manifest
