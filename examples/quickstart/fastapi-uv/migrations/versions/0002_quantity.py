"""quantity"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    op.add_column("items", sa.Column("quantity", sa.Integer, nullable=False, server_default="0"))


def downgrade():
    op.drop_column("items", "quantity")
