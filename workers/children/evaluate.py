"""Evaluates a trained network on a labelled data set."""

import torch

from app.errors import NotPredictable
from app.spec.data.columns import DataSchema
from workers.prediction.evaluation import LabelledDataset, evaluate_dataset
from workers.prediction.network import NetworkSource
from workers.protocol.child_requests import EvaluateRequest, EvaluateResponse


def handle(request: EvaluateRequest) -> EvaluateResponse:
    """Return the figures of a data set. Raises `InvalidInput`, `NotPredictable`, `OutOfMemory`."""
    if request.device == "cuda" and not torch.cuda.is_available():
        raise NotPredictable("predictions are set to run on a GPU, and this machine has none")
    dataset = LabelledDataset(
        source=request.source,
        schema=DataSchema.model_validate(request.dataset_schema),
        content=request.content,
        data_root=request.data_root,
        split=request.split,
    )
    trained = NetworkSource(request.job, request.schema, request.weights, request.preparation)
    return EvaluateResponse(evaluate_dataset(trained, dataset, torch.device(request.device)))
