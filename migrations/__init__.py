"""The database's history: Alembic revisions, run by ``python -m app.db.migrate``."""
