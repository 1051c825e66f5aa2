//! How long a connection may keep its place: a stranger for a while, one that has shown an API token until that token
//! is worth nothing any more.

use std::fmt;
use std::ptr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::time::{Duration, Instant};

use super::places::Stranger;

/// How long a stranger may stay.
const STAY: Duration = Duration::from_secs(10);

/// What lets a connection stay, such as an API token.
pub(crate) trait Voucher: fmt::Debug + Send + Sync {
    /// Waits until it lets nobody stay any more.
    fn over(&self) -> BoxFuture<'_, ()>;
}

/// Why a connection may stay.
#[derive(Debug)]
pub(super) enum Standing {
    /// It has shown nothing since then.
    Stranger { since: Instant, _here: Stranger },
    /// It may stay as long as this lasts. `None`: for ever.
    Known(Option<Arc<dyn Voucher>>),
}

/// What ends the stay of a connection.
pub(super) enum End {
    At(Instant),
    With(Arc<dyn Voucher>),
    Never,
}

impl Standing {
    pub(super) fn stranger(here: Stranger) -> Self {
        Self::Stranger { since: Instant::now(), _here: here }
    }

    /// Whether it rests on this already.
    pub(super) fn rests_on(&self, voucher: Option<&Arc<dyn Voucher>>) -> bool {
        match (self, voucher) {
            (Self::Known(None), None) => true,
            (Self::Known(Some(before)), Some(now)) => ptr::addr_eq(Arc::as_ptr(before), Arc::as_ptr(now)),
            _ => false,
        }
    }

    pub(super) fn end(&self) -> End {
        match self {
            Self::Stranger { since, .. } => End::At(*since + STAY),
            Self::Known(Some(voucher)) => End::With(Arc::clone(voucher)),
            Self::Known(None) => End::Never,
        }
    }
}

impl End {
    pub(super) async fn reached(self) {
        match self {
            Self::At(end) => tokio::time::sleep_until(end).await,
            Self::With(voucher) => voucher.over().await,
            Self::Never => std::future::pending().await,
        }
    }
}
