"""The jobs of an owner: submit, validate, list."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from graftwerk.http.pagination import paginate
from graftwerk.http.resources import AsyncResource, BlockingResource, Resource, iterator, operation
from graftwerk.jobs.job import AsyncJob, Job, JobResource
from graftwerk.specs import Spec, encode_spec, resolve_spec, start_spec

J = TypeVar("J", bound=JobResource)


class JobsResource(Resource, Generic[J]):
    """The jobs of the key's owner."""

    _job: type[J]

    @operation
    async def create(
        self, /, spec: Spec | None = None, idempotency_key: str | None = None, *,
        inputs: Sequence[str] = (), examples: Sequence[Any] = (), start_from: str | Mapping[str, Any] | None = None,
        match: str | None = None, rename: Mapping[str, str] | None = None, **parts: Any,
    ) -> J:  # fmt: skip
        """Submit a spec: a mapping, the path of a JSON or YAML file (sent unchanged), or its parts as keywords.

        `model` may be an `nn.Module`, which is traced; `inputs` names the columns that its forward takes (default:
        those in `data`, else x), and `examples` are tensors on which it runs (see `graftwerk.trace`). Only the
        architecture is sent: training starts from new weights, unless `start_from` names others: the id of a checkpoint
        or of a data set of weights, or the spec's own object. `match="shapes"` takes those whose name and shape fit,
        and `rename` maps paths of the weights to paths of the network; the job's `warnings` tell what is left over.

        Requests are idempotent: one call creates one job, retries included. Raises `InvalidRequest` with every
        problem of the spec, and `CannotExpress` with every line of a module that the language cannot express.
        """
        resolved = resolve_spec(spec, parts, inputs, examples, start_from is not None)
        content, headers = encode_spec(start_spec(resolved, start_from, match, rename))
        created = await self._transport.create("/v1/jobs", key=idempotency_key, content=content, headers=headers)
        return self._job(self._transport, created)

    @operation
    async def validate(
        self, /, spec: Spec | None = None, *, inputs: Sequence[str] = (), examples: Sequence[Any] = (),
        start_from: str | Mapping[str, Any] | None = None, match: str | None = None,
        rename: Mapping[str, str] | None = None, **parts: Any,
    ) -> Mapping[str, Any]:  # fmt: skip
        """Return the service's report on a spec without creating a job. Takes and raises what `create` does."""
        resolved = resolve_spec(spec, parts, inputs, examples, start_from is not None)
        content, headers = encode_spec(start_spec(resolved, start_from, match, rename))
        report: Mapping[str, Any] = await self._transport.json(
            "POST", "/v1/jobs/validate", content=content, headers=headers, repeatable=True
        )
        return report

    @operation
    async def get(self, job_id: str) -> J:
        """Return a job. Raises `NotFound`."""
        return self._job(self._transport, await self._transport.json("GET", f"/v1/jobs/{job_id}"))

    @iterator
    async def list(self, /, *, labels: Mapping[str, str] | None = None, **filters: Any) -> AsyncGenerator[J]:
        """Yield the jobs, newest first; filters: status, name, deleted; `labels`: metadata to match."""
        params = filters | {f"metadata[{name}]": value for name, value in (labels or {}).items()}
        async for document in paginate(self._transport, "/v1/jobs", params):
            yield self._job(self._transport, document)

    @operation
    async def cancel(self, job_id: str) -> J:
        """Cancel a job."""
        document = await self._transport.json("POST", f"/v1/jobs/{job_id}/cancel", repeatable=True)
        return self._job(self._transport, document)

    @operation
    async def delete(self, job_id: str, purge: bool = False) -> None:
        """Delete an ended job. It can be restored for a while, unless `purge` removes it for good."""
        await self._transport.request("DELETE", f"/v1/jobs/{job_id}", params={"purge": "true" if purge else None})

    @operation
    async def restore(self, job_id: str) -> J:
        """Restore a deleted job. Raises `NotFound` if it has been removed for good."""
        document = await self._transport.json("POST", f"/v1/jobs/{job_id}/restore", repeatable=True)
        return self._job(self._transport, document)


class Jobs(JobsResource[Job], BlockingResource):
    """The jobs of a `Client`."""

    _job = Job


class AsyncJobs(JobsResource[AsyncJob], AsyncResource):
    """The jobs of an `AsyncClient`."""

    _job = AsyncJob
