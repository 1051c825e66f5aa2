-- Events that the webhook's receiver has not taken yet: one row an event, written with the event itself.
-- Of each stream only the head, its earliest waiting event, has a `next_at`; the others wait for it.
CREATE TABLE deliveries (
    stream     BLOB    NOT NULL,
    idx        INTEGER NOT NULL,
    -- When the time that it may take began: with the event, or anew at an operator's word.
    since      INTEGER NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    next_at    INTEGER,
    last_error TEXT,
    -- Set once it was given up: it stays for the operator to see and to revive, and holds up nobody.
    failed_at  INTEGER CHECK (failed_at IS NULL OR next_at IS NULL),
    PRIMARY KEY (stream, idx),
    FOREIGN KEY (stream, idx) REFERENCES events (stream, idx) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- One head a stream, whoever writes.
CREATE UNIQUE INDEX deliveries_head ON deliveries (stream) WHERE next_at IS NOT NULL;
CREATE INDEX deliveries_due ON deliveries (next_at) WHERE next_at IS NOT NULL;
