"""A round of unfriendly clients: each does its worst while a job trains and a friendly client goes on asking."""

import asyncio
from contextlib import suppress

from app.jobs.states import TERMINAL_STATUSES
from tests.faults.campaign import Round
from tests.faults.clients.scene import Probes, Scene
from tests.faults.clients.unfriendly import UNFRIENDLY_CLIENTS, Unfriendly

IDLE_SECONDS = 3.0
POINTS = 60_000
MEMORY_GROWTH = 200.0  # MiB of the API by one kind of client
SLOWNESS = 10.0  # the median of a friendly request, as a multiple of that of an idle service
IDLE_FLOOR_SECONDS = 0.05  # below which a median is not told apart from a busy machine


def unfriendly_clients(here: Round) -> None:
    """All of them, one after the other, in an order by chance."""
    names = sorted(UNFRIENDLY_CLIENTS)
    here.random.shuffle(names)
    scene = set_scene(here, 1.0, POINTS)
    wrong = [f"{name}: {each}" for name in names for each in suffer(here, scene, name)]
    assert not wrong, "; ".join(wrong)


def set_scene(here: Round, size: float, points: int) -> Scene:
    """Prepare a job with many points, and one that has ended."""
    scene = Scene(here.deployment, size)
    scene.long_job = scene.make_long_job(points)
    scene.ended_job = here.submit()
    here.wait_until(lambda record: record.status in TERMINAL_STATUSES, scene.ended_job, "the end")
    return scene


def suffer(here: Round, scene: Scene, name: str) -> list[str]:
    """Let one kind of client do its worst while a job trains; return what went wrong, with the service or with it."""
    scene.running_job = here.submit()
    here.wait_for_points(scene.running_job)
    before = scene.api_memory()
    idle = asyncio.run(scene.probe(IDLE_SECONDS))
    probes, wrong = asyncio.run(_suffer(scene, UNFRIENDLY_CLIENTS[name]))
    here.figures |= {
        f"{name}_ratio_p99": round(probes.p99("jobs") / max(0.001, idle.p99("jobs")), 1),
        f"{name}_p99_seconds": round(probes.p99("jobs"), 3),
        f"{name}_mebibytes": round(scene.api_memory() - before, 1),
    }
    if name == "everybody_after_a_restart":  # the service was away, and is a new process
        return wrong
    if here.figures[f"{name}_mebibytes"] > MEMORY_GROWTH:
        wrong.append(f"the API grew by {here.figures[f'{name}_mebibytes']} MiB")
    if (slow := probes.median("jobs")) > SLOWNESS * max(idle.median("jobs"), IDLE_FLOOR_SECONDS):
        wrong.append(f"GET /v1/jobs took {slow:.2f} s instead of {idle.median('jobs'):.3f} s, medians")
    return wrong + sorted(set(probes.wrong))


async def _suffer(scene: Scene, client: Unfriendly) -> tuple[Probes, list[str]]:
    probes = Probes()
    probing = asyncio.create_task(probes.send(scene.server))
    try:
        return probes, await client(scene)
    finally:
        probing.cancel()
        with suppress(asyncio.CancelledError):
            await probing
