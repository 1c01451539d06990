"""The checkpoints of a job and their files."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from graftwerk.errors import ApiStatusError, NoSuchFile
from graftwerk.http import downloads
from graftwerk.http.pagination import paginate
from graftwerk.http.resources import operation
from graftwerk.jobs.document import JobDocument
from graftwerk.types import Checkpoint, File


class CheckpointsResource(JobDocument):
    """The checkpoints of a job; a base class of `Job` and `AsyncJob`."""

    @operation
    async def checkpoints(self) -> list[Checkpoint]:
        """Return the checkpoints, newest first."""
        return [Checkpoint.from_document(item) async for item in paginate(self._transport, self._path("/checkpoints"))]

    @operation
    async def best_checkpoint(self) -> Checkpoint:
        """Return the best checkpoint by the plan's monitor, or where nothing was evaluated the newest.

        It is the one that predicts. Raises `NoSuchFile` if there is none yet.
        """
        return await self._resolve_checkpoint(None)

    @operation
    async def download(
        self,
        folder: str | Path,
        names: Sequence[str] | None = None,
        checkpoint: str | None = None,
        on_progress: Callable[[File, int], None] = lambda file, received: None,
    ) -> list[Path]:
        """Download files of a checkpoint (default: all files of the best) into a folder and return their paths.

        Interrupted downloads are resumed; a second call downloads only what is missing. `on_progress` is called with
        a file and the bytes received so far. Raises `NoSuchFile`, `CorruptDownload`, `Unreachable` or an
        `ApiStatusError`.
        """
        saved = await self._resolve_checkpoint(checkpoint)
        offered = {file.name: file for file in saved.files}
        missing = [name for name in names or () if name not in offered]
        if missing:
            raise NoSuchFile(f"{saved.id} has no {', '.join(missing)}; it has {', '.join(offered)}")
        paths = []
        for name in names or offered:
            file = offered[name]
            path = f"/v1/checkpoints/{saved.id}/files/{name}"
            progress = partial(on_progress, file)
            paths.append(await downloads.download(self._transport, path, file, Path(folder), progress))
        return paths

    @operation
    async def export(self, form: str, folder: str | Path, checkpoint: str | None = None) -> Path:
        """Download a checkpoint (default: the best) as `onnx`, as `torch_export` or, with all its files, as `bundle`.

        Raises what `download` does, and an `ApiStatusError` if the network cannot be exported.
        """
        saved = await self._resolve_checkpoint(checkpoint)
        path = f"/v1/checkpoints/{saved.id}/exports/{form}"
        try:
            headers = (await self._transport.request("HEAD", path)).headers
        except ApiStatusError:  # which has no body
            headers = (await self._transport.request("GET", path)).headers
        name = headers["content-disposition"].partition('filename="')[2].rstrip('"')
        file = File(name, int(headers["content-length"]), headers["etag"].strip('"'))
        return await downloads.download(self._transport, path, file, Path(folder))

    async def _resolve_checkpoint(self, checkpoint: str | None) -> Checkpoint:
        offered = await CheckpointsResource.checkpoints(self)
        saved = next((each for each in offered if (each.best if checkpoint is None else each.id == checkpoint)), None)
        if saved is None:
            raise NoSuchFile(f"{self.id} has no checkpoint{' ' + checkpoint if checkpoint else ' yet'}")
        return saved
