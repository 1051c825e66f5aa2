-- Texts that users were given to sign, each by its SHA-256. It goes with the first good signature, or when it has expired.
CREATE TABLE sign_ins (
    digest     BLOB    NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sign_ins_expiring ON sign_ins (expires_at);
