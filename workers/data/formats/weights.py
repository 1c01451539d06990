"""Initial weights of a network: safetensors by the names of its `state_dict`."""

from app.errors import InvalidInput, Problem
from app.spec.data.columns import Column
from app.spec.problems import json_pointer
from workers.data.files.column_names import name_problem
from workers.data.files.content import Content, Upload
from workers.data.files.problems import refuse
from workers.data.formats.arrays import NETWORK_DTYPES, read_tensors

WEIGHTS_SPLIT = "weights"  # not "train": nothing is trained on them


def read_weights(upload: Upload) -> Content:
    """Read named tensors as columns of one row. Raises `InvalidInput` with every problem."""
    tensors = read_tensors(upload)
    problems = []
    for name, tensor in tensors.items():
        place = json_pointer([name])
        if problem := name_problem(name, place):
            problems.append(problem)
        if tensor.dtype not in NETWORK_DTYPES or 0 in tensor.shape:
            detail = f'"{name}" holds {str(tensor.dtype).removeprefix("torch.")} of shape {list(tensor.shape)}'
            problems.append(Problem(place, "unsupported_dtype", detail, "store numbers"))
    if problems:
        raise InvalidInput(problems)
    if not tensors:
        refuse("no_columns", "there are no tensors in the file", "save the state_dict of a network")
    columns = tuple(
        Column.model_validate({"name": name, "shape": tuple(tensor.shape), "dtype": NETWORK_DTYPES[tensor.dtype]})
        for name, tensor in tensors.items()
    )
    return Content(columns, {WEIGHTS_SPLIT: {name: tensor.unsqueeze(0) for name, tensor in tensors.items()}}, ())
