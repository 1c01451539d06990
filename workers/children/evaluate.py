"""Evaluates a trained network on a labelled data set."""

from app.spec.data.columns import DataSchema
from workers.prediction.evaluation import LabelledDataset, evaluate_dataset
from workers.prediction.network import NetworkSource, prediction_device
from workers.protocol.child_requests import EvaluateRequest, EvaluateResponse


def handle(request: EvaluateRequest) -> EvaluateResponse:
    """Return the figures of a data set. Raises `InvalidInput`, `NotPredictable`, `OutOfMemory`."""
    device = prediction_device(request.device)
    dataset = LabelledDataset(
        source=request.source,
        schema=DataSchema.model_validate(request.dataset_schema),
        content=request.content,
        data_root=request.data_root,
        split=request.split,
    )
    trained = NetworkSource(request.job, request.schema, request.weights, request.preparation)
    return EvaluateResponse(evaluate_dataset(trained, dataset, device))
