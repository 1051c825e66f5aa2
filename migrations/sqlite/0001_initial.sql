-- Times are milliseconds since the Unix epoch; keys, ids and digests are raw bytes.

-- A stream of events, and the place of its next one. No event follows once it has ended.
CREATE TABLE streams (
    id         BLOB    NOT NULL PRIMARY KEY,
    next_index INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    ended_at   INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    stream BLOB    NOT NULL REFERENCES streams (id),
    idx    INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    body   TEXT    NOT NULL,
    PRIMARY KEY (stream, idx)
) STRICT, WITHOUT ROWID;

-- Handshake URLs that are open: the row goes when the URL is used up or its stream ends.
CREATE TABLE handshakes (
    stream     BLOB    NOT NULL PRIMARY KEY REFERENCES streams (id),
    token      TEXT    NOT NULL,
    kind       TEXT    NOT NULL CHECK (kind IN ('handshake', 'login')),
    no_request INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT, WITHOUT ROWID;

-- Challenges, open and closed. A closed one gives up its bulk and stays only to tell who was asked when.
CREATE TABLE challenges (
    challenge   TEXT    NOT NULL PRIMARY KEY,
    stream      BLOB    NOT NULL REFERENCES streams (id),
    user        BLOB    NOT NULL,
    relays      TEXT    NOT NULL,
    envelopes   TEXT    NOT NULL,
    renewals    INTEGER NOT NULL,
    ends_stream INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    closed_at   INTEGER
) STRICT;

CREATE INDEX challenges_asked ON challenges (created_at, user);
CREATE INDEX challenges_open ON challenges (stream) WHERE closed_at IS NULL;

-- Scans that had an effect, by the id of their Nostr event, so that none has it twice.
CREATE TABLE scans (
    event_id BLOB    NOT NULL PRIMARY KEY,
    at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX scans_at ON scans (at);

-- Users who scanned, proved a subkey or logged in.
CREATE TABLE users (
    key              BLOB    NOT NULL PRIMARY KEY,
    preferred_relays TEXT    NOT NULL DEFAULT '[]',
    last_seen        INTEGER NOT NULL,
    last_login       INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX users_strangers ON users (last_seen) WHERE last_login IS NULL;

-- Keys that signed a session token which completed a login, and whose they are.
CREATE TABLE signers (
    key  BLOB NOT NULL PRIMARY KEY,
    user BLOB NOT NULL REFERENCES users (key)
) STRICT, WITHOUT ROWID;

CREATE TABLE subkeys (
    user    BLOB    NOT NULL REFERENCES users (key) ON DELETE CASCADE,
    key     BLOB    NOT NULL,
    proof   TEXT    NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (user, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE relay_changes (
    url    TEXT    NOT NULL PRIMARY KEY,
    change TEXT    NOT NULL CHECK (change IN ('added', 'removed')),
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE revocations (
    digest     BLOB    NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX revocations_expires_at ON revocations (expires_at);
