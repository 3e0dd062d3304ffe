"""Letters and the notices in them, scans and what they saw; assignments are read by hostname and by certificate."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "letters",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("audience", sa.String(length=16), nullable=False),
        sa.Column("account", sa.String(length=63), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.name"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "deliveries",
        sa.Column("letter_id", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=63), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("claimed_at", _TIME, nullable=True),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.ForeignKeyConstraint(["letter_id"], ["letters.id"]),
        sa.PrimaryKeyConstraint("letter_id", "channel"),
    )
    op.create_table(
        "notices",
        sa.Column("certificate_id", sa.String(length=40), nullable=False),
        sa.Column("rung", sa.String(length=16), nullable=False),
        sa.Column("audience", sa.String(length=16), nullable=False),
        sa.Column("account", sa.String(length=63), nullable=False),
        sa.Column("decided_at", _TIME, nullable=False),
        sa.Column("letter_id", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(["certificate_id"], ["certificates.id"]),
        sa.ForeignKeyConstraint(["account"], ["accounts.name"]),
        sa.ForeignKeyConstraint(["letter_id"], ["letters.id"]),
        sa.PrimaryKeyConstraint("certificate_id", "rung", "audience"),
    )
    op.create_table(
        "scans",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("saved_at", _TIME, nullable=False),
        sa.Column("bookmark", sa.String(length=400), nullable=True),
        sa.Column("tally", sa.JSON(), nullable=False),
        sa.Column("finished_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "sightings",
        sa.Column("hostname", sa.String(length=253), nullable=False),
        sa.Column("place", sa.String(length=80), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=63), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("letter_id", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(["letter_id"], ["letters.id"]),
        sa.PrimaryKeyConstraint("hostname", "place", "code"),
    )
    for name, table, columns, where in (
        ("ix_deliveries_open", "deliveries", ["letter_id"], "ended_at IS NULL"),
        ("ix_notices_due", "notices", ["audience", "account"], "letter_id IS NULL"),
        ("ix_sightings_untold", "sightings", ["hostname"], "letter_id IS NULL"),
    ):
        op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    op.create_index("ix_notices_letter_id", "notices", ["letter_id"])
    op.create_index("ix_assignments_hostname_certificate", "assignments", ["hostname", "certificate_id"])
    op.create_index("ix_assignments_certificate_id", "assignments", ["certificate_id"])
