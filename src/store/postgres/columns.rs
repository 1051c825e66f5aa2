//! Maps values of the domain to columns.
//!
//! PostgreSQL counts in signed 64 bits. Larger values are clamped when they are written (a deadline in 292 million years
//! serves as well as a later one), and a negative number that is read means that the row is damaged.

use std::error::Error;

use bytes::BytesMut;
use nostr_sdk::PublicKey;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::clock::Timestamp;
use crate::rights::Rights;
use crate::store::{AuditKind, HandshakeKind, RelayChange, StreamId, UserId, WebSignInId};

type Unreadable = Box<dyn Error + Sync + Send>;

/// A type that is stored as another one.
macro_rules! column {
    ($({$($generic:tt)*})? $type:ty as $stored:ty, |$value:ident| $write:expr, |$read:ident| $parse:expr) => {
        impl $(<$($generic)*>)? ToSql for $type {
            fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Unreadable> {
                let $value = self;
                <$stored as ToSql>::to_sql(&$write, ty, out)
            }

            fn accepts(ty: &Type) -> bool {
                <$stored as ToSql>::accepts(ty)
            }

            to_sql_checked!();
        }

        impl<'r $(, $($generic)*)?> FromSql<'r> for $type {
            fn from_sql(ty: &Type, raw: &'r [u8]) -> Result<Self, Unreadable> {
                let $read = <$stored as FromSql>::from_sql(ty, raw)?;
                $parse
            }

            fn accepts(ty: &Type) -> bool {
                <$stored as FromSql>::accepts(ty)
            }
        }
    };
}

/// The 16 bytes of a `uuid`.
#[derive(Debug)]
struct Uuid([u8; 16]);

impl ToSql for Uuid {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Unreadable> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }

    to_sql_checked!();
}

impl<'r> FromSql<'r> for Uuid {
    fn from_sql(_: &Type, raw: &'r [u8]) -> Result<Self, Unreadable> {
        Ok(Self(raw.try_into()?))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }
}

column!(StreamId as Uuid, |id| Uuid(*id.as_bytes()), |uuid| Ok(Self::from_bytes(uuid.0)));
column!(UserId as Uuid, |id| Uuid(*id.as_bytes()), |uuid| Ok(Self::from_bytes(uuid.0)));
column!(WebSignInId as Uuid, |id| Uuid(*id.as_bytes()), |uuid| Ok(Self::from_bytes(uuid.0)));
column!(Timestamp as i64, |moment| clamped(moment.millis()), |number| whole(number).map(Self::from_millis));
column!(AuditKind as &str, |kind| kind.as_str(), |word| Self::of_word(word).ok_or_else(|| unknown(word)));
// A word that is unknown here is an error: it could mean more than this program gives.
column!(Rights as String, |rights| rights.to_string(), |words| Ok(words.parse()?));
column!(
    HandshakeKind as &str,
    |kind| match kind {
        HandshakeKind::Handshake => "handshake",
        HandshakeKind::Login => "login",
    },
    |word| match word {
        "handshake" => Ok(Self::Handshake),
        "login" => Ok(Self::Login),
        _ => Err(unknown(word)),
    }
);
column!(
    RelayChange as &str,
    |change| match change {
        RelayChange::Added => "added",
        RelayChange::Removed => "removed",
    },
    |word| match word {
        "added" => Ok(Self::Added),
        "removed" => Ok(Self::Removed),
        _ => Err(unknown(word)),
    }
);

/// A random name, as of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Random(pub(super) [u8; 16]);

column!(Random as Uuid, |random| Uuid(random.0), |uuid| Ok(Self(uuid.0)));

/// An index in a stream, or a number of rows.
#[derive(Debug)]
pub(super) struct Count(pub(super) u64);

column!(Count as i64, |count| clamped(count.0), |number| whole(number).map(Self));

/// A number of at most 32 bits.
#[derive(Debug)]
pub(super) struct Small(pub(super) u32);

column!(Small as i64, |small| i64::from(small.0), |number| Ok(Self(number.try_into()?)));

/// A public key as its 32 bytes.
#[derive(Debug)]
pub(super) struct Key(pub(super) PublicKey);

column!(Key as &[u8], |key| key.0.as_bytes().as_slice(), |bytes| {
    Ok(Self(PublicKey::from_byte_array(bytes.try_into()?)))
});

/// Bytes of a fixed length, such as a digest.
#[derive(Debug)]
pub(super) struct Bytes<const N: usize>(pub(super) [u8; N]);

column!({const N: usize} Bytes<N> as &[u8], |bytes| bytes.0.as_slice(), |bytes| Ok(Self(bytes.try_into()?)));

/// A list that is only read as a whole, as JSON text.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize + std::fmt::Debug> ToSql for Json<T> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Unreadable> {
        serde_json::to_string(&self.0)?.to_sql(ty, out)
    }

    fn accepts(ty: &Type) -> bool {
        <String as ToSql>::accepts(ty)
    }

    to_sql_checked!();
}

impl<'r, T: DeserializeOwned> FromSql<'r> for Json<T> {
    fn from_sql(ty: &Type, raw: &'r [u8]) -> Result<Self, Unreadable> {
        Ok(Self(serde_json::from_str(<&str>::from_sql(ty, raw)?)?))
    }

    fn accepts(ty: &Type) -> bool {
        <&str as FromSql>::accepts(ty)
    }
}

fn clamped(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn whole(number: i64) -> Result<u64, Unreadable> {
    u64::try_from(number).map_err(|_| format!("{number} is negative").into())
}

/// The value itself may be a secret in the wrong place.
fn unknown(word: &str) -> Unreadable {
    format!("an unknown word of {} bytes", word.len()).into()
}
