"""Accounts inside the program: themselves, their orders, executions, and what else moved their money."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ORDINAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _of_account(table: str, *columns: sa.schema.SchemaItem) -> None:
    op.create_table(
        table,
        sa.Column("ordinal", _ORDINAL, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text, sa.ForeignKey("paper_accounts.id"), nullable=False),
        *columns,
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("ordinal", name=f"pk_{table}"),
        sa.UniqueConstraint("id", name=f"uq_{table}_id"),
    )


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "paper_accounts",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("time_ns", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_paper_accounts"),
    )
    _of_account(
        "paper_orders",
        sa.Column("client_order_id", sa.Text, nullable=False),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("submitted_ns", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("account_id", "client_order_id", name="uq_paper_orders_account_id_client_order_id"),
    )
    _of_account(
        "paper_executions",
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("time_ns", sa.BigInteger, nullable=False),
    )
    _of_account(
        "paper_entries",
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("time_ns", sa.BigInteger, nullable=False),
    )
    for table in ("paper_orders", "paper_executions", "paper_entries"):
        op.create_index(f"ix_{table}_account_id_ordinal", table, ["account_id", "ordinal"])
