"""Notes, inbox, outbox, dead letters and the relay's leases."""

from alembic import op

revision = "0001"
down_revision = None

STATEMENTS = (
    """
    CREATE TABLE notes (
        id uuid PRIMARY KEY,
        title text NOT NULL,
        body text NOT NULL,
        tags text[] NOT NULL,
        author text,
        status text NOT NULL CHECK (status IN ('active', 'archived', 'deleted')),
        version int NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL
    )
    """,
    # One row for each command id ever answered: what makes a repeat harmless.
    """
    CREATE TABLE inbox (
        command_id uuid PRIMARY KEY,
        id uuid NOT NULL,
        note_id uuid,
        status text NOT NULL CHECK (status IN ('accepted', 'rejected', 'failed')),
        version int,
        code text,
        message text,
        at timestamptz NOT NULL,
        digest text
    )
    """,
    # CACHE 1: numbers are given out in the order in which rows are inserted, which is commit order within a note.
    """
    CREATE TABLE outbox (
        position bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,
        id uuid NOT NULL,
        aggregatetype text NOT NULL,
        aggregateid text NOT NULL,
        type text NOT NULL,
        payload bytea,
        topic text NOT NULL,
        shard smallint NOT NULL,
        time timestamptz NOT NULL,
        subject text,
        sequence int,
        correlationid text,
        causationid text,
        traceparent text,
        key bytea,
        headers bytea,
        stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        parked_at timestamptz,
        parked_because text
    )
    """,
    # What the relay reads; a parked row is not in it and costs nothing.
    "CREATE INDEX outbox_to_send ON outbox (position) WHERE parked_at IS NULL",
    "CREATE INDEX outbox_parked ON outbox (topic, aggregateid) WHERE parked_at IS NOT NULL",
    # The table empties as fast as it fills: vacuum by count, not by share, and keep payloads out of pglz's way.
    """
    ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
                            autovacuum_vacuum_cost_delay = 0)
    """,
    """
    CREATE TABLE dead_letters (
        topic text NOT NULL,
        partition int NOT NULL,
        "offset" bigint NOT NULL,
        key bytea,
        value bytea,
        headers bytea NOT NULL,
        command_id uuid,
        note_id uuid,
        code text NOT NULL,
        reason text NOT NULL,
        at timestamptz NOT NULL,
        state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'redriven', 'dropped')),
        PRIMARY KEY (topic, partition, "offset")
    )
    """,
    """
    CREATE TABLE relay_leases (
        shard smallint PRIMARY KEY,
        owner uuid,
        until timestamptz NOT NULL DEFAULT '-infinity'
    )
    """,
    "INSERT INTO relay_leases (shard) SELECT generate_series(0, 11)",
)


def upgrade() -> None:
    """Create everything."""
    for statement in STATEMENTS:
        op.execute(statement)
