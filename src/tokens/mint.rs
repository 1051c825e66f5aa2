//! Makes and reads access tokens: the keys, the names in the tokens, and the schedule of the keys' rotation.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use quick_cache::sync::Cache;
use rand::{Rng, thread_rng};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Result, TokensError};
use crate::access_token::{
    self, AccessError, Algorithm, Claims, Expected, KeyRing, KeyState, PublicKey, RotateError,
    UnverifiedToken,
};
use crate::clock::{JUMP, SharedClock, Timekeeper, Timestamp};
use crate::config::AccessRules;
use crate::metrics::Limit;
use crate::store::{KeyStore, KeysError, KeysRevision};

/// How many verified signatures are remembered.
const VERIFIED: usize = 50_000;

/// How far the clocks of other programs may run behind Portico's clock, which stamped the token.
const LEEWAY_SECS: u64 = 5;

/// How often the keys are read again because another process has replaced them meanwhile.
const ATTEMPTS: usize = 8;

/// Makes and reads access tokens.
#[derive(Debug)]
pub struct Mint {
    keys: Arc<dyn KeyStore>,
    rules: AccessRules,
    issuer: String,
    audience: String,
    service_key: PublicKey,
    /// How long a key is kept after it was retired: until its last token has expired and its holder can no longer
    /// renew it.
    keep: Duration,
    clock: SharedClock,
    timekeeper: Arc<Timekeeper>,
    /// A copy of the stored ring. It is correct while this process is the only one that replaces it; with several, each
    /// must learn of the others' rotations before a token of the new key comes.
    held: RwLock<Arc<Held>>,
    /// Held while the keys change, so that store and memory stay the same.
    changing: tokio::sync::Mutex<()>,
    /// By the SHA-256 of the whole token.
    verified: Cache<[u8; 32], Arc<Claims>>,
}

/// The ring of keys, as it is stored.
#[derive(Debug)]
struct Held {
    ring: KeyRing,
    /// `None`: it is stored no longer, because somebody has deleted it.
    revision: Option<KeysRevision>,
}

/// A service's request for a token.
#[derive(Clone, Debug)]
pub struct NewServiceToken {
    /// The subject, as `sub`, `client_id` and `target_key`.
    pub target_key: String,
    /// The audience. `None`: the audience of access tokens.
    pub audience: Option<String>,
    /// The scope (RFC 6749 §3.3).
    pub scope: Option<String>,
    /// The lifetime.
    pub lifetime: Duration,
}

impl NewServiceToken {
    /// RFC 6749 §3.3, and the name of an audience must not contain blanks.
    fn check(&self) -> Result<()> {
        /// The longest audience or scope, in bytes.
        const MAX_TEXT: usize = 256;

        let is_token_char = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        let is_name = |text: &str| !text.is_empty() && text.bytes().all(is_token_char);
        if self.audience.as_ref().is_some_and(|audience| audience.len() > MAX_TEXT || !is_name(audience)) {
            let message = format!("audience: must be a name or URI of at most {MAX_TEXT} bytes");
            return Err(TokensError::BadRequest(message));
        }
        if self.scope.as_ref().is_some_and(|scope| scope.len() > MAX_TEXT || !scope.split(' ').all(is_name)) {
            let message =
                format!("scope: must be names with single blanks between, at most {MAX_TEXT} bytes");
            return Err(TokensError::BadRequest(message));
        }
        Ok(())
    }
}

/// The subject of a session's token.
#[derive(Clone, Debug)]
pub struct SessionSubject {
    /// The user's id.
    pub user: String,
    /// The session's id.
    pub session: String,
    /// The wallet's provider.
    pub provider: String,
    /// The wallet.
    pub wallet_id: String,
    /// How the user proved to own the wallet.
    pub auth_method: String,
    /// The identifier of the user at the provider.
    pub auth_identifier: String,
    /// The roles of the user.
    pub roles: Vec<String>,
    /// The permissions of the user.
    pub permissions: Vec<String>,
    /// The key that programs written for the Portal wallet expect.
    pub target_key: Option<String>,
}

/// A key of access tokens, as operators see it.
#[derive(Clone, Debug)]
pub struct SigningKeyState {
    /// Its id.
    pub kid: String,
    /// Its signature algorithm.
    pub algorithm: Algorithm,
    /// Its state.
    pub state: KeyState,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it signed, if it is retired.
    pub retired_at: Option<Timestamp>,
}

impl Mint {
    /// The mint with the stored keys, which are made if there are none. `service` is the service's own key and `npub`
    /// its name; `keep` is the longest lifetime of a session.
    ///
    /// # Errors
    /// [`KeysError`].
    pub async fn open(
        keys: Arc<dyn KeyStore>,
        rules: &AccessRules,
        service: PublicKey,
        npub: &str,
        keep: Duration,
        clock: SharedClock,
        timekeeper: Arc<Timekeeper>,
    ) -> Result<Self, KeysError> {
        let held = load_or_make(&*keys, rules.algorithm, &clock).await?;
        let issuer = rules.issuer.clone().unwrap_or_else(|| format!("nostr:{npub}"));
        Ok(Self {
            keys,
            audience: rules.audience.clone().unwrap_or_else(|| issuer.clone()),
            issuer,
            rules: rules.clone(),
            service_key: service,
            keep: keep.max(rules.max_service_lifetime).max(rules.lifetime),
            clock,
            timekeeper,
            held: RwLock::new(Arc::new(held)),
            changing: tokio::sync::Mutex::default(),
            verified: Cache::new(VERIFIED),
        })
    }

    /// The key set of RFC 7517 §5: the signing key, the next, and every other key with tokens that may still be
    /// valid. Keys on secp256k1 are not in it: some widely used libraries reject the whole set because of one unknown
    /// key.
    pub fn jwks(&self) -> Value {
        self.key_set(|algorithm| algorithm != Algorithm::Es256k, None)
    }

    /// The same for keys on secp256k1, including the service's own.
    pub fn secp256k1_jwks(&self) -> Value {
        self.key_set(|algorithm| algorithm == Algorithm::Es256k, Some(&self.service_key))
    }

    fn key_set(&self, is_in_it: impl Fn(Algorithm) -> bool, service: Option<&PublicKey>) -> Value {
        let held = self.held();
        let published = held.ring.published(self.clock.now().secs(), self.keep.as_secs());
        let published = published.into_iter().filter(|key| is_in_it(key.algorithm()));
        let keys: Vec<_> = published.chain(service).map(PublicKey::jwk).collect();
        json!({ "keys": keys })
    }

    /// A session's token that expires at `until` at the latest, and its lifetime in seconds.
    ///
    /// # Errors
    /// [`TokensError::Signing`].
    pub fn session_token(
        &self,
        subject: SessionSubject,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<(String, u64)> {
        let claims = Claims {
            exp: now.plus(self.rules.lifetime).min(until).secs(),
            sid: Some(subject.session),
            wallet_id: Some(subject.wallet_id),
            provider: Some(subject.provider),
            auth_method: Some(subject.auth_method),
            auth_identifier: Some(subject.auth_identifier),
            roles: Some(subject.roles),
            permissions: Some(subject.permissions),
            target_key: subject.target_key,
            ..self.claims(subject.user, now)
        };
        Ok((self.sign(&claims)?, claims.exp.saturating_sub(claims.iat)))
    }

    /// A token from service to service (RFC 9068).
    ///
    /// # Errors
    /// [`TokensError::BadRequest`], [`TokensError::Signing`].
    pub fn service_token(&self, new: NewServiceToken) -> Result<String> {
        new.check()?;
        let max = self.rules.max_service_lifetime;
        if new.lifetime.is_zero() || new.lifetime > max {
            let hours = max.as_secs() / 3600;
            return Err(TokensError::BadRequest(format!(
                "duration_hours: must be from 1 to {hours} for a jwt"
            )));
        }
        let now = self.clock.now();
        let claims = self.claims(new.target_key.clone(), now);
        self.sign(&Claims {
            aud: new.audience.unwrap_or(claims.aud),
            exp: now.plus(new.lifetime).secs(),
            client_id: Some(new.target_key.clone()),
            target_key: Some(new.target_key),
            scope: new.scope,
            ..claims
        })
    }

    fn claims(&self, sub: String, now: Timestamp) -> Claims {
        let id = uuid::Builder::from_unix_timestamp_millis(now.millis(), &thread_rng().r#gen());
        Claims {
            iss: self.issuer.clone(),
            sub,
            aud: self.audience.clone(),
            iat: now.secs(),
            nbf: now.secs(),
            exp: now.secs(),
            jti: Uuid::to_string(&id.into_uuid()),
            ..Claims::default()
        }
    }

    fn sign(&self, claims: &Claims) -> Result<String> {
        access_token::sign(self.held().ring.signer(), claims).map_err(|_| TokensError::Signing)
    }

    /// The claims of a token of this service, for any audience and at any time.
    ///
    /// # Errors
    /// [`AccessError`]: the token is not from this service.
    pub fn read(&self, token: &str) -> Result<Arc<Claims>, AccessError> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        if let Some(claims) = self.verified.get(&digest) {
            return Ok(claims);
        }
        let unverified = UnverifiedToken::parse(token)?;
        let held = self.held();
        let key = held.ring.find(unverified.kid()).ok_or(AccessError::UnknownKey)?;
        let claims = Arc::new(unverified.verify(key)?);
        self.verified.insert(digest, Arc::clone(&claims));
        Ok(claims)
    }

    /// The name under which a token from service to service is revoked: a hash of its issuer and its id.
    pub fn name_of(&self, claims: &Claims) -> [u8; 32] {
        Sha256::new()
            .chain_update("jwt\0")
            .chain_update(&claims.iss)
            .chain_update("\0")
            .chain_update(&claims.jti)
            .finalize()
            .into()
    }

    /// Checks a token that was read at this time, for any audience.
    ///
    /// # Errors
    /// [`AccessError`]: it is not valid now, or never was valid here.
    pub fn check_times(&self, claims: &Claims) -> Result<(), AccessError> {
        let expected = Expected { issuer: &self.issuer, audience: &claims.aud };
        claims.check(&expected, self.clock.now().secs(), LEEWAY_SECS)
    }

    /// The claims of a session's token, and whether it has expired.
    ///
    /// # Errors
    /// [`AccessError`]: it is not from this service, not for this audience, or not of a session.
    pub fn read_session_token(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<(Arc<Claims>, bool), AccessError> {
        let claims = self.read(token)?;
        let expected = Expected { issuer: &self.issuer, audience: &self.audience };
        let is_stale = match claims.check(&expected, now.secs(), LEEWAY_SECS) {
            Ok(()) => false,
            Err(AccessError::TokenExpired) => true,
            Err(error) => return Err(error),
        };
        // Tokens from service to service are of no session.
        if claims.sid.is_none() { Err(AccessError::MalformedClaims) } else { Ok((claims, is_stale)) }
    }

    /// Makes the next key sign from now on, and makes a new next key. `None`: a rotation `only_if_due` was not due any
    /// more, because another process has rotated the keys.
    pub(super) async fn rotate(&self, only_if_due: bool) -> Result<Option<SigningKeyState>> {
        let _alone = self.changing.lock().await;
        for _ in 0..ATTEMPTS {
            if only_if_due && !self.is_due() {
                return Ok(None);
            }
            let held = self.held();
            let ring = self.rotated(&held.ring)?;
            let replaced = self.keys.replace_keys(held.revision, ring.to_json().trim_end()).await;
            if let Some(revision) = replaced.map_err(unusable)? {
                tracing::info!(kid = ring.signer().public().kid(), "a new key signs access tokens");
                self.hold(Held { ring, revision: Some(revision) });
                return self.states().into_iter().next().map(Some).ok_or(TokensError::Signing);
            }
            self.load_again().await?;
        }
        Err(TokensError::Keys(format!("{} change all the time", self.keys.place())))
    }

    /// The ring after a rotation, without keys whose last token has expired.
    fn rotated(&self, ring: &KeyRing) -> Result<KeyRing> {
        let now = self.clock.now();
        // A key is forgotten for good, with every token that it signed.
        let kept = ring.forget(self.timekeeper.settled().secs(), self.keep.as_secs());
        kept.rotate(self.rules.algorithm, now.secs()).map_err(|error| match error {
            RotateError::RingFull => TokensError::LimitReached {
                limit: Limit::SigningKeys,
                message: "too many keys of access tokens; the oldest is dropped when its last token has expired",
                retry_after: self.room_after(now),
            },
            RotateError::NoKey(error) => TokensError::Keys(error.to_string()),
        })
    }

    /// Takes over the ring that another process has stored.
    async fn load_again(&self) -> Result<()> {
        let held = match self.keys.load_keys().await.map_err(unusable)? {
            Some(stored) => {
                let ring = parse(&*self.keys, &stored.text).map_err(unusable)?;
                Held { ring, revision: Some(stored.revision) }
            }
            None => Held { ring: self.held().ring.clone(), revision: None },
        };
        self.hold(held);
        Ok(())
    }

    /// How long until the oldest key is dropped.
    fn room_after(&self, now: Timestamp) -> Duration {
        let oldest = self.states().into_iter().filter_map(|key| key.retired_at).min();
        oldest.map_or(Duration::ZERO, |retired_at| retired_at.plus(self.keep).since(now))
    }

    /// Since when the signing key signs, and when it is due for rotation. `None`: only the operator rotates it.
    pub fn signs_from_to(&self) -> (Timestamp, Option<Timestamp>) {
        let (since, every) =
            (Timestamp::from_secs(self.held().ring.signing_since()), self.rules.rotate_every);
        (since, (!every.is_zero()).then(|| since.plus(every)))
    }

    /// Whether the signing key is due for rotation.
    pub(super) fn is_due(&self) -> bool {
        self.next_rotation().is_some_and(|due| due.is_zero())
    }

    /// How long until the signing key is due for rotation. `None`: only the operator rotates it.
    ///
    /// A clock that jumps rotates nothing before Portico trusts it again. Otherwise it could retire one key after the
    /// other until the ring is full.
    pub(super) fn next_rotation(&self) -> Option<Duration> {
        /// When the clock may be trusted again, or later.
        const LATER: Duration = Duration::from_secs(60);

        let every = self.rules.rotate_every;
        if every.is_zero() {
            return None;
        }
        let (now, since) = (self.clock.now(), Timestamp::from_secs(self.held().ring.signing_since()));
        if !self.timekeeper.is_steady() {
            return Some(LATER);
        }
        // A key that is of the future was made by a clock that was ahead: nobody knows since when it signs.
        let due = since.plus(every).since(self.timekeeper.settled());
        Some(if since > now.plus(JUMP) { Duration::ZERO } else { due })
    }

    /// The keys: the signing key, the next, and the retired ones.
    pub fn states(&self) -> Vec<SigningKeyState> {
        let held = self.held();
        let states = held.ring.keys().map(|one| SigningKeyState {
            kid: one.key.kid().to_owned(),
            algorithm: one.key.algorithm(),
            state: one.state,
            created_at: Timestamp::from_secs(one.created_at),
            retired_at: one.retired_at.map(Timestamp::from_secs),
        });
        states.collect()
    }

    fn held(&self) -> Arc<Held> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn hold(&self, held: Held) {
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(held);
    }
}

/// The stored ring, with a signing key and a next key of this algorithm. It is made if there is none.
async fn load_or_make(
    keys: &dyn KeyStore,
    algorithm: Algorithm,
    clock: &SharedClock,
) -> Result<Held, KeysError> {
    for _ in 0..ATTEMPTS {
        let now = clock.now().secs();
        let unmade = |error: String| KeysError::Unavailable(format!("cannot make {}: {error}", keys.place()));
        let (ring, known) = match keys.load_keys().await? {
            Some(stored) => {
                let ring = parse(keys, &stored.text)?;
                let is_ours = ring.signer().public().algorithm() == algorithm;
                // A ring without a next key has just got one.
                if is_ours && ring.to_json().trim_end() == stored.text.as_str() {
                    return Ok(Held { ring, revision: Some(stored.revision) });
                }
                let rotated = || ring.rotate(algorithm, now).map_err(|error| unmade(error.to_string()));
                (if is_ours { ring.clone() } else { rotated()? }, Some(stored.revision))
            }
            None => (KeyRing::new(algorithm, now).map_err(|error| unmade(error.to_string()))?, None),
        };
        if let Some(revision) = keys.replace_keys(known, ring.to_json().trim_end()).await? {
            let kid = ring.signer().public().kid();
            tracing::info!(place = keys.place(), kid, "made new keys for access tokens");
            return Ok(Held { ring, revision: Some(revision) });
        }
    }
    Err(KeysError::Unavailable(format!("{} change all the time", keys.place())))
}

fn parse(keys: &dyn KeyStore, text: &str) -> Result<KeyRing, KeysError> {
    let refused = |error| KeysError::Refused(format!("cannot use {}: {error}", keys.place()));
    KeyRing::from_json(text).map_err(refused)
}

fn unusable(error: KeysError) -> TokensError {
    TokensError::Keys(error.to_string())
}
