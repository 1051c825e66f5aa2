-- Times are milliseconds since the Unix epoch; keys and digests are raw bytes. Texts sort by their bytes.
--
-- `done_by` is a random name of the transaction that added a row. If the answer to its COMMIT is lost, the row tells
-- whether it was stored.

-- A stream of events, and the place of its next one. No event follows once it has ended.
CREATE TABLE streams (
    id         uuid   PRIMARY KEY,
    next_index bigint NOT NULL DEFAULT 1,
    created_at bigint NOT NULL,
    ended_at   bigint,
    done_by    uuid   NOT NULL
);

-- Finds old streams.
CREATE INDEX streams_ended ON streams (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE events (
    stream  uuid   NOT NULL REFERENCES streams (id),
    idx     bigint NOT NULL,
    at      bigint NOT NULL,
    body    text   NOT NULL COLLATE "C",
    done_by uuid   NOT NULL,
    PRIMARY KEY (stream, idx)
);

-- Handshake URLs that are open: the row goes when the URL is used up or its stream ends. A token is bytes, because a
-- text cannot hold every character.
CREATE TABLE handshakes (
    stream     uuid    PRIMARY KEY REFERENCES streams (id),
    token      bytea   NOT NULL,
    kind       text    NOT NULL COLLATE "C" CHECK (kind IN ('handshake', 'login')),
    no_request boolean NOT NULL,
    created_at bigint  NOT NULL,
    expires_at bigint
);

-- Challenges, open and closed. A closed one gives up its bulk, and stays to tell who was asked and when.
CREATE TABLE challenges (
    challenge   text    PRIMARY KEY COLLATE "C",
    stream      uuid    NOT NULL REFERENCES streams (id),
    user_key    bytea   NOT NULL,
    relays      text    NOT NULL COLLATE "C",
    envelopes   text    NOT NULL COLLATE "C",
    renewals    bigint  NOT NULL,
    ends_stream boolean NOT NULL,
    is_login    boolean NOT NULL,
    created_at  bigint  NOT NULL,
    expires_at  bigint  NOT NULL,
    closed_at   bigint
);

CREATE INDEX challenges_asked ON challenges (created_at, user_key);
CREATE INDEX challenges_open ON challenges (created_at, challenge) WHERE closed_at IS NULL;
CREATE INDEX challenges_stream ON challenges (stream);

-- Scans that had an effect, by the id of their Nostr event, so that none has it twice.
CREATE TABLE scans (
    event_id bytea  PRIMARY KEY,
    at       bigint NOT NULL
);

CREATE INDEX scans_at ON scans (at);

-- Keys of wallets that scanned, proved a subkey or logged in.
CREATE TABLE wallets (
    key              bytea  PRIMARY KEY,
    preferred_relays text   NOT NULL COLLATE "C" DEFAULT '[]',
    last_seen        bigint NOT NULL,
    last_login       bigint
);

CREATE INDEX wallets_strangers ON wallets (last_seen) WHERE last_login IS NULL;

-- Keys that signed a session token which completed a login, and the wallets that they belong to.
CREATE TABLE signers (
    key      bytea PRIMARY KEY,
    user_key bytea NOT NULL REFERENCES wallets (key)
);

CREATE INDEX signers_user ON signers (user_key);

CREATE TABLE subkeys (
    user_key bytea  NOT NULL REFERENCES wallets (key) ON DELETE CASCADE,
    key      bytea  NOT NULL,
    proof    text   NOT NULL COLLATE "C",
    seen_at  bigint NOT NULL,
    PRIMARY KEY (user_key, key)
);

CREATE TABLE relay_changes (
    url    text   PRIMARY KEY COLLATE "C",
    change text   NOT NULL COLLATE "C" CHECK (change IN ('added', 'removed')),
    at     bigint NOT NULL
);

CREATE TABLE revocations (
    digest     bytea  PRIMARY KEY,
    expires_at bigint NOT NULL,
    revoked_at bigint NOT NULL,
    done_by    uuid   NOT NULL
);

CREATE INDEX revocations_expires_at ON revocations (expires_at);

-- Signed requests (NIP-98) that were used, each by a hash.
CREATE TABLE replays (
    digest     bytea  PRIMARY KEY,
    expires_at bigint NOT NULL,
    done_by    uuid   NOT NULL
);

CREATE INDEX replays_expiring ON replays (expires_at);

-- Texts that users were asked to sign, each by its SHA-256. The row goes with the first good signature.
CREATE TABLE sign_ins (
    digest     bytea  PRIMARY KEY,
    expires_at bigint NOT NULL,
    done_by    uuid   NOT NULL
);

CREATE INDEX sign_ins_expiring ON sign_ins (expires_at);

-- People with a wallet, as this service knows them.
CREATE TABLE users (
    id              uuid    PRIMARY KEY,
    provider        text    NOT NULL COLLATE "C",
    wallet_id       text    NOT NULL COLLATE "C",
    auth_method     text    NOT NULL COLLATE "C",
    auth_identifier text    NOT NULL COLLATE "C",
    username        text    COLLATE "C",
    email           text    COLLATE "C",
    roles           text[]  NOT NULL COLLATE "C",
    permissions     text[]  NOT NULL COLLATE "C",
    disabled        boolean NOT NULL,
    revision        bigint  NOT NULL,
    created_at      bigint  NOT NULL,
    last_login      bigint  NOT NULL,
    logins          bigint  NOT NULL,
    -- In this order it also finds a wallet whose provider is not given.
    UNIQUE (wallet_id, provider)
);

-- Finds users that no operator ever changed and who have not logged in for a long time.
CREATE INDEX users_unchanged ON users (last_login) WHERE revision = 1;

-- Sessions that logins started. One that has only expired was not ended: it may be renewed.
CREATE TABLE sessions (
    id         uuid   PRIMARY KEY REFERENCES streams (id),
    user_id    uuid   NOT NULL REFERENCES users (id),
    credential bytea  NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    ended_at   bigint,
    ended_by   text   COLLATE "C",
    CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);

CREATE INDEX sessions_user ON sessions (user_id, id);
CREATE INDEX sessions_user_open ON sessions (user_id, id) WHERE ended_at IS NULL;
CREATE INDEX sessions_credential ON sessions (credential);
CREATE INDEX sessions_expiring ON sessions (expires_at) WHERE ended_at IS NULL;
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;

-- Who did what. It outlives the users and sessions that it names.
CREATE TABLE audit (
    number    bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    at        bigint NOT NULL,
    kind      text   NOT NULL COLLATE "C",
    user_id   uuid,
    session   uuid,
    provider  text   COLLATE "C",
    wallet_id text   COLLATE "C",
    reason    text   COLLATE "C",
    detail    text   COLLATE "C",
    actor     text   NOT NULL COLLATE "C",
    done_by   uuid   NOT NULL
);

CREATE INDEX audit_user ON audit (user_id, number) WHERE user_id IS NOT NULL;
CREATE INDEX audit_at ON audit (at);

-- API tokens with names. A row has only the SHA-256 of the secret part, so a stolen copy opens nothing.
CREATE TABLE api_tokens (
    id          bytea  PRIMARY KEY,
    name        text   NOT NULL COLLATE "C" UNIQUE,
    secret_hash bytea  NOT NULL,
    rights      text   NOT NULL COLLATE "C",
    made_by     text   NOT NULL COLLATE "C",
    made_at     bigint NOT NULL,
    expires_at  bigint,
    used_at     bigint
);

-- Events that the webhook's receiver has not accepted yet: one row an event, written with the event itself.
-- Of each stream only the head, its earliest waiting event, has a `next_at`; the others wait for it.
CREATE TABLE deliveries (
    stream     uuid   NOT NULL,
    idx        bigint NOT NULL,
    -- When its time began: with the event, or when an operator retried it.
    since      bigint NOT NULL,
    attempts   bigint NOT NULL DEFAULT 0,
    next_at    bigint,
    last_error text   COLLATE "C",
    -- Set when it was given up: it stays for the operator to see and retry, and no other delivery waits for it.
    failed_at  bigint CHECK (failed_at IS NULL OR next_at IS NULL),
    PRIMARY KEY (stream, idx),
    FOREIGN KEY (stream, idx) REFERENCES events (stream, idx) ON DELETE CASCADE
);

-- One head a stream.
CREATE UNIQUE INDEX deliveries_head ON deliveries (stream) WHERE next_at IS NOT NULL;
CREATE INDEX deliveries_due ON deliveries (next_at) WHERE next_at IS NOT NULL;

-- The last known state of the wall clock, in one row.
CREATE TABLE clock (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    -- The highest time that it showed since it last went back.
    highest    bigint  NOT NULL,
    -- The time that has certainly passed: nothing is deleted by a later one.
    settled    bigint  NOT NULL,
    -- Milliseconds that the daemon has run since the last jump.
    steady_for bigint  NOT NULL
);

-- The ring of keys that sign access tokens, in one row.
CREATE TABLE access_keys (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    ring     text    NOT NULL COLLATE "C",
    revision bytea   NOT NULL
);

-- Which key was asked by which challenge, as long as that bounds how often it is asked. Neither these counts nor the next
-- ones need to survive a crash of the server, so they are not logged and do not wait for the disk.
CREATE UNLOGGED TABLE prompts (
    key       bytea   NOT NULL,
    challenge text    NOT NULL COLLATE "C",
    asked_at  bigint  NOT NULL,
    is_open   boolean NOT NULL,
    -- For how long it matters, in milliseconds.
    matters   bigint  NOT NULL,
    PRIMARY KEY (key, challenge)
);

CREATE INDEX prompts_past ON prompts ((asked_at + matters));

-- Logins and renewals of a wallet, as long as they bound how often it comes.
CREATE UNLOGGED TABLE visits (
    visit     text   NOT NULL COLLATE "C",
    provider  text   NOT NULL COLLATE "C",
    wallet_id text   NOT NULL COLLATE "C",
    at        bigint NOT NULL,
    matters   bigint NOT NULL
);

CREATE INDEX visits_wallet ON visits (wallet_id, provider, visit, at);
CREATE INDEX visits_past ON visits ((at + matters));
