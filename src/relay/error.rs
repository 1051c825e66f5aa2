//! Errors of relays and of the connections to them.

use crate::tls::TlsFault;

/// Why the set of relays could not be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    /// The relay side has stopped, or is stopping.
    #[error("Portico has closed its connections to relays")]
    Stopped,
}

/// Why there is no connection to a relay, or no subscription.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The URL has no host or no port.
    #[error("the URL has no host")]
    NoHost,
    /// The name could not be resolved.
    #[error("the host name could not be resolved")]
    Unresolved,
    /// A relay that a wallet named has an address that is not public.
    #[error("the relay is at a private address")]
    PrivateAddress,
    /// TCP failed.
    #[error("no connection: {0}")]
    Unreachable(std::io::ErrorKind),
    /// TLS failed.
    #[error("no secure connection: {0}")]
    Tls(TlsFault),
    /// An HTTP server that does not accept WebSockets there. The HTTP status.
    #[error("the server did not accept a WebSocket: HTTP status {0}")]
    NotWebSocket(u16),
    /// The relay violates the WebSocket protocol.
    #[error("the relay violated the WebSocket protocol")]
    Protocol,
    /// It took longer than [`connect_timeout`](super::RelayOptions::connect_timeout).
    #[error("the connection timed out")]
    TimedOut,
    /// The connection ended.
    #[error("the connection was lost")]
    Lost,
    /// It kept sending events that were forged or not requested; Portico stays away from it for a while.
    #[error("the relay sends forged events, or events that Portico did not ask for")]
    Hostile,
    /// The relay closed the subscription. Its reason, shortened, for people; it may be empty.
    #[error("the relay closed the subscription: {}", stated(.0))]
    SubscriptionClosed(String),
    /// The relay sent a notice that may mean that it ended the subscription. The notice, shortened, for
    /// people; it may be empty.
    #[error("the relay may have ended the subscription; its notice: {}", notice_text(.0))]
    Objection(String),
    /// The relay sent something that Portico does not know and that may mean that it ended the subscription.
    /// Shortened, for people.
    #[error("the relay may have ended the subscription; it sent: {0}")]
    Strange(String),
    /// The relay did not confirm the subscription, and sent this instead.
    #[error("the relay did not confirm the subscription; {0}")]
    Unconfirmed(Instead),
}

/// What a relay sent in place of a confirmation. Shortened, for people; it may be empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Instead {
    /// Nothing.
    #[error("it gave no answer")]
    Nothing,
    /// A request to log in (NIP-42).
    #[error("it asked Portico to log in (NIP-42), and did not accept the login")]
    Login,
    /// A refusal of our login (NIP-42), for this reason.
    #[error("it refused Portico's login (NIP-42): {}", stated(.0))]
    LoginRefused(String),
    /// The text of its last notice.
    #[error("its last notice: {}", notice_text(.0))]
    Notice(String),
    /// Something that Portico did not ask for or does not know. The beginning.
    #[error("it sent: {0}")]
    Strange(String),
    /// It closed the subscription before, for this reason.
    #[error("it closed the subscription before: {}", stated(.0))]
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
            Self::Objection(_) | Self::Strange(_) => "objection",
            Self::Unconfirmed(_) => "unconfirmed",
        }
    }
}

/// The reason that a relay gave. If it is empty, a text that says so.
pub fn stated(reason: &str) -> &str {
    if reason.is_empty() { "it gave no reason" } else { reason }
}

/// The text of a notice. If it is empty, a text that says so.
pub fn notice_text(notice: &str) -> &str {
    if notice.is_empty() { "it was empty" } else { notice }
}
