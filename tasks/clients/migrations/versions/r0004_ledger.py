"""The ledger learns to move, end and correct a charge: what is there becomes an ``enable`` on the shared pair."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

DECIMAL = sa.Numeric().with_variant(sa.String(32), "sqlite")
PROOF = "kind <> 'enable' OR confirmation_id IS NOT NULL"


def upgrade() -> None:
    op.drop_index("ix_ledger_account", "ledger")
    if op.get_bind().dialect.name == "sqlite":
        copy_on_sqlite()
    else:
        alter_on_postgresql()
    op.create_index("ix_ledger_account_hostname", "ledger", ["account", "hostname"])
    op.create_index("ix_ledger_charge", "ledger", ["charge"])


def copy_on_sqlite() -> None:
    """Copy by hand: alembic's batch cannot drop a table that its copy refers to."""
    op.create_table(
        "ledger_0004",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("idempotency_key", sa.String(length=128), nullable=False, unique=True),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("charge", sa.String(128), sa.ForeignKey("ledger_0004.idempotency_key"), nullable=False),
        sa.Column("account", sa.String(63), sa.ForeignKey("accounts.name"), nullable=False),
        sa.Column("hostname", sa.String(length=253), nullable=False),
        sa.Column("placement", sa.String(length=16), nullable=False),
        sa.Column("megabytes", sa.Integer(), nullable=False),
        sa.Column("unit_price", DECIMAL, nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmation_id", sa.Integer(), sa.ForeignKey("confirmations.id"), nullable=True),
        sa.Column("corrects", sa.String(128), sa.ForeignKey("ledger_0004.idempotency_key"), nullable=True, unique=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(PROOF, name="ck_ledger_proof"),
    )
    op.execute(
        "INSERT INTO ledger_0004 SELECT id, idempotency_key, 'enable', idempotency_key, account, hostname, 'shared', "
        "megabytes, unit_price, currency, starts_at, confirmation_id, NULL, created_at FROM ledger ORDER BY id"
    )
    op.drop_table("ledger")
    op.rename_table("ledger_0004", "ledger")  # SQLite renames it in its own references too
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER ledger_no_{change.lower()} BEFORE {change} ON ledger "
            "BEGIN SELECT RAISE(ABORT, 'ledger is append-only'); END"
        )


def alter_on_postgresql() -> None:
    op.add_column("ledger", sa.Column("kind", sa.String(length=8), nullable=False, server_default="enable"))
    op.add_column("ledger", sa.Column("placement", sa.String(length=16), nullable=False, server_default="shared"))
    op.add_column("ledger", sa.Column("charge", sa.String(length=128), nullable=True))
    op.add_column("ledger", sa.Column("corrects", sa.String(length=128), nullable=True, unique=True))
    op.execute("ALTER TABLE ledger DISABLE TRIGGER ledger_append_only")
    op.execute("UPDATE ledger SET charge = idempotency_key")
    op.execute("ALTER TABLE ledger ENABLE TRIGGER ledger_append_only")
    op.alter_column("ledger", "kind", server_default=None)
    op.alter_column("ledger", "placement", server_default=None)
    op.alter_column("ledger", "charge", nullable=False)
    op.alter_column("ledger", "starts_at", new_column_name="at")
    op.alter_column("ledger", "confirmation_id", nullable=True)
    for column in ("charge", "corrects"):
        op.create_foreign_key(f"ledger_{column}_fkey", "ledger", "ledger", [column], ["idempotency_key"])
    op.create_check_constraint("ck_ledger_proof", "ledger", PROOF)
