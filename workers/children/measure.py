"""Measures how much an edit changes what a trained network computes."""

from app.spec.data.columns import DataSchema
from workers.children.revise import OPERATIONS
from workers.prediction.evaluation import LabelledDataset
from workers.prediction.function_difference import EditScript, measure_difference
from workers.prediction.network import NetworkSource, prediction_device
from workers.protocol.child_requests import MeasureRequest, MeasureResponse


def handle(request: MeasureRequest) -> MeasureResponse:
    """Return the differences. Raises `InvalidInput`, `NotPredictable`, `OutOfMemory`."""
    device = prediction_device(request.device)
    dataset = LabelledDataset(
        source=request.source,
        schema=DataSchema.model_validate(request.schema),
        content=request.content,
        data_root=request.data_root,
        split=request.split,
    )
    trained = NetworkSource(request.job, request.schema, request.weights, request.preparation)
    earlier = [OPERATIONS.validate_python(operations) for operations in request.earlier]
    script = EditScript(earlier, OPERATIONS.validate_python(request.operations), request.edit)
    return MeasureResponse(measure_difference(trained, dataset, script, device))
