"""The sites: which folder is served under which path, and what is sent for paths without a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

APPLICATION = Path(__file__).parents[2]

# No script, style, font or picture of another origin, and none that stands in the text of a page.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self';"
    " font-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
PAGE_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": PAGE_POLICY,
    # Requests of the page to its own origin say where they come from: without TLS browsers send no Sec-Fetch-Site.
    "Referrer-Policy": "same-origin",
}
OTHER_PATHS = ("/v1", "/docs", "/livez", "/readyz", "/metrics")


@dataclass(frozen=True, slots=True)
class Site:
    """Files that are served under a path.

    `immutable` names the folder of files whose names change with their content. A site that `routes` by itself is
    ``index.html`` under every path but the `OTHER_PATHS`; another one has ``404.html`` for paths without a file.
    """

    path: str  # without a slash at its end
    folder: Path
    immutable: str | None = None
    routes: bool = False
    missing: str | None = None  # a page for every path while there are no files


NO_DOCUMENTATION = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Documentation</title></head>
<body><main><h1>The documentation is not built here</h1>
<p>In a clone of the repository, <code>make site</code> builds it, and so do <code>make up</code> and
<code>make demo</code>; then start the service again. The same pages are in the folder <code>docs</code>.</p>
<p><a href="/">To the dashboard</a></p></main></body></html>
"""
# The longest path first.
SITES = (
    Site("/docs", APPLICATION / "site", missing=NO_DOCUMENTATION),
    Site("", APPLICATION / "web", immutable="assets/", routes=True),
)
