"""Segments and splits of routes.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

from homeostat.storage.sql.types import JsonText

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("routes", sa.Column("segments", JsonText(), nullable=True))
    op.add_column("routes", sa.Column("split", JsonText(), nullable=True))
