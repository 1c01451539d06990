"""What an attempt has loaded once, for all revisions of its job."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from app.spec.data.columns import DataSchema
from app.spec.job import parse_job, resolve_job_features
from workers.data.loading.examples import TrainingData
from workers.network.runtime.build import BuiltNetwork, build
from workers.protocol.assignment import CheckpointRef
from workers.training.checkpoints.saver import CheckpointSaver
from workers.training.edits.agenda import Agenda


@dataclass(frozen=True)
class AttemptResources:
    """What an attempt has loaded once, for all revisions of its job."""

    schema: DataSchema  # as stored with the job
    data: TrainingData  # of an environment without rows
    saver: CheckpointSaver
    device: torch.device
    loaders: int = 0  # processes that decode images
    earlier_checkpoints: tuple[CheckpointRef, ...] = ()  # of earlier attempts, oldest first
    agenda: Agenda = field(default_factory=Agenda)
    documents: dict[int, Mapping[str, Any]] = field(default_factory=dict)  # by revision

    def network_of(self, revision: int) -> BuiltNetwork:
        """Build the network of an earlier revision on the device."""
        job = parse_job(dict(self.documents[revision]))
        features = resolve_job_features(job, self.schema)
        with torch.random.fork_rng(devices=[]):
            network = build(job.model, features.schema, job.data.inputs or features.schema.inputs)
        return network.to(self.device)
