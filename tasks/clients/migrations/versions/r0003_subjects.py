"""Approvals and ticket matches are of a subject: a drop, or anything else that a person decides on."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TABLES = ("approvals", "ticket_matches")
NAMES = {"fk": "fk_%(table_name)s_%(column_0_name)s"}  # SQLite keeps no names of its own


def upgrade() -> None:
    for table in TABLES:
        if op.get_bind().dialect.name == "sqlite":
            copy_table(table)
        else:
            op.drop_constraint(f"{table}_drop_id_fkey", table, type_="foreignkey")
            op.alter_column(table, "drop_id", new_column_name="subject")


def copy_table(table: str) -> None:
    """Take the foreign key off, which SQLite can do to a copy only; the triggers go with the old table."""
    with op.batch_alter_table(table, naming_convention=NAMES) as batch:
        batch.drop_constraint(f"fk_{table}_drop_id", type_="foreignkey")
        batch.alter_column("drop_id", new_column_name="subject", existing_type=sa.String(length=40))
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
