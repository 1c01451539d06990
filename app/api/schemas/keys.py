"""API keys, their limits, what is used, and the sessions of browsers."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from app.access.quotas import MAX_PRIORITY
from app.api.rate_limits import parse_rate
from app.api.schemas.base import JsonObject, ResponseModel
from app.db.tables import KeyRow, SessionRow
from app.spec.base import NonNegativeInt64, SpecModel, validation_error
from app.spec.timestamps import Timestamp, format_optional_rfc3339, format_rfc3339, parse_rfc3339

PositiveInt32 = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]


def _validate_rate(text: str) -> str:
    try:
        parse_rate(text)
    except ValueError:
        raise validation_error(
            "invalid_value", "this is no rate of requests", 'for example "10/second;600/minute"'
        ) from None
    return text


class KeyLimits(SpecModel):
    """The limits of a key that differ from the settings."""

    requests: Annotated[str, AfterValidator(_validate_rate), Field(max_length=100)] | None = Field(
        None, description="Rate of requests, such as 600/minute."
    )
    priority: Annotated[int, Field(strict=True, ge=-MAX_PRIORITY, le=MAX_PRIORITY)] | None = Field(
        None, description="Highest priority of its jobs."
    )
    running_jobs: PositiveInt32 | None = Field(None, description="Jobs that run at once; others wait.")
    queued_jobs: NonNegativeInt64 | None = Field(None, description="Jobs that wait at once; beyond: 429.")
    parameters: PositiveInt32 | None = Field(None, description="Parameters of one network; beyond: 422.")
    stored_bytes: NonNegativeInt64 | None = Field(None, description="Bytes that the owner stores; beyond: 403.")
    unfinished_uploads: NonNegativeInt64 | None = Field(
        None, description="The owner's data sets without content; beyond: 403."
    )

    def as_dict(self) -> dict[str, Any]:
        """Return the limits that are set."""
        return self.model_dump(exclude_none=True)


class Key(ResponseModel):
    """An API key, without its token."""

    id: str
    name: str
    scopes: list[Literal["read", "write", "admin"]]
    limits: JsonObject = Field(description="Those that differ from the settings.")
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None = Field(description="To about a minute.")
    old_token_until: str | None = Field(description="Until when the token before the last rotation opens.")

    @classmethod
    def from_row(cls, row: KeyRow, **fields: str) -> Self:
        """Describe a key."""
        return cls(
            id=row.id,
            name=row.name,
            scopes=row.scopes,
            limits=row.limits or {},
            created_at=format_rfc3339(row.created_at),
            expires_at=format_optional_rfc3339(row.expires_at),
            revoked_at=format_optional_rfc3339(row.revoked_at),
            last_used_at=format_optional_rfc3339(row.last_used_at),
            old_token_until=format_optional_rfc3339(row.old_until),
            **fields,
        )


class NewKey(Key):
    """An API key with its token, which no later response contains."""

    token: str


class KeyPage(ResponseModel):
    """Keys, newest first."""

    items: list[Key]
    has_more: bool


class KeyRequest(SpecModel):
    """A key to create."""

    name: str = Field(min_length=1, max_length=200)
    scopes: list[Literal["read", "write", "admin"]] = Field(
        ["read", "write"], min_length=1, max_length=3, description="What the key may do; `admin` includes the others."
    )
    expires_at: Timestamp | None = Field(None, description="When it ends to be valid; null: never.")
    limits: KeyLimits = KeyLimits()

    def expiry(self) -> float | None:
        """Return when the key expires, as Unix seconds."""
        return None if self.expires_at is None else parse_rfc3339(self.expires_at)


class KeyChange(SpecModel):
    """Changes to a key: a JSON merge patch (RFC 7396), in which null removes a limit or the expiry."""

    name: str = Field("", min_length=1, max_length=200)
    expires_at: Timestamp | None = None
    limits: KeyLimits = Field(KeyLimits(), description="Some of the limits.")


class KeyRotation(SpecModel):
    """Options of a rotation."""

    grace_seconds: float = Field(
        3600.0, ge=0, le=30 * 86_400, allow_inf_nan=False, description="For how long the old token opens as well."
    )


class UsedLimit(ResponseModel):
    """A limit, and how much of it is used. Null: not limited, or not counted."""

    name: str
    limit: int | str | None
    used: int | None
    of: Literal["key", "owner", "job"] = Field(description="Whose use is counted.")


class Usage(ResponseModel):
    """The request's key, its limits, and what is used."""

    owner: str
    key: Key | None = Field(description="Null where authentication is off.")
    limits: list[UsedLimit]


class SignIn(SpecModel):
    """What a browser signs in with: a key's token, or that of a link."""

    key: str | None = Field(None, max_length=200, description="A key: `gw_…`.")
    link: str | None = Field(None, max_length=200, description="The token in a link, behind `#link=`.")

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if (self.key is None) == (self.link is None):
            raise validation_error("invalid_value", "one of `key` and `link` is needed", '{"key": "gw_…"}')
        return self


class SignedIn(ResponseModel):
    """A session. Everything but the owner and the scopes is null where authentication is off."""

    owner: str
    key_id: str | None
    key_name: str | None
    scopes: list[Literal["read", "write", "admin"]]
    created_at: str | None
    expires_at: str | None = Field(description="When it ends unless it is used again.")
    csrf_token: str = Field(description="For the header X-CSRF-Token of requests with the session's cookie.")

    @classmethod
    def from_rows(cls, row: SessionRow, key: KeyRow, ends_at: float, csrf_token: str) -> Self:
        """Describe a session of a key."""
        return cls(
            owner=key.owner,
            key_id=key.id,
            key_name=key.name,
            scopes=key.scopes,
            created_at=format_rfc3339(row.created_at),
            expires_at=format_rfc3339(ends_at),
            csrf_token=csrf_token,
        )


class SessionLink(ResponseModel):
    """A link that signs a browser in, once."""

    url: str
    expires_at: str | None = Field(description="Null where authentication is off: the link needs no token.")
