"""Alembic's entry: runs the revisions on the connection that `app.db.migrate` opened, in its transaction."""

from alembic import context

from app.db.tables import JobRow

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=JobRow.metadata,  # which has every table of the module
    render_as_batch=True,  # SQLite alters a table by copying it
    compare_type=True,
)
context.run_migrations()
