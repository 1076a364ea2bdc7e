"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ORDINAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    log_head = op.create_table(
        "log_head",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_log_head"),
    )
    op.bulk_insert(log_head, [{"id": 1, "seq": 0}])
    op.create_table(
        "outbox",
        sa.Column("seq", _ORDINAL, autoincrement=False, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("run_id", sa.Text),
        sa.Column("corr_id", sa.Text, nullable=False),
        sa.Column("causation_id", sa.Text),
        sa.Column("trace_id", sa.Text),
        sa.Column("ts", sa.BigInteger, nullable=False),
        sa.Column("producer", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_outbox"),
    )
    op.create_index("ix_outbox_run_id_seq", "outbox", ["run_id", "seq"])
    op.create_table(
        "consumer_offsets",
        sa.Column("consumer", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("updated_ns", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("consumer", name="pk_consumer_offsets"),
    )
    op.create_table(
        "runs",
        sa.Column("ordinal", _ORDINAL, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("strategy_id", sa.Text, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("ordinal", name="pk_runs"),
        sa.UniqueConstraint("id", name="uq_runs_id"),
    )
    op.create_table(
        "orders",
        sa.Column("ordinal", _ORDINAL, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.Column("updated_ns", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("ordinal", name="pk_orders"),
        sa.UniqueConstraint("id", name="uq_orders_id"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_orders_run_id", ondelete="CASCADE"),
    )
    op.create_index("ix_orders_run_id_ordinal", "orders", ["run_id", "ordinal"])
    op.create_table(
        "fills",
        sa.Column("ordinal", _ORDINAL, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("time_ns", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("ordinal", name="pk_fills"),
        sa.UniqueConstraint("id", name="uq_fills_id"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_fills_run_id", ondelete="CASCADE"),
    )
    op.create_index("ix_fills_run_id_ordinal", "fills", ["run_id", "ordinal"])
    op.create_table(
        "results",
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("stats", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("arrays", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("run_id", name="pk_results"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_results_run_id", ondelete="CASCADE"),
    )
    op.create_table(
        "bar_sets",
        sa.Column("id", _ORDINAL, primary_key=True, autoincrement=True),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("timeframe", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("adjustment", sa.Text, nullable=False),
        sa.Column("bars", sa.BigInteger, nullable=False),
        sa.Column("first_ns", sa.BigInteger, nullable=False),
        sa.Column("last_ns", sa.BigInteger, nullable=False),
        sa.Column("updated_ns", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("simulated", sa.Boolean, nullable=False),
        sa.UniqueConstraint("symbol", "timeframe", "source", "adjustment", name="uq_bar_sets_symbol_timeframe_source_adjustment"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "bar_chunks",
        sa.Column("set_id", _ORDINAL, autoincrement=False, nullable=False),
        sa.Column("period", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("first_ns", sa.BigInteger, nullable=False),
        sa.Column("last_ns", sa.BigInteger, nullable=False),
        sa.Column("bars", sa.BigInteger, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("set_id", "period", name="pk_bar_chunks"),
        sa.ForeignKeyConstraint(["set_id"], ["bar_sets.id"], name="fk_bar_chunks_set_id", ondelete="CASCADE"),
    )
