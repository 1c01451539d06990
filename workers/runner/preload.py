"""Imported by a forkserver before it forks: everything an attempt or an inspection would import lazily."""

from workers.torch_setup import preload

preload()
