"""Commands for webhooks."""

from typing import Annotated

import typer

from graftwerk.cli.output import AsJson, CommandGroup, err, open_client, out, print_json, print_result, print_table
from graftwerk.types import Webhook

webhooks = typer.Typer(cls=CommandGroup, no_args_is_help=True, help="Webhooks: notify another program of job events.")
WebhookId = Annotated[str, typer.Argument(metavar="WEBHOOK", help="The webhook's id.")]


@webhooks.command()
def add(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(help="The receiver: https://host/path.")],
    events: Annotated[
        str | None, typer.Option(help="Separated by commas, such as job.succeeded; default: how jobs end.")
    ] = None,
    named: Annotated[bool, typer.Option("--named", help="Only for jobs whose spec names the webhook.")] = False,
    name: Annotated[str | None, typer.Option(help="A name for it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Create a webhook. Its secret is shown only once."""
    selection = None if events is None else [event.strip() for event in events.split(",")]
    with open_client(ctx) as client:
        webhook = client.webhooks.create(url, name=name, events=selection, jobs="named" if named else "all")
    _print_secret(webhook, as_json)


def _print_secret(webhook: Webhook, as_json: bool) -> None:
    if as_json:
        print_json(webhook.document)
        return
    out().print(webhook.secret or "", markup=False)
    err().print(f"{webhook.id}; keep the secret above for the receiver, it is not shown again")


@webhooks.command()
def ls(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List webhooks, without their secrets."""
    with open_client(ctx) as client:
        items = client.webhooks.list()
    if as_json:
        print_json([item.document for item in items])
        return
    rows = [(item.id, item.status, item.document["jobs"], ",".join(item.events), item.url) for item in items]
    print_table(("WEBHOOK", "STATUS", "JOBS", "EVENTS", "URL"), rows)


@webhooks.command()
def rm(ctx: typer.Context, webhook_id: WebhookId, as_json: AsJson = False) -> None:
    """Delete a webhook and its messages, pending ones included."""
    with open_client(ctx) as client:
        client.webhooks.delete(webhook_id)
    print_result({"deleted": webhook_id}, f"{webhook_id} is deleted", as_json=as_json)


@webhooks.command()
def rotate(ctx: typer.Context, webhook_id: WebhookId, as_json: AsJson = False) -> None:
    """Give a webhook a new secret, shown only once; the previous one also signs for one more day."""
    with open_client(ctx) as client:
        webhook = client.webhooks.rotate(webhook_id)
    _print_secret(webhook, as_json)


@webhooks.command()
def enable(ctx: typer.Context, webhook_id: WebhookId, as_json: AsJson = False) -> None:
    """Enable a disabled webhook again, and send its pending messages."""
    with open_client(ctx) as client:
        webhook = client.webhooks.enable(webhook_id)
    print_result(webhook.document, f"{webhook.id} is {webhook.status}", as_json=as_json)


@webhooks.command()
def ping(ctx: typer.Context, webhook_id: WebhookId, as_json: AsJson = False) -> None:
    """Send a test message; `deliveries` shows whether it arrived."""
    with open_client(ctx) as client:
        message = client.webhooks.ping(webhook_id)
    print_result(message.document, f"{message.id} will be sent", as_json=as_json)


@webhooks.command()
def deliveries(
    ctx: typer.Context,
    webhook_id: WebhookId,
    status: Annotated[str | None, typer.Option(help="Only pending, delivered or failed ones.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the messages to a webhook with their outcome, newest first."""
    with open_client(ctx) as client:
        items = list(client.webhooks.deliveries(webhook_id, status))
    if as_json:
        print_json([item.document for item in items])
        return
    rows = []
    for item in items:
        last = item.attempts[-1] if item.attempts else {}
        outcome = f"{last.get('status') or ''} {last.get('error', '')}".strip()
        rows.append((item.id, item.type, item.status, str(len(item.attempts)), outcome, item.document["next_at"] or ""))
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
        message = client.webhooks.resend(webhook_id, message_id)
    print_result(message.document, f"{message.id} will be sent", as_json=as_json)
