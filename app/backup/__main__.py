"""Back up and restore: ``python -m app.backup create | restore FOLDER``."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from alembic.util import CommandError

from app.backup.create import create
from app.backup.manifest import Manifest
from app.backup.restore import restore
from app.db.session import Database
from app.disk.durability import make_directory
from app.errors import GraftwerkError
from app.settings import PRIVATE_UMASK, get_settings
from app.storage.catalog import open_store


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 1 also for a backup that leaves damaged files out."""
    parser = argparse.ArgumentParser(prog="python -m app.backup", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("create", help="back up while the service runs").add_argument("folder", type=Path)
    back = verbs.add_parser("restore", help="put a backup in place while the service is stopped")
    back.add_argument("folder", type=Path)
    back.add_argument("--overwrite", action="store_true", help="drop what is there")
    options = parser.parse_args(arguments)
    os.umask(PRIVATE_UMASK)
    folder = options.folder.absolute()
    configured = get_settings()
    db = Database(configured.resolved_database_url)
    try:
        store = open_store(configured.resolved_artifact_url, configured.store_options)
        if options.verb == "create":
            return _print_summary("backed up", create(db, store, folder))
        if db.is_sqlite and db.url.database:
            make_directory(Path(db.url.database).parent)
        return _print_summary("restored", restore(db, store, folder, overwrite=options.overwrite))
    except (GraftwerkError, CommandError, ValueError, OSError) as error:
        detail = error.detail if isinstance(error, GraftwerkError) else str(error)
        hint = error.hint if isinstance(error, GraftwerkError) else ""
        sys.stderr.write(f"{detail}\n" + (f"→ {hint}\n" if hint else ""))
        return 1
    finally:
        db.close()


def _print_summary(done: str, manifest: Manifest) -> int:
    size = sum(file.size for file in (manifest.database, *manifest.artifacts))
    sys.stdout.write(
        f"{done}: {manifest.kind} at {manifest.revision}, {len(manifest.artifacts)} artifacts, {size / 2**20:.1f} MiB\n"
    )
    for table, rows in manifest.left_out.items():
        if rows:
            sys.stdout.write(f"left out, their files are not there: {len(rows)} of {table}: {', '.join(rows)}\n")
    for key in manifest.damaged:
        sys.stderr.write(f"damaged in the artifact store: {key}\n")
    return 1 if manifest.damaged else 0


if __name__ == "__main__":
    sys.exit(main())
