-- API tokens with names. The file keeps only the SHA-256 of the secret part, so a stolen file opens nothing.
CREATE TABLE api_tokens (
    id          BLOB    NOT NULL PRIMARY KEY,
    name        TEXT    NOT NULL UNIQUE,
    secret_hash BLOB    NOT NULL,
    rights      TEXT    NOT NULL,
    made_by     TEXT    NOT NULL,
    made_at     INTEGER NOT NULL,
    expires_at  INTEGER,
    used_at     INTEGER
) STRICT, WITHOUT ROWID;
