"""Create a key for the operator of this machine and print its token: ``python -m app.access.first_key``."""

import os
import sys

from app.access import keys
from app.db.session import Database
from app.errors import GraftwerkError
from app.settings import PRIVATE_UMASK, get_settings

OWNER = "operator"


def main() -> int:
    """Create the key and print its token, which is stored nowhere."""
    os.umask(PRIVATE_UMASK)  # SQLite may write beside its file
    db = Database(get_settings().resolved_database_url)
    try:
        token = db.run(lambda session: keys.create(session, OWNER, "first", keys.SCOPES)[1])
    except GraftwerkError as error:
        sys.stderr.write(f"{error.detail}\n")
        return 1
    finally:
        db.close()
    sys.stdout.write(token + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
