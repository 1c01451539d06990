"""The FastAPI application."""

from asyncio import TaskGroup
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry
from starlette.concurrency import run_in_threadpool

from app.api.http import problems
from app.api.http.parameters import check_parameters
from app.api.http.route_table import RouteTable
from app.api.middleware import RequestMiddleware
from app.api.openapi.document import build_openapi
from app.api.pages.route import SiteRoute
from app.api.pages.sites import SITES
from app.api.prometheus import MetricsCollector
from app.api.routes import audit, catalog, datasets, health, keys, networks, session, webhooks, workers
from app.api.routes.jobs import (
    checkpoints,
    curves,
    edits,
    evaluations,
    events,
    exports,
    jobs,
    predictions,
    reports,
    revisions,
    statistics,
    verbs,
)
from app.api.services import Services, open_services
from app.db.clock import clock_setter
from app.settings import Settings

ROUTE_MODULES = (
    health,  # first: routes are searched in this order
    jobs,
    verbs,
    edits,
    revisions,
    curves,
    statistics,
    events,
    checkpoints,
    reports,
    exports,
    predictions,
    evaluations,
    datasets,
    networks,
    catalog,
    session,
    keys,
    webhooks,
    audit,
    workers,
)
ROUTERS = tuple(noun.router for noun in ROUTE_MODULES)
DESCRIPTION = "Trains PyTorch networks described as data. Every error is a problem document (RFC 9457)."


def create_app(
    settings: Settings, opening: Callable[[Settings], AbstractContextManager[Services]] = open_services
) -> FastAPI:
    """Return the application; `opening` opens the services behind the routes while it runs."""
    registry = CollectorRegistry()
    pages = [SiteRoute(site) for site in SITES]

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with opening(settings) as services:
            app.state.services = services
            services.lanes.reserve_threads()
            telemetry = MetricsCollector(services)
            registry.register(telemetry)
            clock = clock_setter(services.db)
            clock.start()
            async with TaskGroup() as tasks:  # whatever is made once, before anybody waits for it
                tasks.create_task(run_in_threadpool(services.inspector.warm_up))
                tasks.create_task(run_in_threadpool(catalog.catalog_document))
                for page in pages:
                    tasks.create_task(run_in_threadpool(page.load))
            yield
            clock.stop()
            registry.unregister(telemetry)

    app = FastAPI(
        title="Graftwerk",
        version=health.VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        dependencies=[Depends(check_parameters)],
        generate_unique_id_function=lambda route: str(route.name),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # a redirect would lead wherever the Host header says
    )
    app.state.registry = registry
    app.state.route_table = RouteTable(
        route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)
    )
    app.openapi = lambda: build_openapi(app)  # type: ignore[method-assign]
    for router in ROUTERS:
        app.include_router(router)
    app.router.routes.extend(pages)
    problems.add_exception_handlers(app)
    app.add_middleware(RequestMiddleware, registry=registry, bug=problems.internal_error)
    return app
