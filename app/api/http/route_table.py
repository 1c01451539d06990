"""What every route accepts, from its declaration: made once, before the first request."""

import re
from collections.abc import Iterable
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
        self._parameters: dict[tuple[str, str], AcceptedParameters] = {}
        self._methods: dict[re.Pattern[str], set[str]] = {}  # by the expression of a path
        for route in routes:
            methods = route.methods or set()
            self._methods.setdefault(route.path_regex, set()).update(methods)
            self._parameters |= {(method, route.path): _accepted_parameters(route) for method in methods}

    def parameters(self, method: str, path: str) -> AcceptedParameters:
        """Return what the route of a method and a path with placeholders accepts."""
        return self._parameters[method, path]

    def allowed_methods(self, path: str) -> list[str]:
        """Return the methods of every route at a path."""
        return sorted({method for regex, methods in self._methods.items() if regex.match(path) for method in methods})


def _accepted_parameters(route: APIRoute) -> AcceptedParameters:
    fields = get_flat_params(route.dependant)
    query = [field.alias for field in fields if isinstance(field.field_info, params.Query)]
    more = (route.openapi_extra or {}).get("parameters", ())
    query += [each["name"] for each in more if each["in"] == "query"]
    headers = [field.alias for field in fields if isinstance(field.field_info, params.Header)]
    return AcceptedParameters(tuple(query), "if-match" in headers)
