"""Superseded certificates: since when another one is served in their place, and when they were destroyed."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("certificates", sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("certificates", sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_certificates_superseded_at", "certificates", ["superseded_at"])
