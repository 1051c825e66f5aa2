-- Sign-ins on the page for web apps. The secret of the browser and the code for the app are there as their SHA-256.
CREATE TABLE web_sign_ins (
    id              BLOB    NOT NULL PRIMARY KEY,
    browser         BLOB    NOT NULL,
    app             TEXT    NOT NULL,
    return_url      TEXT    NOT NULL,
    state           TEXT,
    language        TEXT,
    stream          BLOB    NOT NULL,
    url             TEXT    NOT NULL,
    shown_until     INTEGER NOT NULL,
    renewals        INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    code            BLOB    UNIQUE,
    code_expires_at INTEGER,
    code_used       INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX web_sign_ins_expiring ON web_sign_ins (expires_at);
