"""TensorBoard's event files: one run in a folder of its own, with all points, their times, and hyper-parameters."""

from pathlib import Path

from graftwerk.exports.records import (
    encode_end,
    encode_parameters,
    encode_scalar,
    encode_text,
    encode_version,
    frame_record,
    join,
)
from graftwerk.exports.run import Run
from graftwerk.types import Point

ENDED_WELL = "succeeded"


class TensorBoardWriter:
    """Writes `events.out.tfevents…` into a folder."""

    def __init__(self, folder: Path, run: Run) -> None:
        folder.mkdir(parents=True)
        self._run = run
        self._file = (folder / f"events.out.tfevents.{int(run.start)}.graftwerk").open("wb")
        rows = "".join(f"| {name} | {value} |\n" for name, value in run.parameters.items())
        text = f"{run.id}: {run.status}\n\n| parameter | value |\n| --- | --- |\n{rows}"
        events = [encode_version(run.start), encode_text(run.start, "job/text_summary", text)]
        self._file.write(join([*events, encode_parameters(run.start, run.id, run.parameters)]))

    def write(self, point: Point) -> None:
        """Write a point."""
        self._file.write(frame_record(encode_scalar(point.time, point.step, point.series.encode(), point.value)))

    def close(self) -> None:
        """End the session, unless the job goes on, and close the file."""
        if self._run.end is not None:
            self._file.write(join([encode_end(self._run.end, self._run.status == ENDED_WELL)]))
        self._file.close()
