//! Tests whether a relay is fit for logins. It uses the relay like a service and a wallet, from outside the
//! daemon and with temporary keys.

mod caller;
mod information;
mod profile;

use std::time::Duration;

use nostr_sdk::prelude::{EventBuilder, Keys, RelayUrl, Tag};
use serde::{Serialize, Serializer};
use tokio::time::Instant;

use super::error::{LinkError, notice_text, stated};
use crate::protocol::kind;
use crate::shown;
use crate::tls::Tls;
use caller::Caller;
pub use information::{Information, InformationError};
pub use profile::{profile_at, publish_to};

/// The result for one relay. A missing time belongs to a step that was not reached.
#[derive(Debug, Clone, Serialize)]
pub struct Checkup {
    /// The URL of the relay.
    #[serde(serialize_with = "shown_url")]
    pub relay: RelayUrl,
    /// From a name to an open WebSocket.
    #[serde(rename = "connect_ms", serialize_with = "milliseconds")]
    pub connected_in: Option<Duration>,
    /// From `REQ` to `EOSE`.
    #[serde(rename = "subscribe_ms", serialize_with = "milliseconds")]
    pub subscribed_in: Option<Duration>,
    /// From publishing an ephemeral event on one connection to its arrival on another.
    #[serde(rename = "forward_ms", serialize_with = "milliseconds")]
    pub forwarded_in: Option<Duration>,
    /// Whether the relay asked for a login (NIP-42).
    pub asked_for_login: bool,
    /// Why the relay refused the login, if it did. The login is by a temporary key: the relay may accept that of
    /// the service.
    pub login_refused: Option<String>,
    /// The relay's information document (NIP-11).
    #[serde(serialize_with = "or_error")]
    pub information: Result<Information, InformationError>,
    /// Why logins would not go through; `None` if they would.
    #[serde(serialize_with = "as_text")]
    pub problem: Option<Problem>,
    /// The same as a code, for programs.
    pub problem_code: Option<&'static str>,
}

/// Why a relay is not fit for logins.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The connection failed.
    #[error("{0}")]
    Link(#[from] LinkError),
    /// The relay closed the connection.
    #[error("the relay closed the connection")]
    HungUp,
    /// The login (NIP-42) by a temporary key was refused, for this reason.
    #[error("the relay refused the login (NIP-42): {}", stated(.0))]
    LoginRefused(String),
    /// A subscription was refused, for this reason.
    #[error("the relay refused the subscription: {}", stated(.0))]
    SubscriptionRefused(String),
    /// The relay sent this notice in place of a confirmation.
    #[error("the relay did not confirm the subscription; its last notice: {}", notice_text(.0))]
    NoticeInstead(String),
    /// The relay did not answer a subscription.
    #[error("the relay did not answer the subscription in time")]
    NoAnswer,
    /// The event was refused, for this reason.
    #[error("the relay refused an ephemeral event: {}", stated(.0))]
    EventRefused(String),
    /// A profile was refused, for this reason.
    #[error("the relay refused the profile: {}", stated(.0))]
    ProfileRefused(String),
    /// The relay did not answer whether it accepts the profile.
    #[error("the relay did not answer in time whether it accepts the profile")]
    NotConfirmed,
    /// The event did not arrive.
    #[error("the relay did not forward an ephemeral event in time")]
    NotForwarded,
    /// An event arrived that differs from the published one.
    #[error("the relay forwarded an event that was tampered with")]
    Forged,
}

impl Problem {
    /// A code, for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Link(error) => error.code(),
            Self::HungUp => "lost",
            Self::LoginRefused(_) => "login_refused",
            Self::SubscriptionRefused(_) => "subscription_closed",
            Self::NoticeInstead(_) => "unconfirmed",
            Self::NoAnswer => "no_answer",
            Self::EventRefused(_) => "event_refused",
            Self::NotForwarded => "not_forwarded",
            Self::ProfileRefused(_) => "profile_refused",
            Self::NotConfirmed => "not_confirmed",
            Self::Forged => "forged",
        }
    }
}

/// Tests a relay. Each step may take up to `patience`.
pub async fn check(relay: &RelayUrl, patience: Duration, tls: &Tls) -> Checkup {
    let mut checkup = Checkup {
        relay: relay.clone(),
        connected_in: None,
        subscribed_in: None,
        forwarded_in: None,
        asked_for_login: false,
        login_refused: None,
        information: Err(InformationError::NotReached),
        problem: None,
        problem_code: None,
    };
    let (information, problem) =
        tokio::join!(information::fetch(relay, patience, tls), checkup.run(relay, patience, tls));
    checkup.problem = problem.err();
    checkup.problem_code = checkup.problem.as_ref().map(Problem::code);
    if information.is_ok() || checkup.connected_in.is_some() {
        checkup.information = information;
    }
    checkup
}

impl Checkup {
    async fn run(&mut self, relay: &RelayUrl, patience: Duration, tls: &Tls) -> Result<(), Problem> {
        let begun = Instant::now();
        let mut wallet = Caller::connect(relay, patience, tls).await?;
        self.connected_in = Some(begun.elapsed());

        let subscribed = tokio::time::timeout(patience, wallet.subscribe(kind::AUTH_CHALLENGE)).await;
        self.asked_for_login = wallet.has_logged_in();
        self.login_refused = wallet.login_refused().map(str::to_owned);
        let silence =
            || wallet.last_notice().map_or(Problem::NoAnswer, |text| Problem::NoticeInstead(text.into()));
        self.subscribed_in = Some(subscribed.unwrap_or_else(|_| Err(wallet.explained(silence())))?);

        let mut service = Caller::connect(relay, patience, tls).await?;
        let event = EventBuilder::new(kind::AUTH_CHALLENGE, "portico relays check")
            .tag(Tag::public_key(wallet.public_key()))
            .sign_with_keys(&Keys::generate())
            .map_err(|_| Problem::NotForwarded)?;
        let begun = Instant::now();
        let forwarding = async {
            tokio::select! {
                arrived = wallet.expect(&event) => arrived,
                refused = service.publish(&event) => Err(refused),
            }
        };
        let forwarded = tokio::time::timeout(patience, forwarding).await;
        self.asked_for_login |= service.has_logged_in();
        if let Some(reason) = service.login_refused() {
            self.login_refused = Some(reason.to_owned());
        }
        forwarded.unwrap_or_else(|_| Err(service.explained(wallet.explained(Problem::NotForwarded))))?;
        self.forwarded_in = Some(begun.elapsed());
        Ok(())
    }
}

fn shown_url<S: Serializer>(relay: &RelayUrl, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&shown::relay(relay))
}

fn milliseconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    // Whole microseconds: more digits would only look exact.
    time.map(|time| (time.as_micros() as f64) / 1000.0).serialize(serializer)
}

fn or_error<S: Serializer>(
    information: &Result<Information, InformationError>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match information {
        Ok(information) => information.serialize(serializer),
        Err(error) => serde_json::json!({ "error": error.to_string() }).serialize(serializer),
    }
}

fn as_text<S: Serializer>(problem: &Option<Problem>, serializer: S) -> Result<S::Ok, S::Error> {
    problem.as_ref().map(ToString::to_string).serialize(serializer)
}
