"""The forms of exported curves, and the folder that an export appears in."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from graftwerk.exports.mlflow import FileStoreWriter, RestWriter
from graftwerk.exports.run import CurveWriter, Run
from graftwerk.exports.tensorboard import TensorBoardWriter

# Form → what writes it into a folder that does not exist yet.
CURVE_FORMS: Mapping[str, Callable[[Path, Run], CurveWriter]] = {
    "tensorboard": TensorBoardWriter,
    "mlflow": FileStoreWriter,
    "mlflow_json": RestWriter,
}


class CurveExport:
    """Curves in one form. They appear as `FOLDER/NAME-ID` once all points are written, in place of an older export."""

    def __init__(self, form: str, folder: Path, run: Run) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / run.folder
        self._parts = Path(tempfile.mkdtemp(prefix=".graftwerk-", dir=folder))
        self._new = self._parts / "new"
        self.writer = CURVE_FORMS[form](self._new, run)

    def finish(self) -> Path:
        """Close the files, put them in their place, and return the folder."""
        self.writer.close()
        if self.path.exists():
            self.path.replace(self._parts / "old")
        self._new.replace(self.path)
        self.discard()
        return self.path

    def discard(self) -> None:
        """Remove what has no place."""
        shutil.rmtree(self._parts, ignore_errors=True)
