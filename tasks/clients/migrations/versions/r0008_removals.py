"""Removals: hostnames whose HTTPS is disabled; assignments that are on their way out."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

LIVE = sa.text("outcome IS NULL")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "removals",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=63), nullable=False),
        sa.Column("app", sa.String(length=63), nullable=False),
        sa.Column("hostname", sa.String(length=253), nullable=False),
        sa.Column("leaf_sha256", sa.String(length=64), nullable=False),
        sa.Column("requested_by", sa.String(length=128), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("flow_run_id", sa.String(length=36), nullable=True),
        sa.Column("disabled_at", TIME, nullable=True),
        sa.Column("destroy_at", TIME, nullable=True),
        sa.Column("destroyed_at", TIME, nullable=True),
        sa.Column("looked_at", TIME, nullable=True),
        sa.Column("dangling_since", TIME, nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("outcome_code", sa.String(length=64), nullable=True),
        sa.Column("outcome_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["accounts.name"]),
        sa.ForeignKeyConstraint(["hostname"], ["sites.hostname"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "uq_removals_live_hostname", "removals", ["hostname"], unique=True, sqlite_where=LIVE, postgresql_where=LIVE
    )
    op.add_column("assignments", sa.Column("leaving", sa.Boolean(), nullable=False, server_default=sa.false()))
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("assignments", "leaving", server_default=None)
    else:
        with op.batch_alter_table("assignments") as batch:
            batch.alter_column("leaving", server_default=None)
