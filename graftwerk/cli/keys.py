"""Commands about API keys."""

from dataclasses import asdict
from typing import Annotated

import typer

from graftwerk.cli.output import AsJson, Commands, connected, err, out, print_json, print_table

keys = typer.Typer(cls=Commands, no_args_is_help=True, help="API keys: create, ls, revoke.")


@keys.command()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scopes: Annotated[str, typer.Option(help="Separated by commas: read, write, admin.")] = "read,write",
    as_json: AsJson = False,
) -> None:
    """Create a key. It is shown this once."""
    with connected(ctx) as client:
        made = client.keys.create(name, [scope.strip() for scope in scopes.split(",")])
    if as_json:
        print_json(asdict(made))
        return
    out().print(made.token or "", markup=False)
    err().print(f"{made.id}; keep the key above, it is not shown again")


@keys.command()
def ls(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List keys, without their secrets."""
    with connected(ctx) as client:
        found = client.keys.list()
    if as_json:
        print_json([asdict(item) for item in found])
        return
    rows = [(item.id, ",".join(item.scopes), "revoked" if item.revoked else "valid", item.name) for item in found]
    print_table(("KEY", "SCOPES", "STATE", "NAME"), rows)


@keys.command()
def revoke(
    ctx: typer.Context,
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="The key's id.")],
    as_json: AsJson = False,
) -> None:
    """Make a key invalid at once."""
    with connected(ctx) as client:
        client.keys.revoke(key_id)
    if as_json:
        print_json({"id": key_id, "revoked": True})
    else:
        out().print(f"{key_id} is revoked")
