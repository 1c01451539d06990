"""Messages survive the pipe unchanged."""

import math
from multiprocessing import Pipe

import pytest

from workers.protocol.assignment import Assignment, CheckpointRef
from workers.protocol.messages import (
    Command,
    EditApplied,
    EditRejected,
    EditWithdrawn,
    Ending,
    Message,
    Outcome,
    ProgressReport,
    SavedCheckpoint,
    SavedFile,
    SeriesPoints,
    receive,
    send,
)

FILE = SavedFile("model.py", "jobs/job_1/1/5/model.py", 10, "ab", True)


@pytest.mark.parametrize(
    "message",
    [
        ProgressReport(
            phase="training",
            progress={"step": 1},
            series={"a": SeriesPoints([1], [0.5], [2.0], [0.1])},
            events=(("rewound", {"step": 0}),),
        ),
        SavedCheckpoint("ckpt_1", 5, 0.5, {"val/loss": 0.25}, (FILE,), final=True),
        Outcome(Ending.LOST, error={"code": "x"}),
        Outcome(Ending.SUCCEEDED, job_id="job_2"),
        Command("drain"),
        Command("pause", {"after_step": 3}),
        Command("edit", {"number": 1, "at": "now", "operations": [{"op": "remove", "node": "a"}]}),
        EditApplied(3, 10, 2, {"name": "x"}, {0: (1, 2)}, {"ms": 3}, ({"op": "remove", "node": "a"},)),
        EditRejected(None, ({"pointer": "/operations/0", "code": "x"},), 3, ({"op": "remove"},), rule=1, firing=2),
        EditWithdrawn(4),
    ],
)
def test_a_message_survives_the_pipe(message: Message) -> None:
    ours, theirs = Pipe()
    send(ours, message)
    assert receive(theirs) == message


def test_values_that_are_not_numbers_survive_the_pipe() -> None:
    ours, theirs = Pipe()
    send(ours, ProgressReport(series={"a": SeriesPoints([1, 2], [math.nan, -math.inf], [0.0, 0.0], [0.0, 0.0])}))
    message = receive(theirs)
    assert isinstance(message, ProgressReport)
    assert math.isnan(message.series["a"].value[0])
    assert message.series["a"].value[1] == -math.inf


def test_a_closed_pipe_is_the_end() -> None:
    ours, theirs = Pipe()
    theirs.close()
    with pytest.raises(EOFError):
        receive(ours)


def test_an_assignment_survives_json() -> None:
    assignment = Assignment(
        "job_1", 2, {"a": 1}, {}, "store", "data", resume_from=(CheckpointRef("ckpt_1", 5, ({"name": "x"},)),)
    )
    assert Assignment.from_json(assignment.to_json()) == assignment
