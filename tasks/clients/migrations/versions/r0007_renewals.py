"""What a hand-over is for: the first set-up of a hostname, or a renewal."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("drops", sa.Column("kind", sa.String(length=16), nullable=False, server_default="set-up"))
