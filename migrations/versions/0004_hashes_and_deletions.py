"""Hashes of bars and events, seals, what was deleted of the log, and where it was archived."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ORDINAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.add_column("bar_sets", sa.Column("sha256", sa.Text))
    op.add_column("bar_sets", sa.Column("sealed", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("bar_chunks", sa.Column("sha256", sa.Text))
    op.create_table(
        "deleted_seqs",
        sa.Column("first_seq", _ORDINAL, autoincrement=False, nullable=False),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("first_seq", name="pk_deleted_seqs"),
    )
    op.create_table(
        "archives",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("events", sa.BigInteger, nullable=False),
        sa.Column("first_seq", sa.BigInteger, nullable=False),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_archives"),
    )
    op.create_table(
        "event_hashes",
        sa.Column("seq", _ORDINAL, autoincrement=False, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_event_hashes"),
    )
    op.create_index("ix_event_hashes_run_id_seq", "event_hashes", ["run_id", "seq"])
    loud = "'backtest.PlaceOrder', 'orders.Accepted', 'orders.Cancelled', 'orders.Created', 'orders.Filled', 'strategy.PlaceRequest'"
    quiet = f"type NOT IN ({loud})"
    op.create_index("ix_outbox_type_seq", "outbox", ["type", "seq"], sqlite_where=sa.text(quiet), postgresql_where=sa.text(quiet))
    # Runs deleted before today left holes that nothing tells of; from now on each one is noted.
    op.execute(
        "INSERT INTO deleted_seqs (first_seq, last_seq, why) SELECT before + 1, seq - 1, 'earlier'"
        " FROM (SELECT seq, lag(seq, 1, 0) OVER (ORDER BY seq) AS before FROM outbox) AS numbered WHERE seq > before + 1"
    )
    op.execute(
        "INSERT INTO deleted_seqs (first_seq, last_seq, why) SELECT last + 1, head, 'earlier'"
        " FROM (SELECT coalesce(max(outbox.seq), 0) AS last, (SELECT max(seq) FROM log_head) AS head FROM outbox) AS ends WHERE head > last"
    )
