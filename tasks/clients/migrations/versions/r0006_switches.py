"""The switches that force HTTPS."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "switches",
        sa.Column("hostname", sa.String(length=253), nullable=False),
        sa.Column("redirect", sa.Boolean(), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("longest", sa.Integer(), nullable=False),
        sa.Column("proven_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("requested_by", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["hostname"], ["sites.hostname"]),
        sa.PrimaryKeyConstraint("hostname"),
    )
