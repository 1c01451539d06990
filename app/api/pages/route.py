"""The route of a site: what its files answer, beneath all routes of the API."""

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import URLPath
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from app.api.http.parameters import etag_matches
from app.api.lanes import SAFE_METHODS
from app.api.pages.files import StaticFile, load_files, make_file
from app.api.pages.sites import OTHER_PATHS, PAGE_HEADERS, Site

REVALIDATED = "no-cache"  # kept, and asked for again whenever it is used
IMMUTABLE = "public, max-age=31536000, immutable"


class SiteRoute(BaseRoute):
    """Serves a site. It matches where the site has something: any other path is as unknown as without the site."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.path = f"{site.path}/{{page}}"  # as metrics name it
        self.files: Mapping[str, StaticFile] = {}

    def load(self) -> None:
        """Read the files; it takes some tenths of a second."""
        self.files = load_files(self.site.folder)
        if not self.files and self.site.missing is not None:
            page = make_file(self.site.missing.encode(), "text/html; charset=utf-8")
            self.files = {"index.html": page, "404.html": page}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Say whether the site has something under the path of a request, and takes its method."""
        if scope["type"] != "http" or not self.has(scope["path"]):
            return Match.NONE, {}
        return (Match.FULL if scope["method"] in SAFE_METHODS else Match.PARTIAL), {"route": self}

    def has(self, path: str) -> bool:
        """Say whether the site answers under a path, if only that it has no such page."""
        if not self.files or not (path == self.site.path or path.startswith(f"{self.site.path}/")):
            return False
        if not self.site.routes:
            return True
        if any(path == each or path.startswith(f"{each}/") for each in OTHER_PATHS):
            return False
        return path[1:] in self.files or "." not in path.rpartition("/")[2]

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["method"] not in SAFE_METHODS:
            raise HTTPException(405)
        response = self.respond(Request(scope))
        await response(scope, receive, send)

    def respond(self, request: Request) -> Response:
        """Return the response for a path that the site has."""
        path = request.scope["path"].removeprefix(self.site.path)
        name = path[1:]
        if name in self.files:
            return self._send(request, name)
        if self.site.routes:
            return self._send(request, "index.html")
        if path.endswith("/") and f"{name}index.html" in self.files:
            return self._send(request, f"{name}index.html")
        if f"{name}/index.html".lstrip("/") in self.files:  # links of a page are relative to its folder
            return RedirectResponse(f"{self.site.path}{path}/", 308)
        if "404.html" in self.files:
            return self._send(request, "404.html", 404)
        raise HTTPException(404)

    def _send(self, request: Request, name: str, status: int = 200) -> Response:
        file = self.files[name]
        immutable = self.site.immutable is not None and name.startswith(self.site.immutable)
        compressed = file.compressed if _takes_gzip(request.headers.get("accept-encoding", "")) else None
        headers = dict(PAGE_HEADERS) | {
            "Cache-Control": IMMUTABLE if immutable else REVALIDATED,
            "ETag": f'"{file.digest}{"-gzip" if compressed is not None else ""}"',
            "Vary": "Accept-Encoding",
        }
        if status == 200 and etag_matches(headers["ETag"], request.headers.get("if-none-match")):
            return Response(status_code=304, headers=headers)
        content = file.content if compressed is None else compressed
        if compressed is not None:
            headers["Content-Encoding"] = "gzip"
        headers["Content-Length"] = str(len(content))
        return Response(content if request.method == "GET" else b"", status, headers, file.media_type)

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """Raise `NoMatchFound`: pages have no names."""
        raise NoMatchFound(name, path_params)


def _takes_gzip(accepted: str) -> bool:
    """Say whether a client takes gzip, by its Accept-Encoding."""
    for part in accepted.lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
