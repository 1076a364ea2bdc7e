"""Alembic migrations; `core.store.migration` runs them when a store opens."""
