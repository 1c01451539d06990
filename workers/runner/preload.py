"""Imported by a fork server before it forks: what its children run, and all that they would do for the first time."""

from workers.torch_setup import preload

preload()

from workers.children.server import serve_gpu_predictor, serve_inspector, serve_one_request, serve_predictor  # noqa: E402 - they import torch, which is set up by then
from workers.runner.devices import report_devices  # noqa: E402
from workers.runner.main import main  # noqa: E402
from workers.runner.warm_up import warm_up  # noqa: E402

MAINS = {
    "attempt": main,
    "devices": report_devices,
    "inspector": serve_inspector,
    "batch": serve_one_request,
    "predictor": serve_predictor,
    "gpu_predictor": serve_gpu_predictor,
}

warm_up()
