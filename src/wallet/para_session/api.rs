//! The provider's API: the three questions that are asked, and nothing believed that it did not say.

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use url::Url;

use super::breaker::{Asker, Breaker, Closed, Permit};
use crate::clock::SharedClock;
use crate::config::{ParaApiKeys, ParaSessionRules};
use crate::outbound::{Outbound, OutboundRequest};
use crate::tls::Tls;
use crate::wallet::CredentialError;

/// No answer of the three is longer.
const MAX_ANSWER: usize = 64 * 1024;

const API_KEY: HeaderName = HeaderName::from_static("x-external-api-key");
const COOKIE: HeaderName = HeaderName::from_static("x-capsule-sid");

/// How a provider's own libraries speak to its API.
#[derive(Debug)]
pub struct Dialect {
    /// What callers name the provider by.
    pub name: &'static str,
    /// The header that tells the library's version, and the one whose questions these are.
    pub version: (&'static str, &'static str),
}

/// Para's.
pub const PARA: Dialect = Dialect { name: "para_session", version: ("x-para-version", "2.18.0") };

/// Capsule's: Para before it was renamed.
pub const CAPSULE: Dialect = Dialect { name: "capsule_session", version: ("x-capsule-version", "2.20.1") };

/// Asks the provider.
#[derive(Debug)]
pub(super) struct Api {
    dialect: &'static Dialect,
    http: Outbound,
    base: String,
    keys: ParaApiKeys,
    breaker: Breaker,
    /// How long an answer may take, and a place for a question.
    timeout: Duration,
    clock: SharedClock,
}

/// What the provider says of a session that is active.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) user_id: String,
    pub(super) partner_id: String,
    /// Names the session where its cookie is not shown.
    pub(super) lookup_id: SecretString,
    /// The user's wallets in this app, each with its kind: `EVM`, `SOLANA`, …
    pub(super) wallets: BTreeMap<String, String>,
}

/// How a user has proved who they are, as the provider says.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Identifier {
    pub(super) auth_type: String,
    pub(super) identifier: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Touched {
    is_authenticated: bool,
    user_id: Option<String>,
    partner_id: Option<String>,
    session_lookup_id: Option<SecretString>,
    current_wallet_ids: Option<BTreeMap<String, Option<Vec<String>>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WalletOf {
    wallet_id: String,
}

impl Api {
    pub(super) fn new(
        dialect: &'static Dialect,
        rules: &ParaSessionRules,
        keys: ParaApiKeys,
        tls: &Tls,
        clock: SharedClock,
    ) -> Self {
        let http = Outbound::new(rules.timeout, rules.allow_private, tls);
        let base = rules.base_url.as_deref().unwrap_or_default().trim_end_matches('/').to_owned();
        let timeout = rules.timeout;
        Self { dialect, http, base, keys, breaker: Breaker::default(), timeout, clock }
    }

    /// Whether a session is active, and whose. `None`: it is not.
    pub(super) async fn touch(
        &self,
        asker: Asker,
        cookie: &SecretString,
    ) -> Result<Option<Active>, CredentialError> {
        let request = self
            .question("/touch?regenerate=false", &self.keys.public)?
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            // Left to itself the client sends none, and some servers want one of every POST.
            .header(CONTENT_LENGTH, 0)
            .header(COOKIE, self.sensitive(cookie)?);
        let touched: Touched =
            self.ask(asker, request, None).await?.ok_or_else(|| self.unavailable("it says nothing"))?;
        if !touched.is_authenticated {
            return Ok(None);
        }
        let (Some(user_id), Some(partner_id), Some(lookup_id)) =
            (touched.user_id, touched.partner_id, touched.session_lookup_id)
        else {
            return Err(self.unavailable("it does not say whose the session is"));
        };
        let mut wallets = BTreeMap::new();
        for (kind, ids) in touched.current_wallet_ids.unwrap_or_default() {
            wallets.extend(ids.into_iter().flatten().map(|id| (id, kind.clone())));
        }
        Ok(Some(Active { user_id, partner_id, lookup_id, wallets }))
    }

    /// Who the user of an active session is. `None`: it is not active any more.
    pub(super) async fn identifier(
        &self,
        asker: Asker,
        lookup_id: &SecretString,
    ) -> Result<Option<Identifier>, CredentialError> {
        let body = json!({ "verificationToken": lookup_id.expose_secret() });
        let request = self.question("/sessions/verify", &self.keys.secret)?;
        self.ask(asker, with_json(request, &body), Some(StatusCode::FORBIDDEN)).await
    }

    /// The wallet with this address. `None`: there is none in our app.
    pub(super) async fn wallet_of(
        &self,
        asker: Asker,
        address: &str,
    ) -> Result<Option<String>, CredentialError> {
        let request = self.question("/wallets/verify", &self.keys.secret)?;
        let request = with_json(request, &json!({ "address": address }));
        let found: Option<WalletOf> = self.ask(asker, request, Some(StatusCode::NOT_FOUND)).await?;
        Ok(found.map(|found| found.wallet_id))
    }

    fn question(&self, path: &str, key: &SecretString) -> Result<OutboundRequest, CredentialError> {
        let (header, version) = self.dialect.version;
        let url = Url::parse(&format!("{}{path}", self.base));
        let url = url.map_err(|error| self.unavailable(&error.to_string()))?;
        let request = OutboundRequest::post(url).header(ACCEPT, "application/json");
        let request = request.header(HeaderName::from_static(header), version);
        Ok(request.header(API_KEY, self.sensitive(key)?))
    }

    /// A header that no log shows.
    fn sensitive(&self, secret: &SecretString) -> Result<HeaderValue, CredentialError> {
        let mut value = HeaderValue::from_str(secret.expose_secret())
            .map_err(|_| self.unavailable("a key or cookie cannot be sent"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// The answer to a question. `None`: a no, which comes with this status.
    async fn ask<T: DeserializeOwned>(
        &self,
        asker: Asker,
        request: OutboundRequest,
        no: Option<StatusCode>,
    ) -> Result<Option<T>, CredentialError> {
        let place = self.breaker.pass(asker, self.clock.now(), self.timeout).await;
        let place = place.map_err(|closed| self.unavailable(&said_of(closed)))?;
        let failed = |place: Permit<'_>, why: &str| {
            place.failed(self.clock.now());
            self.unavailable(why)
        };
        let answer = match self.http.send(request, MAX_ANSWER).await {
            Ok(answer) => answer,
            Err(error) => return Err(failed(place, &error.to_string())),
        };
        let status = answer.status;
        if status.is_success() {
            let Ok(said) = serde_json::from_slice(&answer.body) else {
                return Err(failed(place, "its answer is not what it should be"));
            };
            place.answered();
            return Ok(Some(said));
        }
        // Of what one session alone may be the reason, the others are not to suffer.
        let is_of_asker = status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS;
        let why = format!("it answered {}", status.as_u16());
        if !is_of_asker {
            return Err(failed(place, &why));
        }
        place.answered();
        if Some(status) == no { Ok(None) } else { Err(self.unavailable(&why)) }
    }

    fn unavailable(&self, why: &str) -> CredentialError {
        CredentialError::Unavailable(format!("{}: the provider's API: {why}", self.dialect.name))
    }
}

/// Why a question is not asked, for people.
fn said_of(closed: Closed) -> String {
    match closed {
        Closed::Rests(rest) => {
            let rest = rest.as_secs_f64().ceil();
            format!("it has failed for this session again and again, which rests for {rest} s")
        }
        Closed::Tried => "it has failed again and again, and is being tried for another session".into(),
        Closed::Crowded => "too many questions to it are under way".into(),
    }
}

fn with_json(request: OutboundRequest, body: &serde_json::Value) -> OutboundRequest {
    request.header(CONTENT_TYPE, "application/json").body(body.to_string())
}
