-- What was called a user is the key of a wallet that scanned, proved a subkey or logged in.
ALTER TABLE users RENAME TO wallets;
DROP INDEX users_strangers;
CREATE INDEX wallets_strangers ON wallets (last_seen) WHERE last_login IS NULL;

-- Whether a challenge came from a login URL. Its stream tells of the scan then; that of any other tells nothing
-- before the answer.
ALTER TABLE challenges ADD COLUMN is_login INTEGER NOT NULL DEFAULT 0;
UPDATE challenges SET is_login = EXISTS (SELECT 1 FROM events WHERE events.stream = challenges.stream)
WHERE closed_at IS NULL;

-- Somebody with a wallet, as this service knows them.
CREATE TABLE users (
    id              BLOB    NOT NULL PRIMARY KEY,
    provider        TEXT    NOT NULL,
    wallet_id       TEXT    NOT NULL,
    auth_method     TEXT    NOT NULL,
    auth_identifier TEXT    NOT NULL,
    username        TEXT,
    email           TEXT,
    roles           TEXT    NOT NULL,
    permissions     TEXT    NOT NULL,
    disabled        INTEGER NOT NULL,
    revision        INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    last_login      INTEGER NOT NULL,
    logins          INTEGER NOT NULL,
    -- In this order it also finds a wallet whose provider is not told.
    UNIQUE (wallet_id, provider)
) STRICT, WITHOUT ROWID;

-- What logins began. A session that merely ran out has not been ended: it may be carried on.
CREATE TABLE sessions (
    id         BLOB    NOT NULL PRIMARY KEY REFERENCES streams (id),
    user       BLOB    NOT NULL REFERENCES users (id),
    credential BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at   INTEGER,
    ended_by   TEXT CHECK ((ended_at IS NULL) = (ended_by IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_user ON sessions (user, id);
CREATE INDEX sessions_user_open ON sessions (user, id) WHERE ended_at IS NULL;
CREATE INDEX sessions_credential ON sessions (credential);
CREATE INDEX sessions_expiring ON sessions (expires_at) WHERE ended_at IS NULL;
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;

-- Who did what. It outlives the users and sessions that it names; no number is given twice.
CREATE TABLE audit (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    at        INTEGER NOT NULL,
    kind      TEXT    NOT NULL,
    user      BLOB,
    session   BLOB,
    provider  TEXT,
    wallet_id TEXT,
    reason    TEXT,
    detail    TEXT,
    actor     TEXT    NOT NULL
) STRICT;

CREATE INDEX audit_user ON audit (user, number) WHERE user IS NOT NULL;
CREATE INDEX audit_at ON audit (at);
