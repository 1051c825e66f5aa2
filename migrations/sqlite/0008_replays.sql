-- Signed requests (NIP-98) that were shown, each by a hash: whoever shows one again is refused. They were among the
-- revocations before, and stay there until they expire.
CREATE TABLE replays (
    digest     BLOB    NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX replays_expiring ON replays (expires_at);
