//! What can go wrong on the way to a relay.

use crate::tls::TlsFault;

/// Why the set of relays could not be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    /// The relay side has stopped, or is stopping.
    #[error("the connections to relays are shut down")]
    Stopped,
}

/// Why there is no connection to a relay, or no subscription.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The URL has no host or no port.
    #[error("the URL names no host")]
    NoHost,
    /// The name could not be resolved.
    #[error("the name does not resolve")]
    Unresolved,
    /// A relay named by a stranger is at an address that is not public.
    #[error("the relay is at a private address")]
    PrivateAddress,
    /// No TCP connection.
    #[error("no connection: {0}")]
    Unreachable(std::io::ErrorKind),
    /// No TLS.
    #[error("no secure connection: {0}")]
    Tls(TlsFault),
    /// An HTTP server, but not one that speaks WebSocket there. The HTTP status.
    #[error("no WebSocket there: HTTP status {0}")]
    NotWebSocket(u16),
    /// It does not speak the WebSocket protocol properly.
    #[error("the WebSocket protocol was violated")]
    Protocol,
    /// It took longer than [`connect_timeout`](super::RelayOptions::connect_timeout).
    #[error("no connection in time")]
    TimedOut,
    /// The connection ended.
    #[error("the connection was lost")]
    Lost,
    /// It kept sending events that were forged, or that nobody had subscribed to; it is left alone for a while.
    #[error("it sends forged events, or what nobody asked for")]
    Hostile,
    /// The relay closed the subscription. Its reason, shortened, for people; it may be empty.
    #[error("the relay closed the subscription: {}", stated(.0))]
    SubscriptionClosed(String),
    /// The relay objected to something in a notice, so it may have ended the subscription. The notice, shortened, for
    /// people; it may be empty.
    #[error("the relay may have ended the subscription; its notice: {}", told(.0))]
    Objection(String),
    /// The relay did not confirm the subscription, and said this in place of that.
    #[error("the relay did not confirm the subscription; {0}")]
    Unconfirmed(Instead),
}

/// What a relay said where it should have confirmed the subscription. Shortened, for people; it may be empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Instead {
    /// Nothing.
    #[error("it gave no answer")]
    Nothing,
    /// A request to log in (NIP-42).
    #[error("it asked Portico to log in (NIP-42), and did not accept the login")]
    Login,
    /// The text of its last notice.
    #[error("its last notice: {}", told(.0))]
    Notice(String),
    /// It had closed the subscription before, for this reason.
    #[error("it had closed it before: {}", stated(.0))]
    Closed(String),
}

impl LinkError {
    /// A code, for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoHost => "no_host",
            Self::Unresolved => "unresolved",
            Self::PrivateAddress => "private_address",
            Self::Unreachable(_) => "unreachable",
            Self::Tls(fault) => fault.code(),
            Self::NotWebSocket(_) => "not_websocket",
            Self::Protocol => "websocket_protocol",
            Self::TimedOut => "timed_out",
            Self::Lost => "lost",
            Self::Hostile => "hostile",
            Self::SubscriptionClosed(_) => "subscription_closed",
            Self::Objection(_) => "objection",
            Self::Unconfirmed(_) => "unconfirmed",
        }
    }
}

/// The reason that a relay gave, which may be none.
pub fn stated(reason: &str) -> &str {
    if reason.is_empty() { "it gave no reason" } else { reason }
}

/// The text of a notice, which may be none.
pub fn told(notice: &str) -> &str {
    if notice.is_empty() { "it gave no text" } else { notice }
}
