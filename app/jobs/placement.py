"""Which workers can run a job: those that serve its queue, and have the device that it needs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import ColumnElement, and_, func, or_
from sqlalchemy.orm import Session

from app import heartbeat
from app.db.tables import JobRow
from app.errors import Problem

if TYPE_CHECKING:
    from app.spec.job import JobSpec

GPU_DEVICES = ("cuda", "mps")


class DeviceNeed(NamedTuple):
    """What a job asks for: one of `devices`, in the field at `pointer`."""

    pointer: str
    what: str
    devices: tuple[str, ...]
    hint: str


def device_needs(job: "JobSpec") -> list[DeviceNeed]:
    """Return the devices that a job cannot run without; on a CPU everything else runs."""
    needs, training = [], job.training
    if job.resources.gpus:
        needs.append(DeviceNeed("/resources/gpus", "a GPU", ("cuda",), "leave resources.gpus out"))
    if training.device in GPU_DEVICES:
        hint = 'use "auto", which takes a GPU where there is one'
        needs.append(DeviceNeed("/training/device", f"a {training.device} device", (training.device,), hint))
    if training.precision == "fp16" and training.device == "auto":
        needs.append(DeviceNeed("/training/precision", "a GPU, as fp16 needs one", GPU_DEVICES, 'use "bf16"'))
    return needs


def runs_on(devices: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a job can run on a worker with these devices. It says what `device_needs` does."""
    spec = JobRow.spec
    device = func.coalesce(spec["training"]["device"].as_string(), "auto")
    conditions = [or_(device.not_in(GPU_DEVICES), device.in_(devices))]
    if "cuda" not in devices:
        conditions.append(func.coalesce(spec["resources"]["gpus"].as_integer(), 0) == 0)
    if not set(GPU_DEVICES) & set(devices):
        precision = func.coalesce(spec["training"]["precision"].as_string(), "float32")
        conditions.append(or_(precision != "fp16", device != "auto"))
    return and_(*conditions)


def placement_warnings(session: Session, job: "JobSpec", queue: str) -> list[Problem]:
    """Return warnings if no worker that lives can run the job: it waits for one."""
    live = heartbeat.live_workers(session)
    serving = [worker for worker in live if queue in worker.queues]
    if not serving:
        served = sorted({name for worker in live for name in worker.queues})
        needs = device_needs(job)
        place = needs[0].pointer if queue != job.resources.queue and needs else "/resources/queue"
        detail = f'no worker that lives serves the queue "{queue}": the job waits for one'
        hint = "name another queue: " + ", ".join(served) if served else "start a worker"
        return [Problem(place, "no_worker", detail, hint)]
    return [
        Problem(
            need.pointer,
            "no_device",
            f'no worker that lives and serves the queue "{queue}" has {need.what}: the job waits for one',
            need.hint,
        )
        for need in device_needs(job)
        if not any(worker.has_one_of(need.devices) for worker in serving)
    ]
