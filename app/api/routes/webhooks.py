"""Webhooks: create, list, read, rotate, enable, ping, delete; and the log of their messages."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.access import audit
from app.access.audit import Action
from app.api import schemas
from app.api.auth import AdminPrincipal
from app.api.http.bodies import RequestBodyDep
from app.api.http.idempotency import Once
from app.api.http.parameters import MessageId, PageLimit, WebhookId, next_page_headers
from app.api.http.responses import JsonResponse, once_response
from app.api.openapi.routes import WEBHOOK_BODY, route_responses
from app.api.services import ServicesDep
from app.ids import MESSAGE_ID_PATTERN
from app.webhooks import deliveries, outbox, repository
from app.webhooks.deliveries import DeliveryStatus
from app.webhooks.repository import WebhookConfig

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])


@router.post(
    "",
    status_code=201,
    openapi_extra=WEBHOOK_BODY,
    responses=route_responses(201, schemas.NewWebhook, 409, 413, 415, 422),
)
def create_webhook(who: AdminPrincipal, services: ServicesDep, once: Once, body: RequestBodyDep) -> Response:
    """Create a webhook. No later response contains its secret."""
    new = body.validate_as(schemas.WebhookRequest)
    services.targets.check(new.url)
    config = WebhookConfig(new.name, new.url, new.events, new.jobs == "all")

    def effect(session: Session) -> tuple[int, dict[str, Any]]:
        row, secret = repository.create(session, who.owner, config, services.sealer)
        audit.append(session, who.actor, Action.WEBHOOK_CREATE, row.id)
        return 201, schemas.NewWebhook.from_row(row, secret=secret).as_dict()

    return once_response(once.run(who.owner, effect, secret=True), "/v1/webhooks")


@router.get("", responses=route_responses(200, schemas.WebhookPage))
def list_webhooks(who: AdminPrincipal, services: ServicesDep) -> Response:
    """List the owner's webhooks, without their secrets."""
    rows = services.db.read(repository.list_webhooks, who.owner)
    return JsonResponse(schemas.WebhookPage(items=[schemas.Webhook.from_row(row) for row in rows]).as_dict())


@router.get("/{webhook_id}", responses=route_responses(200, schemas.Webhook, 404))
def read_webhook(webhook_id: WebhookId, who: AdminPrincipal, services: ServicesDep) -> Response:
    """Read a webhook and its state."""
    return JsonResponse(schemas.Webhook.from_row(services.db.read(repository.find, who.owner, webhook_id)).as_dict())


@router.delete("/{webhook_id}", status_code=204, responses=route_responses(204, None, 404))
def delete_webhook(webhook_id: WebhookId, who: AdminPrincipal, services: ServicesDep) -> Response:
    """Delete a webhook and its messages, pending ones too."""
    services.db.run(
        audit.with_audit(who.actor, Action.WEBHOOK_DELETE, webhook_id, repository.delete), who.owner, webhook_id
    )
    return Response(status_code=204)


@router.post("/{webhook_id}/rotate", responses=route_responses(200, schemas.NewWebhook, 404, 409, 413, 422))
def rotate_webhook(webhook_id: WebhookId, who: AdminPrincipal, services: ServicesDep, once: Once) -> Response:
    """Give a webhook a new secret, which no later response contains. For a day the old one signs too."""

    def effect(session: Session) -> tuple[int, dict[str, Any]]:
        row, secret = repository.rotate(session, who.owner, webhook_id, services.sealer)
        audit.append(session, who.actor, Action.WEBHOOK_ROTATE, webhook_id)
        return 200, schemas.NewWebhook.from_row(row, secret=secret).as_dict()

    return once_response(once.run(who.owner, effect, secret=True))


@router.post("/{webhook_id}/enable", responses=route_responses(200, schemas.Webhook, 404))
def enable_webhook(webhook_id: WebhookId, who: AdminPrincipal, services: ServicesDep) -> Response:
    """Enable a disabled webhook and send its pending messages. Enabling twice is no error."""
    unit = audit.with_audit(who.actor, Action.WEBHOOK_ENABLE, webhook_id, repository.enable)
    return JsonResponse(schemas.Webhook.from_row(services.db.run(unit, who.owner, webhook_id)).as_dict())


@router.post(
    "/{webhook_id}/ping", status_code=202, responses=route_responses(202, schemas.Delivery, 404, 409, 413, 422)
)
def ping_webhook(webhook_id: WebhookId, who: AdminPrincipal, once: Once) -> Response:
    """Send a message of the type `webhook.ping`; the log of deliveries shows whether it arrives."""

    def effect(session: Session) -> tuple[int, dict[str, Any]]:
        row = outbox.enqueue_ping(session, repository.find_enabled(session, who.owner, webhook_id))
        audit.append(session, who.actor, Action.WEBHOOK_SEND, webhook_id, {"message": row.id})
        return 202, schemas.Delivery.from_row(row).as_dict()

    return once_response(once.run(who.owner, effect))


@router.get("/{webhook_id}/deliveries", responses=route_responses(200, schemas.DeliveryPage, 404))
def list_deliveries(
    request: Request,
    webhook_id: WebhookId,
    who: AdminPrincipal,
    services: ServicesDep,
    limit: PageLimit = 50,
    after: Annotated[
        str | None, Query(description="The last id of the page before.", pattern=MESSAGE_ID_PATTERN)
    ] = None,
    status: Annotated[list[DeliveryStatus], Query(description="Only messages with one of these.")] = [],  # noqa: B006
) -> Response:
    """List the messages to a webhook, newest first, with their attempts."""

    def unit(session: Session) -> schemas.DeliveryPage:
        webhook = repository.find(session, who.owner, webhook_id)
        rows, more = deliveries.page(session, webhook.id, limit, after, status)
        return schemas.DeliveryPage(items=[schemas.Delivery.from_row(row) for row in rows], has_more=more)

    page = services.db.read(unit)
    return JsonResponse(
        page.as_dict(), headers=next_page_headers(request, page.has_more, page.items[-1].id if page.items else "")
    )


@router.post(
    "/{webhook_id}/deliveries/{message_id}/resend",
    status_code=202,
    responses=route_responses(202, schemas.Delivery, 404, 409, 413, 422),
)
def resend_delivery(webhook_id: WebhookId, message_id: MessageId, who: AdminPrincipal, once: Once) -> Response:
    """Send a message again, under the same id, whatever its status."""

    def effect(session: Session) -> tuple[int, dict[str, Any]]:
        webhook = repository.find_enabled(session, who.owner, webhook_id)
        audit.append(session, who.actor, Action.WEBHOOK_SEND, webhook_id, {"message": message_id})
        return 202, schemas.Delivery.from_row(deliveries.resend(session, webhook, message_id)).as_dict()

    return once_response(once.run(who.owner, effect))
