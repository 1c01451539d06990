"""What every route accepts, from its declaration: made once, before the first request."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fastapi import params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute


@dataclass(frozen=True, slots=True)
class AcceptedParameters:
    """The query parameters of a route, and whether what it answers has versions to compare with (If-Match)."""

    query: tuple[str, ...]
    if_match: bool


class RouteTable:
    """All routes of the API."""

    def __init__(self, routes: Iterable[APIRoute]) -> None:
        routes = list(routes)
        self._parameters: Mapping[tuple[str, str], AcceptedParameters] = {
            (method, route.path): _accepted_parameters(route) for route in routes for method in route.methods
        }
        self._paths: Mapping[re.Pattern[str], list[str]] = {
            pattern: sorted({method for route in routes if route.path_regex == pattern for method in route.methods})
            for pattern in {route.path_regex for route in routes}
        }

    def parameters(self, method: str, path: str) -> AcceptedParameters:
        """Return what the route of a method and a path with placeholders accepts."""
        return self._parameters[method, path]

    def allowed_methods(self, path: str) -> list[str]:
        """Return the methods of every route at a path."""
        return sorted({method for pattern, methods in self._paths.items() if pattern.match(path) for method in methods})


def _accepted_parameters(route: APIRoute) -> AcceptedParameters:
    fields = get_flat_params(route.dependant)
    query = [field.alias for field in fields if isinstance(field.field_info, params.Query)]
    more = (route.openapi_extra or {}).get("parameters", ())
    query += [each["name"] for each in more if each["in"] == "query"]
    headers = [field.alias for field in fields if isinstance(field.field_info, params.Header)]
    return AcceptedParameters(tuple(query), "if-match" in headers)
