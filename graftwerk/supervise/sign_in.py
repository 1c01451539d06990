"""The link that signs the user of this machine in to the dashboard."""

import httpx

LINK_SECONDS = 10.0  # for the service to make one


def sign_in_link(url: str, key: str) -> str | None:
    """Return a link that signs a browser in with a key, once; `None` if the service makes none."""
    headers = {"Authorization": f"Bearer {key}"}
    try:
        response = httpx.post(f"{url}/v1/session/links", headers=headers, timeout=LINK_SECONDS)
        return str(response.json()["url"]) if response.status_code == 201 else None
    except (httpx.TransportError, ValueError, KeyError):
        return None
