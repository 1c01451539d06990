"""Imported by a forkserver before it forks: all that attempts and inspections would otherwise do for the first time."""

from workers.torch_setup import preload

preload()

from workers.runner.warm_up import warm_up  # noqa: E402 - it imports torch, which is set up by then

warm_up()
