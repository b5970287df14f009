"""Alembic asks for this file; the connection and the transaction come from `migrate.upgrade`."""

from alembic import context

context.run_migrations()
