//! The tables of both backends, for a move from SQLite to PostgreSQL.
//!
//! Rows travel in the text form of PostgreSQL's COPY. The other side gives them back in the same form, so what arrived is
//! compared with what was sent.

use std::fmt::Write;

use rusqlite::types::ValueRef;
use sha2::{Digest, Sha256};

use super::StoreError;

/// What is wrong with a value.
type Fault = &'static str;

/// A table, in both backends.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [Column],
    /// Whether PostgreSQL also keeps which transaction added a row.
    pub(super) has_done_by: bool,
}

/// A column: its name in SQLite, its name in PostgreSQL, and its kind there.
#[derive(Debug)]
pub(super) struct Column(pub(super) &'static str, pub(super) &'static str, pub(super) Kind);

/// How a value is written for PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Flag,
    Bytes,
    /// A text, which PostgreSQL keeps as bytes.
    TextAsBytes,
    /// 16 bytes.
    Id,
    Text,
    /// A list of texts in JSON.
    List,
}

use Kind::{Bytes, Flag, Id, List, Number, Text, TextAsBytes};

macro_rules! same {
    ($($name:literal $kind:ident),+ $(,)?) => { &[$(Column($name, $name, $kind)),+] };
}

/// Every table, after those that it refers to.
pub(super) const TABLES: &[Table] = &[
    Table {
        name: "streams",
        columns: same!("id" Id, "next_index" Number, "created_at" Number, "ended_at" Number),
        has_done_by: true,
    },
    Table {
        name: "events",
        columns: same!("stream" Id, "idx" Number, "at" Number, "body" Text),
        has_done_by: true,
    },
    Table {
        name: "handshakes",
        columns: same!(
            "stream" Id, "token" TextAsBytes, "kind" Text, "no_request" Flag, "created_at" Number, "expires_at" Number,
        ),
        has_done_by: false,
    },
    Table {
        name: "challenges",
        columns: &[
            Column("challenge", "challenge", Text),
            Column("stream", "stream", Id),
            Column("user", "user_key", Bytes),
            Column("relays", "relays", Text),
            Column("envelopes", "envelopes", Text),
            Column("renewals", "renewals", Number),
            Column("ends_stream", "ends_stream", Flag),
            Column("is_login", "is_login", Flag),
            Column("created_at", "created_at", Number),
            Column("expires_at", "expires_at", Number),
            Column("closed_at", "closed_at", Number),
        ],
        has_done_by: false,
    },
    Table { name: "scans", columns: same!("event_id" Bytes, "at" Number), has_done_by: false },
    Table {
        name: "wallets",
        columns: same!("key" Bytes, "preferred_relays" Text, "last_seen" Number, "last_login" Number),
        has_done_by: false,
    },
    Table {
        name: "signers",
        columns: &[
            Column("key", "key", Bytes),
            Column("user", "user_key", Bytes),
            Column("until", "until", Number),
        ],
        has_done_by: false,
    },
    Table {
        name: "subkeys",
        columns: &[
            Column("user", "user_key", Bytes),
            Column("key", "key", Bytes),
            Column("proof", "proof", Text),
            Column("seen_at", "seen_at", Number),
        ],
        has_done_by: false,
    },
    Table {
        name: "relay_changes",
        columns: same!("url" Text, "change" Text, "at" Number),
        has_done_by: false,
    },
    Table {
        name: "revocations",
        columns: same!("digest" Bytes, "expires_at" Number, "revoked_at" Number),
        has_done_by: true,
    },
    Table { name: "replays", columns: same!("digest" Bytes, "expires_at" Number), has_done_by: true },
    Table { name: "sign_ins", columns: same!("digest" Bytes, "expires_at" Number), has_done_by: true },
    Table {
        name: "users",
        columns: same!(
            "id" Id, "provider" Text, "wallet_id" Text, "auth_method" Text, "auth_identifier" Text, "username" Text,
            "email" Text, "roles" List, "permissions" List, "disabled" Flag, "revision" Number, "created_at" Number,
            "last_login" Number, "logins" Number,
        ),
        has_done_by: false,
    },
    Table {
        name: "sessions",
        columns: &[
            Column("id", "id", Id),
            Column("user", "user_id", Id),
            Column("credential", "credential", Bytes),
            Column("created_at", "created_at", Number),
            Column("expires_at", "expires_at", Number),
            Column("ended_at", "ended_at", Number),
            Column("ended_by", "ended_by", Text),
        ],
        has_done_by: false,
    },
    Table {
        name: "audit",
        columns: &[
            Column("number", "number", Number),
            Column("at", "at", Number),
            Column("kind", "kind", Text),
            Column("user", "user_id", Id),
            Column("session", "session", Id),
            Column("provider", "provider", Text),
            Column("wallet_id", "wallet_id", Text),
            Column("reason", "reason", Text),
            Column("detail", "detail", Text),
            Column("actor", "actor", Text),
        ],
        has_done_by: true,
    },
    Table {
        name: "api_tokens",
        columns: same!(
            "id" Bytes, "name" Text, "secret_hash" Bytes, "rights" Text, "made_by" Text, "made_at" Number,
            "expires_at" Number, "used_at" Number,
        ),
        has_done_by: false,
    },
    Table {
        name: "deliveries",
        columns: same!(
            "stream" Id, "idx" Number, "since" Number, "attempts" Number, "next_at" Number, "last_error" Text,
            "failed_at" Number,
        ),
        has_done_by: false,
    },
    Table {
        name: "web_sign_ins",
        columns: same!(
            "id" Id, "browser" Bytes, "app" Text, "return_url" Text, "state" Text, "language" Text, "stream" Id,
            "url" Text, "shown_until" Number, "renewals" Number, "expires_at" Number, "code" Bytes,
            "code_expires_at" Number, "code_used" Flag,
        ),
        has_done_by: true,
    },
    Table {
        name: "clock",
        columns: same!("highest" Number, "settled" Number, "steady_for" Number),
        has_done_by: false,
    },
];

/// A row as a line of COPY: as PostgreSQL takes it, and as it gives it back.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) sent: String,
    shown: String,
}

impl Line {
    /// Adds a value. An error says what is wrong with it.
    pub(super) fn push(&mut self, value: ValueRef<'_>, kind: Kind) -> Result<(), Fault> {
        if !self.sent.is_empty() {
            self.sent.push('\t');
            self.shown.push('\t');
        }
        let (sent, shown) = written(value, kind)?;
        self.shown.push_str(shown.as_ref().unwrap_or(&sent));
        self.sent.push_str(&sent);
        Ok(())
    }

    /// The line as it comes back, without its end.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }
}

/// A value as PostgreSQL takes it, and as it gives it back if that differs.
fn written(value: ValueRef<'_>, kind: Kind) -> Result<(String, Option<String>), Fault> {
    let sent = match (value, kind) {
        (ValueRef::Null, _) => "\\N".into(),
        (ValueRef::Integer(number), Number) => number.to_string(),
        (ValueRef::Integer(flag), Flag) => if flag == 0 { "f" } else { "t" }.into(),
        (ValueRef::Blob(bytes), Bytes) | (ValueRef::Text(bytes), TextAsBytes) => {
            format!("\\\\x{}", hex::encode(bytes))
        }
        (ValueRef::Blob(bytes), Id) => {
            let bytes = bytes.try_into().map_err(|_| "an id does not have 16 bytes")?;
            uuid::Uuid::from_bytes(bytes).as_hyphenated().to_string()
        }
        (ValueRef::Text(text), Text) => escaped(utf8(text)?)?,
        (ValueRef::Text(text), List) => {
            let list: Vec<String> =
                serde_json::from_slice(text).map_err(|_| "a list is not a list of texts")?;
            let json = serde_json::to_string(&list).map_err(|_| "a list cannot be written")?;
            return Ok((escaped(&array(&list))?, Some(escaped(&json)?)));
        }
        _ => return Err("a value has the wrong type"),
    };
    Ok((sent, None))
}

fn utf8(text: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(text).map_err(|_| "a text is not UTF-8")
}

/// An array of texts as PostgreSQL reads it.
fn array(list: &[String]) -> String {
    let quoted = |text: &String| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    format!("{{{}}}", list.iter().map(quoted).collect::<Vec<_>>().join(","))
}

/// A text as COPY writes it.
fn escaped(text: &str) -> Result<String, Fault> {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => return Err("a text contains the character NUL, which PostgreSQL cannot keep"),
            '\\' => escaped.push_str("\\\\"),
            '\u{8}' => escaped.push_str("\\b"),
            '\t' => escaped.push_str("\\t"),
            '\n' => escaped.push_str("\\n"),
            '\u{b}' => escaped.push_str("\\v"),
            '\u{c}' => escaped.push_str("\\f"),
            '\r' => escaped.push_str("\\r"),
            other => escaped.push(other),
        }
    }
    Ok(escaped)
}

/// How many rows there are, and a hash of all of them in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) rows: u64,
    hash: [u8; 32],
}

impl Sum {
    /// Adds a row as it comes back. No two rows of a table are the same.
    pub(super) fn add(&mut self, shown: &[u8]) {
        self.rows += 1;
        let hash: [u8; 32] = Sha256::digest(shown).into();
        self.hash.iter_mut().zip(hash).for_each(|(sum, byte)| *sum ^= byte);
    }
}

impl Table {
    /// The query of SQLite for all rows.
    pub(super) fn select(&self) -> String {
        let names: Vec<String> = self.columns.iter().map(|column| format!("\"{}\"", column.0)).collect();
        format!("SELECT {} FROM {}", names.join(", "), self.name)
    }

    /// The statement of PostgreSQL that takes all rows.
    pub(super) fn copy_in(&self) -> String {
        let mut names: Vec<&str> = self.columns.iter().map(|column| column.1).collect();
        names.extend(self.has_done_by.then_some("done_by"));
        format!("COPY {} ({}) FROM STDIN", self.name, names.join(", "))
    }

    /// The statement of PostgreSQL that gives all rows back.
    pub(super) fn copy_out(&self) -> String {
        let mut names = String::new();
        for Column(_, name, kind) in self.columns {
            let comma = if names.is_empty() { "" } else { ", " };
            let shown = if *kind == List { format!("array_to_json({name})::text") } else { (*name).into() };
            let _ = write!(names, "{comma}{shown}");
        }
        format!("COPY (SELECT {names} FROM {}) TO STDOUT", self.name)
    }

    /// What is wrong with a row of SQLite.
    pub(super) fn damaged(&self, why: &str) -> StoreError {
        StoreError::Corrupt(format!("table {}: {why}", self.name))
    }
}

/// What was moved of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The table.
    pub table: &'static str,
    /// How many rows it has.
    pub rows: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(values: &[(ValueRef<'_>, Kind)]) -> Result<(String, String), Fault> {
        let mut line = Line::default();
        values.iter().try_for_each(|(value, kind)| line.push(*value, *kind))?;
        Ok((line.sent.clone(), line.shown().to_owned()))
    }

    #[test]
    fn values_are_written_as_copy_writes_them() {
        let values = [
            (ValueRef::Integer(-7), Number),
            (ValueRef::Integer(1), Flag),
            (ValueRef::Null, Text),
            (ValueRef::Blob(b"\x00\xff"), Bytes),
            (ValueRef::Text(b"a\0b"), TextAsBytes),
            (ValueRef::Blob(&[1; 16]), Id),
            (ValueRef::Text(b"tab\tback\\slash\nend"), Text),
        ];
        let (sent, shown) = line(&values).unwrap();
        assert_eq!(sent, shown);
        let id = "01010101-0101-0101-0101-010101010101";
        assert_eq!(sent, format!("-7\tt\t\\N\t\\\\x00ff\t\\\\x610062\t{id}\ttab\\tback\\\\slash\\nend"));
    }

    #[test]
    fn a_list_goes_as_an_array_and_comes_back_as_json() {
        let list = (ValueRef::Text(br#"["a", "b\"c,}", "d\\e"]"#), List);
        let (sent, shown) = line(&[list]).unwrap();
        assert_eq!(sent, r#"{"a","b\\"c,}","d\\\\e"}"#);
        assert_eq!(shown, r#"["a","b\\"c,}","d\\\\e"]"#);
    }

    #[test]
    fn what_postgresql_cannot_keep_or_is_damaged_is_an_error() {
        for (value, kind, word) in [
            (ValueRef::Text(b"a\0b"), Text, "NUL"),
            (ValueRef::Text(b"\xff"), Text, "UTF-8"),
            (ValueRef::Blob(b"short"), Id, "16 bytes"),
            (ValueRef::Text(b"{}"), List, "list"),
            (ValueRef::Integer(1), Text, "type"),
        ] {
            let error = line(&[(value, kind)]).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn a_row_more_less_or_other_changes_the_sum_and_another_order_does_not() {
        let sum = |rows: &[&str]| {
            let mut sum = Sum::default();
            rows.iter().for_each(|row| sum.add(row.as_bytes()));
            sum
        };
        assert_eq!(sum(&["a", "b"]), sum(&["b", "a"]));
        for other in [&["a"][..], &["a", "c"], &["a", "b", "c"]] {
            assert_ne!(sum(&["a", "b"]), sum(other));
        }
    }
}
