"""Parameters that several routes share."""

from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request

from app.errors import Malformed, UnknownParameter
from app.spec.problems import nearest

Limit = Annotated[int, Query(ge=1, le=1000, description="Most items of the answer.")]
JobId = Annotated[str, Path(pattern=r"^job_[0-9a-f]{32}$", description="A job's id.")]
CheckpointId = Annotated[str, Path(pattern=r"^ckpt_[0-9a-f]{32}$", description="A checkpoint's id.")]
DatasetId = Annotated[str, Path(pattern=r"^ds_[0-9a-f]{32}$", description="A data set's id.")]
KeyId = Annotated[str, Path(pattern=r"^key_[0-9a-f]{32}$", description="A key's id.")]
IfNoneMatch = Annotated[str | None, Header(description="ETags that need no answer: 304 then.")]
LABEL = "metadata["  # metadata[key]=value, a filter with a name of the user's own


def no_unknown_parameters(request: Request) -> None:
    """Refuse query parameters that the route does not declare: a filter with a typo must not select everything."""
    if not request.query_params:
        return
    described = request.app.openapi()["paths"][request.scope["route"].path][request.method.lower()]
    known = [item["name"] for item in described.get("parameters", ()) if item["in"] == "query"]
    for name in request.query_params:
        if name not in known and not (f"{LABEL}key]" in known and name.startswith(LABEL) and name.endswith("]")):
            hint = nearest(name, known) or ("one of: " + ", ".join(known) if known else "this route has none")
            raise UnknownParameter(f'there is no parameter "{name}" here', hint=hint)


def _idempotency_key(
    idempotency_key: Annotated[str | None, Header(description="One effect per key; kept for a day.")] = None,
) -> str | None:
    if idempotency_key is not None and not (1 <= len(idempotency_key) <= 255 and idempotency_key.isprintable()):
        raise Malformed("an Idempotency-Key has 1 to 255 printable characters")
    return idempotency_key


IdempotencyKey = Annotated[str | None, Depends(_idempotency_key)]


def matches(etag: str, if_none_match: str | None) -> bool:
    """Return whether the client has this version already (RFC 9110: weak comparison)."""
    if if_none_match is None:
        return False
    told = [item.strip().removeprefix("W/") for item in if_none_match.split(",")]
    return etag in told or "*" in told
