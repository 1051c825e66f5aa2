//! The provider's API: three questions. Portico trusts its answers and nothing else.

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

/// The longest answer.
const MAX_ANSWER: usize = 64 * 1024;

const API_KEY: HeaderName = HeaderName::from_static("x-external-api-key");
const COOKIE: HeaderName = HeaderName::from_static("x-capsule-sid");

/// How a provider's own libraries call its API.
#[derive(Debug)]
pub struct Dialect {
    /// The name of the provider.
    pub name: &'static str,
    /// The header with the library's version, and the version that these questions come from.
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
    /// How long an answer may take, and how long to wait for a place.
    timeout: Duration,
    clock: SharedClock,
}

/// The provider's answer about an active session.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) user_id: String,
    pub(super) partner_id: String,
    /// Identifies the session where its cookie is not shown.
    pub(super) lookup_id: SecretString,
    /// The user's wallets in this app, each with its kind: `EVM`, `SOLANA`, …
    pub(super) wallets: BTreeMap<String, String>,
}

/// How a user proved their identity, as the provider reports it.
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

    /// Asks whether a session is active, and who its user is. `None`: it is not active.
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
            self.ask(asker, request, None).await?.ok_or_else(|| self.unavailable("its answer is empty"))?;
        if !touched.is_authenticated {
            return Ok(None);
        }
        let (Some(user_id), Some(partner_id), Some(lookup_id)) =
            (touched.user_id, touched.partner_id, touched.session_lookup_id)
        else {
            return Err(self.unavailable("its answer does not name the user of the session"));
        };
        let mut wallets = BTreeMap::new();
        for (kind, ids) in touched.current_wallet_ids.unwrap_or_default() {
            wallets.extend(ids.into_iter().flatten().map(|id| (id, kind.clone())));
        }
        Ok(Some(Active { user_id, partner_id, lookup_id, wallets }))
    }

    /// Asks who the user of an active session is. `None`: it is no longer active.
    pub(super) async fn identifier(
        &self,
        asker: Asker,
        lookup_id: &SecretString,
    ) -> Result<Option<Identifier>, CredentialError> {
        let body = json!({ "verificationToken": lookup_id.expose_secret() });
        let request = self.question("/sessions/verify", &self.keys.secret)?;
        self.ask(asker, with_json(request, &body), Some(StatusCode::FORBIDDEN)).await
    }

    /// Asks for the wallet with this address. `None`: our app has no such wallet.
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

    /// The answer to a question. `None`: a negative answer, which has this status.
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
                return Err(failed(place, "its answer is malformed"));
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
            format!("it failed repeatedly for this session; the next try is in {rest} s")
        }
        Closed::Tried => "it failed repeatedly; another session is trying it now".into(),
        Closed::Crowded => "too many requests to it are in progress".into(),
    }
}

fn with_json(request: OutboundRequest, body: &serde_json::Value) -> OutboundRequest {
    request.header(CONTENT_TYPE, "application/json").body(body.to_string())
}
