"""Predicts rows with trained networks, of which the last few are kept in memory."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from app.errors import ContentTooLarge, InvalidInput, Problem
from app.spec.prediction import Prediction, PredictionOptions
from workers.prediction.forward import predict_rows, prepare_rows
from workers.prediction.generation import TEXT_DESCRIPTION
from workers.prediction.inputs.files import InputRows, read_rows
from workers.prediction.inputs.requests import RequestBody, parse_prediction
from workers.prediction.inputs.rows import split_from_rows, truncation_warnings, unknown_word_warnings
from workers.prediction.network import NetworkCache, NetworkSource, TrainedNetwork, load_network, prediction_device
from workers.prediction.responses import render_csv, render_json
from workers.prediction.selection import OutputSelection
from workers.protocol.child_requests import CheckpointRequest, CheckpointResponse, PredictRequest, PredictResponse
from workers.training.devices import set_determinism


def warm_up() -> None:
    """Set torch up."""
    torch.set_num_threads(1)
    set_determinism(True)


def requested_checkpoint(request: CheckpointRequest) -> CheckpointResponse:
    """Return the checkpoint that a document names, if it names one. Raises `InvalidInput`, `MalformedRequest`."""
    with _without_gc():
        document = parse_prediction(_request_body(request), PredictionOptions())
    return CheckpointResponse(document.checkpoint)


def handle(cache: NetworkCache, request: PredictRequest) -> PredictResponse:
    """Write the predictions into the target, unless the body names another checkpoint.

    Raises `InvalidInput`, `NotPredictable`, `ContentTooLarge`, `MalformedRequest`, `UnsupportedMediaType`,
    `OutOfMemory`.
    """
    with _without_gc():
        return _predict(cache, request)


@contextmanager
def _without_gc() -> Iterator[None]:
    """Do not collect cycles: rows are many objects without any, and looking for them takes longer than reading."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _predict(cache: NetworkCache, request: PredictRequest) -> PredictResponse:
    body, options, document = _request_body(request), PredictionOptions.model_validate(request.options), None
    if request.form == "document":
        options = document = parse_prediction(body, options)
        if document.checkpoint not in (None, request.checkpoint):
            return PredictResponse(document.checkpoint)
    selection = OutputSelection(options.select, without_rows=document is not None and document.rows is None)
    trained = _trained_network(cache, request, selection)
    rows = _document_rows(document, trained) if document is not None else read_rows(request.form, body, trained)
    content = _render_predictions(trained, rows, options, request)
    if len(content) > request.max_bytes:
        detail = f"the response has {len(content):,} bytes, at most {request.max_bytes:,} are allowed"
        raise ContentTooLarge(detail, hint="send fewer rows, or request labels only")
    request.target.write_bytes(content)
    return PredictResponse()


def _document_rows(document: Prediction, trained: TrainedNetwork) -> InputRows:
    """Return the rows of a document, or as many as it counts, without any column."""
    if document.rows is None:
        return InputRows({}, document.count or 0)
    split = split_from_rows(document.rows, trained.required_columns, trained.dataset_columns)
    return InputRows(split, len(document.rows))


def _request_body(request: PredictRequest | CheckpointRequest) -> RequestBody:
    encoding = request.encoding if isinstance(request, PredictRequest) else None
    return RequestBody(request.body, request.media_type, request.max_rows, encoding)


def _trained_network(cache: NetworkCache, request: PredictRequest, selection: OutputSelection) -> TrainedNetwork:
    device = prediction_device(request.device)
    source = NetworkSource(request.job, request.schema, request.weights, request.preparation)
    key = request.checkpoint, selection
    size = request.weights.stat().st_size if key not in cache else 0
    return cache.get(key, size, lambda: load_network(source, device, selection))


def _render_predictions(
    trained: TrainedNetwork, rows: InputRows, options: PredictionOptions, request: PredictRequest
) -> bytes:
    warnings = [*rows.warnings, *unknown_word_warnings(rows.split, trained.required_columns)]
    prepared = prepare_rows(trained, rows.split, rows.count)
    warnings += truncation_warnings(trained.preparation, prepared.inputs)
    predictions = predict_rows(trained, prepared, options)
    if options.outputs == ("image",) and not any("image" in fields for fields in predictions[0].values()):
        detail, hint = (
            "no output is an image",
            "an image is an output of shape (1, height, width) or (3, height, width)",
        )
        raise InvalidInput([Problem("/outputs", "no_image", detail, hint)])
    if request.as_csv:
        return render_csv(predictions, trained.formatters, rows.files, prepared.origins)
    described = {name: formatter.describe() for name, formatter in trained.formatters.items()}
    if trained.generator is not None and options.generate is not False:
        described[trained.generator.output] |= TEXT_DESCRIPTION
    head: Mapping[str, Any] = {
        **request.metadata,
        "outputs": described,
        "left_out": dict(trained.left_out),
        "files": list(rows.files) or None,
        "windows": prepared.origins,
        "warnings": [warning.as_dict() for warning in warnings],
    }
    return render_json(head, predictions)
