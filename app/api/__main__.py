"""Serve the API: ``python -m app.api``."""

import contextlib
import os
import sys

from uvicorn.config import STARTUP_FAILURE

from app.api.main import create_app
from app.api.server.limits import raise_file_limit
from app.api.server.serving import Server, server_config
from app.db import revisions
from app.logs import configure
from app.settings import PRIVATE_UMASK, get_settings


def main() -> int:
    """Serve until SIGINT or SIGTERM; open requests get some seconds to end."""
    os.umask(PRIVATE_UMASK)
    settings = get_settings()
    configure(settings.log_json, process="api")
    # While the database is unavailable, /readyz says so.
    if not revisions.is_compatible(settings.resolved_database_url, patient=False):
        return os.EX_CONFIG
    raise_file_limit(settings)
    server = Server(server_config(create_app(settings), settings))
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    return os.EX_OK if server.started else STARTUP_FAILURE


if __name__ == "__main__":
    sys.exit(main())
