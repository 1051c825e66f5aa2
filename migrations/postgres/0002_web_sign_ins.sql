-- Sign-ins on the page for web apps. The secret of the browser and the code for the app are there as their SHA-256.
CREATE TABLE web_sign_ins (
    id              uuid    PRIMARY KEY,
    browser         bytea   NOT NULL,
    app             text    NOT NULL COLLATE "C",
    return_url      text    NOT NULL COLLATE "C",
    state           text    COLLATE "C",
    language        text    COLLATE "C",
    stream          uuid    NOT NULL,
    url             text    NOT NULL COLLATE "C",
    shown_until     bigint  NOT NULL,
    renewals        bigint  NOT NULL,
    expires_at      bigint  NOT NULL,
    code            bytea   UNIQUE,
    code_expires_at bigint,
    code_used       boolean NOT NULL DEFAULT false,
    done_by         uuid    NOT NULL
);

CREATE INDEX web_sign_ins_expiring ON web_sign_ins (expires_at);
