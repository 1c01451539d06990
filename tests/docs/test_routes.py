"""docs/api.md lists the routes that the app has."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
HIDDEN = {"HEAD", "OPTIONS"}


def test_every_route_is_listed() -> None:
    from app.api.main import create_app
    from app.settings import Settings

    listed = set(re.findall(r"^\| `([A-Z]+) (/\S*)` \|", PAGE.read_text(), re.MULTILINE))
    described = create_app(Settings()).openapi()["paths"]
    routes = {(verb.upper(), path) for path, verbs in described.items() for verb in verbs if verb != "parameters"}
    assert {route for route in listed if route[0] not in HIDDEN} == {r for r in routes if r[0] not in HIDDEN}
