"""What a renewal is compared by: the kind of the key, the root, its trust, and what was warned of."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("certificates", sa.Column("key_kind", sa.String(length=32), nullable=True))
    op.add_column("certificates", sa.Column("root_sha256", sa.String(length=64), nullable=True))
    op.add_column("certificates", sa.Column("trust", sa.String(length=16), nullable=True))
    op.add_column("certificates", sa.Column("warned", sa.JSON(), nullable=True))
