"""Serve the API: ``python -m app.api``."""

import os
import sys

import uvicorn

from app.api.main import create_app
from app.db import migrate
from app.logs import configure
from app.settings import PRIVATE_UMASK, get_settings


def main() -> int:
    """Serve until SIGINT or SIGTERM; open requests get some seconds to end."""
    os.umask(PRIVATE_UMASK)
    settings = get_settings()
    configure(settings.log_json, process="api")
    if not migrate.is_compatible(
        settings.resolved_database_url, patient=False
    ):  # if it is unavailable, /readyz says so
        return os.EX_CONFIG
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
