"""An assignment comes out of its JSON form as it went in."""

from workers.protocol.assignment import Assignment, CheckpointRef, DatasetRef, EditRef

FILE = {"name": "state.pth", "path": "a/b", "size": 3, "sha256": "00", "public": False}


def test_a_full_assignment_makes_a_round_trip() -> None:
    upload, checkpoint = (
        DatasetRef({"kind": "upload", "format": "csv"}, "uploads/1"),
        CheckpointRef("ckpt_1", 7, (FILE,)),
    )
    assignment = Assignment(
        job_id="job_1",
        fence=2,
        spec={"version": 1},
        data_schema={"rows": 3},
        store_url="artifacts",
        data_root="data",
        gpus=(0,),
        dataset=upload,
        weights=upload,
        word_vectors={"ds_1": upload},
        resume_from=(checkpoint, checkpoint),
        start_from=checkpoint,
        store_options={"region": "here"},
        edits=(
            EditRef(1, ({"op": "narrow", "node": "a", "to": 2},), "now", 5, 2, {0: (1, 3)}),
            EditRef(2, ({"op": "remove", "node": "a"},), {"when": {"metric": "val/loss", "below": 0.1}}),
        ),
        documents={2: {"version": 1}},
    )
    assert Assignment.from_json(assignment.to_json()) == assignment


def test_what_is_left_out_stays_out() -> None:
    assignment = Assignment("job_1", 1, {}, {}, "artifacts", "data")
    assert Assignment.from_json(assignment.to_json()) == assignment
