"""Commands for API keys, their usage and the audit log."""

import json
import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated, Any

import typer

from graftwerk.cli.output import AsJson, CommandGroup, err, open_client, out, print_json, print_result, print_table
from graftwerk.types import Key

keys = typer.Typer(cls=CommandGroup, no_args_is_help=True, help="API keys: create, ls, change, rotate, revoke.")
DURATION_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

KeyId = Annotated[str, typer.Argument(metavar="KEY", help="The key's id.")]
Limits = Annotated[
    list[str] | None,
    typer.Option("--limit", help="Such as running_jobs=2, or requests=10/second; `graftwerk usage` lists them."),
]
Expires = Annotated[str | None, typer.Option(help="Lifetime, such as 30d or 12h.")]


@keys.command()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scopes: Annotated[str, typer.Option(help="Separated by commas: read, write, admin.")] = "read,write",
    expires: Expires = None,
    limit: Limits = None,
    as_json: AsJson = False,
) -> None:
    """Create a key. It is shown only once."""
    until = None if expires is None else _expiry_timestamp(expires)
    with open_client(ctx) as client:
        key = client.keys.create(name, [scope.strip() for scope in scopes.split(",")], until, _parse_limits(limit))
    _print_key(key, as_json)


@keys.command()
def ls(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List keys, without their secrets."""
    with open_client(ctx) as client:
        items = client.keys.list()
    if as_json:
        print_json([asdict(item) for item in items])
        return
    titles = ("KEY", "SCOPES", "STATE", "LAST USED", "NAME")
    print_table(
        titles,
        [(item.id, ",".join(item.scopes), _key_state(item), item.last_used_at or "", item.name) for item in items],
    )


@keys.command()
def change(
    ctx: typer.Context,
    key_id: KeyId,
    name: Annotated[str | None, typer.Option(help="The new name.")] = None,
    expires: Expires = None,
    limit: Limits = None,
    as_json: AsJson = False,
) -> None:
    """Change a key's name, expiry or limits. `--limit queued_jobs=null` removes a limit."""
    changes: dict[str, Any] = {"name": name, "limits": _parse_limits(limit) or None}
    changes["expires_at"] = None if expires is None else _expiry_timestamp(expires).isoformat()
    with open_client(ctx) as client:
        key = client.keys.change(key_id, **{field: value for field, value in changes.items() if value is not None})
    print_result(asdict(key), f"{key.id} is changed", as_json=as_json)


@keys.command()
def rotate(
    ctx: typer.Context,
    key_id: KeyId,
    grace: Annotated[str, typer.Option(help="How long the previous secret stays valid, such as 1h.")] = "1h",
    as_json: AsJson = False,
) -> None:
    """Give a key a new secret. It is shown only once."""
    seconds = _parse_duration(grace, "--grace").total_seconds()
    with open_client(ctx) as client:
        key = client.keys.rotate(key_id, seconds)
    _print_key(key, as_json)


@keys.command()
def revoke(ctx: typer.Context, key_id: KeyId, as_json: AsJson = False) -> None:
    """Revoke a key, with immediate effect."""
    with open_client(ctx) as client:
        client.keys.revoke(key_id)
    print_result({"id": key_id, "revoked": True}, f"{key_id} is revoked", as_json=as_json)


def usage(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show the limits of the key, and their usage."""
    with open_client(ctx) as client:
        report = client.keys.usage()
    if as_json:
        print_json(report)
        return
    rows = [
        (
            item["name"],
            "" if item["used"] is None else str(item["used"]),
            "none" if item["limit"] is None else str(item["limit"]),
            item["of"],
        )
        for item in report["limits"]
    ]
    print_table(("LIMIT", "USED", "OF", "COUNTED FOR"), rows)


def audit(
    ctx: typer.Context,
    action: Annotated[str | None, typer.Option(help="Such as job.delete, key.create, refused.")] = None,
    key: Annotated[str | None, typer.Option(help="Only actions of this key.")] = None,
    target: Annotated[str | None, typer.Option(help="Only actions on this object.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number, newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List actions and refused requests. Needs the scope admin."""
    with open_client(ctx) as client:
        entries = list(islice(client.keys.audit(action=action, key=key, target=target), limit))
    if as_json:
        print_json(entries)
        return
    columns = ("at", "action", "target", "key_id", "address")
    print_table(
        ("AT", "ACTION", "TARGET", "KEY", "FROM"), [[str(item[name] or "") for name in columns] for item in entries]
    )


def _print_key(key: Key, as_json: bool) -> None:
    if as_json:
        print_json(asdict(key))
        return
    out().print(key.token or "", markup=False)
    err().print(f"{key.id}; keep the key above, it is not shown again")


def _key_state(key: Key) -> str:
    if key.revoked:
        return "revoked"
    if key.expires_at is None:
        return "valid"
    expired = datetime.fromisoformat(key.expires_at) <= datetime.now(UTC)
    return "expired" if expired else f"until {key.expires_at}"


def _parse_limits(options: list[str] | None) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    for item in options or ():
        name, equals, value = item.partition("=")
        if not equals:
            raise typer.BadParameter(f"{item}: a limit is NAME=VALUE", param_hint="--limit")
        try:
            limits[name.strip()] = json.loads(value)
        except ValueError:
            limits[name.strip()] = value.strip()
    return limits


def _expiry_timestamp(duration: str) -> datetime:
    return datetime.now(UTC) + _parse_duration(duration, "--expires")


def _parse_duration(text: str, option: str) -> timedelta:
    match = re.fullmatch(r"(\d{1,6})([smhd])", text.strip())
    if match is None:
        raise typer.BadParameter(f"{text}: a duration is a number and s, m, h or d, such as 30d", param_hint=option)
    return timedelta(**{DURATION_UNITS[match[2]]: int(match[1])})
