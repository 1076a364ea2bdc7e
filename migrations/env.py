"""Runs migrations on the connection that `core.store.migration` hands over, inside its transaction."""

from alembic import context

from core.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite changes a table by making a new one
)
context.run_migrations()
