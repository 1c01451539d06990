"""Commands about webhooks."""

from typing import Annotated

import typer

from graftwerk.cli.output import AsJson, CommandGroup, err, open_client, out, print_json, print_result, print_table
from graftwerk.types import Webhook

webhooks = typer.Typer(
    cls=CommandGroup, no_args_is_help=True, help="Webhooks: tell another program what happens to jobs."
)
WebhookId = Annotated[str, typer.Argument(metavar="WEBHOOK", help="The webhook's id.")]


@webhooks.command()
def add(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(help="Where to: https://host/path.")],
    events: Annotated[
        str | None, typer.Option(help="Separated by commas, such as job.succeeded; default: how jobs end.")
    ] = None,
    named: Annotated[bool, typer.Option("--named", help="Only of jobs whose spec names the webhook.")] = False,
    name: Annotated[str | None, typer.Option(help="A name for it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Create a webhook. Its secret is shown this once."""
    chosen = None if events is None else [event.strip() for event in events.split(",")]
    with open_client(ctx) as client:
        made = client.webhooks.create(url, name=name, events=chosen, jobs="named" if named else "all")
    _print_secret(made, as_json)


def _print_secret(made: Webhook, as_json: bool) -> None:
    if as_json:
        print_json(made.document)
        return
    out().print(made.secret or "", markup=False)
    err().print(f"{made.id}; keep the secret above for the receiver, it is not shown again")


@webhooks.command()
def ls(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List webhooks, without their secrets."""
    with open_client(ctx) as client:
        found = client.webhooks.list()
    if as_json:
        print_json([item.document for item in found])
        return
    rows = [(item.id, item.status, item.document["jobs"], ",".join(item.events), item.url) for item in found]
    print_table(("WEBHOOK", "STATUS", "JOBS", "EVENTS", "URL"), rows)


@webhooks.command()
def rm(ctx: typer.Context, webhook_id: WebhookId, as_json: AsJson = False) -> None:
    """Delete a webhook and its messages, those that wait too."""
    with open_client(ctx) as client:
        client.webhooks.delete(webhook_id)
    print_result({"deleted": webhook_id}, f"{webhook_id} is deleted", as_json=as_json)


@webhooks.command()
def rotate(ctx: typer.Context, webhook_id: WebhookId, as_json: AsJson = False) -> None:
    """Give a webhook a new secret, shown this once; the one before signs too, for a day."""
    with open_client(ctx) as client:
        made = client.webhooks.rotate(webhook_id)
    _print_secret(made, as_json)


@webhooks.command()
def enable(ctx: typer.Context, webhook_id: WebhookId, as_json: AsJson = False) -> None:
    """Let a disabled webhook be tried again, with the messages that waited."""
    with open_client(ctx) as client:
        found = client.webhooks.enable(webhook_id)
    print_result(found.document, f"{found.id} is {found.status}", as_json=as_json)


@webhooks.command()
def ping(ctx: typer.Context, webhook_id: WebhookId, as_json: AsJson = False) -> None:
    """Send a message to see whether it arrives; `deliveries` tells."""
    with open_client(ctx) as client:
        sent = client.webhooks.ping(webhook_id)
    print_result(sent.document, f"{sent.id} is on its way", as_json=as_json)


@webhooks.command()
def deliveries(
    ctx: typer.Context,
    webhook_id: WebhookId,
    status: Annotated[str | None, typer.Option(help="Only pending, delivered or failed ones.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the messages to a webhook, newest first, with what became of them."""
    with open_client(ctx) as client:
        found = list(client.webhooks.deliveries(webhook_id, status))
    if as_json:
        print_json([item.document for item in found])
        return
    rows = []
    for item in found:
        last = item.attempts[-1] if item.attempts else {}
        told = f"{last.get('status') or ''} {last.get('error', '')}".strip()
        rows.append((item.id, item.type, item.status, str(len(item.attempts)), told, item.document["next_at"] or ""))
    print_table(("MESSAGE", "TYPE", "STATUS", "TRIES", "LAST", "NEXT"), rows)


@webhooks.command()
def resend(
    ctx: typer.Context,
    webhook_id: WebhookId,
    message_id: Annotated[str, typer.Argument(metavar="MESSAGE", help="The message's id.")],
    as_json: AsJson = False,
) -> None:
    """Send a message again, under the same id."""
    with open_client(ctx) as client:
        sent = client.webhooks.resend(webhook_id, message_id)
    print_result(sent.document, f"{sent.id} is on its way", as_json=as_json)
