"""Imports torchmetrics without SciPy's signal processing, and so comes before every other import of it.

Where SciPy is installed, torchmetrics imports `scipy.signal` to give a function its former name back. No metric here
needs it, and it would take 40 MiB and a second of every process that trains.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from types import ModuleType

import workers.torch_setup  # noqa: F401 - comes before torchmetrics, which imports torchvision


@contextmanager
def _empty_scipy() -> Iterator[None]:
    """Let imports find a SciPy with nothing in it, unless it is not installed, or was imported already."""
    spec = find_spec("scipy")
    if spec is None or "scipy" in sys.modules:
        yield
        return
    scipy, signal = module_from_spec(spec), ModuleType("scipy.signal")
    scipy.__dict__["signal"], signal.__dict__["hamming"] = signal, None
    sys.modules |= {"scipy": scipy, "scipy.signal": signal}
    try:
        yield
    finally:
        del sys.modules["scipy"], sys.modules["scipy.signal"]


with _empty_scipy():
    import torchmetrics  # noqa: F401
