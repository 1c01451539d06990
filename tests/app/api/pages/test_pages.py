"""The dashboard and the documentation: what is served where, how it is kept, and what browsers may do there."""

import gzip
import re
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from fastapi import FastAPI

from app.api.middleware import SECURITY_HEADERS
from app.api.pages.files import load_files
from app.api.pages.route import SiteRoute
from app.api.pages.sites import PAGE_POLICY, SITES
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.conftest import StartApp

SCRIPT = b"const answer = 42;\n" * 100
GZIP = {"Accept-Encoding": "br, gzip;q=0.8"}
PLAIN = {"Accept-Encoding": "identity"}
FILES = {
    "web/index.html": b"<!doctype html><title>Dashboard</title>" + b" " * 500,
    "web/icon.svg": b"<svg/>",
    "web/assets/index-abc.js": SCRIPT,
    "site/index.html": b"<!doctype html><title>Docs</title>",
    "site/api.html": b"<!doctype html><title>API</title>",
    "site/howto/index.html": b"<!doctype html><title>How-tos</title>",
    "site/404.html": b"<!doctype html><title>Nothing</title>",
    "site/picture.png": b"\x89PNG",
}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def nobody(serve: StartApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client without a key, of a service with small sites."""
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    sites = tuple(replace(site, folder=tmp_path / site.folder.name) for site in SITES)
    monkeypatch.setattr("app.api.main.SITES", sites)
    return serve().client(None)


@pytest.mark.parametrize(
    "path", ["/", "/jobs", "/jobs/job_1/network", "/sign-in", "/catalog?search=x.y", "/docsx", "/v"]
)
def test_the_page_needs_no_key(nobody: Client, path: str) -> None:
    response = nobody.get(path)
    assert response.status_code == 200
    assert response.content == FILES["web/index.html"]
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["content-security-policy"] == PAGE_POLICY
    others = SECURITY_HEADERS.keys() - {"Content-Security-Policy", "Referrer-Policy"}
    assert {name: response.headers[name] for name in others} == {name: SECURITY_HEADERS[name] for name in others}
    assert "set-cookie" not in response.headers


UNKNOWN = ["/v1", "/v1/", "/v1/nothing", "/v1/jobs/x/nothing", "/livez/x", "/readyz/", "/metrics/x"]
UNKNOWN += ["/assets/index-old.js", "/favicon.ico", "/robots.txt", "/x/../secret.txt", "/assets/..%2f..%2fsettings.py"]


@pytest.mark.parametrize("path", UNKNOWN)
def test_what_is_not_there_stays_a_problem(nobody: Client, path: str) -> None:
    """Also for a browser that asks for HTML."""
    assert_problem(nobody.get(path, headers={"Accept": "text/html"}), 404, "no_such_route")


@pytest.mark.parametrize("path", ["/", "/jobs", "/assets/index-abc.js", "/docs/api.html"])
def test_only_reads_are_allowed(nobody: Client, path: str) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        response = nobody(method, path)
        assert_problem(response, 405, "method_not_allowed")
        assert response.headers["allow"] == "GET, HEAD"
    assert_problem(nobody.post("/v1/nothing"), 404, "no_such_route")
    assert nobody.post("/v1/catalog").headers["allow"] == "GET"


def test_assets_are_kept_for_ever(nobody: Client) -> None:
    response = nobody.get("/assets/index-abc.js", headers=PLAIN)
    assert (response.content, response.headers["cache-control"]) == (SCRIPT, "public, max-age=31536000, immutable")
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"
    assert nobody.get("/icon.svg").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/", "/assets/index-abc.js", "/docs/"])
def test_a_version_that_the_browser_has_is_not_sent_again(nobody: Client, path: str) -> None:
    first = nobody.get(path)
    again = nobody.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for name in ("etag", "cache-control", "vary", "content-security-policy"):
        assert again.headers[name] == first.headers[name]
    assert nobody.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/assets/index-abc.js", "/docs/picture.png"])
@pytest.mark.parametrize("accepted", [GZIP, PLAIN])
def test_head_is_get_without_content(nobody: Client, path: str, accepted: dict[str, str]) -> None:
    got, head = nobody.get(path, headers=accepted), nobody("HEAD", path, headers=accepted)
    assert head.content == b""
    ignored = {"x-request-id"}
    assert {name: value for name, value in head.headers.items() if name not in ignored} == {
        name: value for name, value in got.headers.items() if name not in ignored
    }


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip", "gzip"), ("br, GZIP", "gzip"), ("*", "gzip"), ("gzip;q=0", None), ("br", None), ("", None)],
)
def test_text_is_sent_as_the_client_takes_it(nobody: Client, accepted: str, coding: str | None) -> None:
    response = nobody.get("/assets/index-abc.js", headers={"Accept-Encoding": accepted})
    assert response.content == SCRIPT  # as httpx reads it
    assert response.headers.get("content-encoding") == coding
    assert int(response.headers["content-length"]) == len(gzip.compress(SCRIPT, mtime=0) if coding else SCRIPT)
    assert response.headers["vary"] == "Accept-Encoding"
    plain = nobody.get("/assets/index-abc.js", headers=PLAIN)
    assert (response.headers["etag"] == plain.headers["etag"]) == (coding is None)


@pytest.mark.parametrize(
    ("path", "status", "title"),
    [
        ("/docs/", 200, "Docs"),
        ("/docs/api.html", 200, "API"),
        ("/docs/howto/", 200, "How-tos"),
        ("/docs/nothing", 404, "Nothing"),
        ("/docs/nothing.html", 404, "Nothing"),
    ],
)
def test_the_documentation(nobody: Client, path: str, status: int, title: str) -> None:
    response = nobody.get(path)
    assert response.status_code == status
    assert f"<title>{title}</title>" in response.text
    assert response.headers["content-security-policy"] == PAGE_POLICY


@pytest.mark.parametrize(("path", "place"), [("/docs", "/docs/"), ("/docs/howto", "/docs/howto/")])
def test_a_folder_has_a_slash(nobody: Client, path: str, place: str) -> None:
    response = nobody.get(path, headers={"Host": "evil.example"})
    assert (response.status_code, response.headers["location"]) == (308, place)


def test_without_a_build_nothing_is_served_but_how_to_build_it(
    serve: StartApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.api.main.SITES", tuple(replace(site, folder=tmp_path / "no") for site in SITES))
    nobody = serve().client(None)
    for path in ("/", "/jobs"):
        assert_problem(nobody.get(path), 404, "no_such_route")
    for path, status in (("/docs/", 200), ("/docs/spec.html", 404)):
        response = nobody.get(path)
        assert response.status_code == status
        assert "<code>make site</code>" in response.text
        assert response.headers["content-security-policy"] == PAGE_POLICY


def test_links_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_bytes(b"x")
    (tmp_path / "secret").symlink_to("/etc/passwd")
    assert list(load_files(tmp_path)) == ["index.html"]


@pytest.fixture(scope="module")
def dashboard() -> SiteRoute:
    route = SiteRoute(SITES[-1])
    route.load()
    return route


def test_the_committed_build_keeps_to_the_policy(dashboard: SiteRoute) -> None:
    """Nothing inline, and every script and style of the page is there under a name that changes with it."""
    page = dashboard.files["index.html"].content.decode()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)
    linked = re.findall(r'(?:src|href)="(/[^"]+)"', page)
    assert {name for name in linked if name[1:] not in dashboard.files} == set()
    assert any(name.startswith("/assets/") for name in linked)
    for name, file in dashboard.files.items():
        assert file.digest == sha256(file.content).hexdigest()
        if name.startswith("assets/"):
            assert re.search(r"-[\w-]{8}\.\w+$", name), name


def test_metrics_name_the_site_and_not_every_page(api: Api) -> None:
    app: FastAPI = api.app
    assert [route.path for route in app.router.routes if isinstance(route, SiteRoute)] == ["/docs/{page}", "/{page}"]
    nobody = api.client(None)
    nobody.get("/jobs/job_some_job_that_is_not_there")
    text = nobody.get("/metrics").text
    assert 'route="/{page}"' in text
    assert "job_some_job" not in text
