//! Tokens in Portal's form: issues, verifies and revokes them.

use std::sync::Arc;
use std::time::Duration;

use nostr_sdk::PublicKey;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::revocations::{RevokedTokens, TokenName};
use super::{Result, TokensError};
use crate::actor::Actor;
use crate::clock::{SharedClock, Timestamp};
use crate::config::TokenRules;
use crate::events::WalletClaims;
use crate::identity::Identity;
use crate::metrics::Reading;
use crate::portal_token::{self, Claims, Policy, SignatureCache, TokenError, UnverifiedToken, VerifyingKey};
use crate::protocol::SessionToken;
use crate::store::{KnownWallets, WalletLogin};

/// Who signs the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenType {
    /// A user's wallet, for a service.
    Wallet,
    /// This service, for a user.
    Service,
}

/// A valid token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct VerifiedToken {
    /// The claim, or the user if a wallet's token was asked about with this service's key.
    pub target_key: PublicKey,
    /// Its signer, subject, audience and times.
    #[serde(flatten)]
    pub claims: WalletClaims,
    /// Who issues such tokens: a wallet or a service.
    pub token_type: TokenType,
}

/// The result of a revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// `true` if the token was not revoked before.
    pub fresh: bool,
    /// The names by which a session can depend on it: it is one of these.
    pub names: Vec<TokenName>,
}

/// What a wallet confirmed: the claims of its token, and the name under which it is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// Its signer, subject, audience and times.
    pub claims: WalletClaims,
    /// The name under which it is revoked.
    pub name: TokenName,
    /// If a subkey signed it: when the proof of the subkey expires. The claims do not last longer.
    pub until: Option<Timestamp>,
}

/// Tokens in Portal's form: those of wallets, and those of this service.
#[derive(Debug)]
pub struct PortalTokens {
    identity: Arc<Identity>,
    signatures: SignatureCache,
    revoked: Arc<RevokedTokens>,
    wallets: Arc<dyn KnownWallets>,
    clock: SharedClock,
    wallet_policy: Policy,
    service_policy: Policy,
    max_issued: Duration,
}

impl PortalTokens {
    /// Tokens under these rules, of this service and the wallets that it knows.
    pub fn new(
        rules: &TokenRules,
        identity: Arc<Identity>,
        revoked: Arc<RevokedTokens>,
        wallets: Arc<dyn KnownWallets>,
        clock: SharedClock,
    ) -> Arc<Self> {
        let policy = |lifetime: Duration| Policy {
            leeway_secs: rules.leeway.as_secs(),
            max_lifetime_secs: Some(lifetime.as_secs()),
        };
        Arc::new(Self {
            identity,
            signatures: SignatureCache::new(rules.signature_cache),
            revoked,
            wallets,
            clock,
            wallet_policy: policy(rules.max_wallet_lifetime),
            service_policy: policy(rules.max_issued_lifetime),
            max_issued: rules.max_issued_lifetime,
        })
    }

    /// How many signatures were found in the cache, and how many were not.
    pub fn read_into(&self, reading: &mut Reading) {
        let help = "Look-ups of token signatures in the cache; result is hit or miss.";
        let (hits, misses) = self.signatures.hits_and_misses();
        reading.counter("portico_signature_cache_total", help, &[("result", "hit")], hits as f64);
        reading.counter("portico_signature_cache_total", help, &[("result", "miss")], misses as f64);
    }

    /// The revocations of tokens of every kind.
    pub fn revoked(&self) -> &Arc<RevokedTokens> {
        &self.revoked
    }

    /// Checks the times and the revocation of a wallet's token with a verified signature.
    ///
    /// # Errors
    /// [`TokenError`]: why it is not valid.
    pub fn holds_still(&self, vouched: &Vouched) -> Result<(), TokenError> {
        times(&vouched.claims).check_times(self.clock.now().secs(), &self.wallet_policy)?;
        self.is_not_revoked(&vouched.name)
    }

    /// Checks the times and the revocation, which apply to every token. Returns its name.
    fn judge(
        &self,
        token: &UnverifiedToken,
        signer: &PublicKey,
        claims: &Claims,
        policy: &Policy,
    ) -> Result<TokenName, TokenError> {
        claims.check_times(self.clock.now().secs(), policy)?;
        let name = name_of(signer.as_bytes(), token);
        self.is_not_revoked(&name).map(|()| name)
    }

    fn is_not_revoked(&self, name: &TokenName) -> Result<(), TokenError> {
        if self.revoked.contains(name) { Err(TokenError::TokenRevoked) } else { Ok(()) }
    }

    /// Issues a token for `target_key`, signed by this service.
    pub fn issue(&self, target_key: PublicKey, lifetime: Duration) -> Result<String> {
        let max = self.max_issued;
        if lifetime.is_zero() || lifetime > max {
            let hours = max.as_secs() / 3600;
            return Err(TokensError::BadRequest(format!("duration_hours: must be from 1 to {hours}")));
        }
        let now = self.clock.now().secs();
        Ok(portal_token::issue(&self.identity.signing, target_key.as_bytes(), now, lifetime.as_secs()))
    }

    /// Verifies a token with `pubkey`: the key of a wallet, of another service, or of this one.
    pub async fn verify(&self, pubkey: PublicKey, text: &str) -> Result<VerifiedToken> {
        let token = UnverifiedToken::parse(text)?;
        if self.identity.is(&pubkey) {
            let (token_type, Vouched { claims, .. }) = self.verify_as_service(&token).await?;
            return Ok(VerifiedToken { target_key: claims.subject, claims, token_type });
        }
        let key = verifying_key(&pubkey).ok_or(TokenError::InvalidSignature)?;
        self.signatures.verify(&token, &key)?;
        let claims = token.claims()?;
        let known = if self.is_for_us(&claims) { self.wallets.signer(&pubkey).await? } else { None };
        // The longest lifetime is that of tokens that this service issues. Only tokens of wallets that log in here, for
        // this service, have the shorter bound.
        let policy = if known.is_some() { &self.wallet_policy } else { &self.service_policy };
        self.judge(&token, &pubkey, &claims, policy)?;
        let claims = self.while_proven(&claims, known.and_then(|signer| signer.until))?;
        let target = target_of(&claims)?;
        let token_type = self.type_by_keys(&pubkey, &target).await?;
        let claims = match token_type {
            TokenType::Wallet => wallet_claims(&claims, pubkey, pubkey, target),
            TokenType::Service => wallet_claims(&claims, pubkey, target, pubkey),
        };
        Ok(VerifiedToken { target_key: target, claims, token_type })
    }

    /// What a wallet confirms with a token that it issued for this service. `None`: the token is valid, but this
    /// service issued it.
    ///
    /// # Errors
    /// The token is not valid, or the store could not be read.
    pub async fn vouched(&self, text: &str) -> Result<Option<Vouched>> {
        let (token_type, vouched) = self.verify_as_service(&UnverifiedToken::parse(text)?).await?;
        Ok((token_type == TokenType::Wallet).then_some(vouched))
    }

    /// Decides who signed a token that verifies with its issuer's key. The token does not say: a wallet's token for a
    /// service and a service's token for a user look the same. Only services sign tokens for users, so if the target
    /// key logged in here as a wallet, the signer is a service. If neither key is known, the signer is assumed to be
    /// a wallet.
    async fn type_by_keys(&self, issuer: &PublicKey, target: &PublicKey) -> Result<TokenType> {
        if self.identity.is(target) || self.user_of_signer(issuer).await?.is_some() {
            return Ok(TokenType::Wallet);
        }
        let is_for_a_user = self.user_of_signer(target).await?.is_some();
        Ok(if is_for_a_user { TokenType::Service } else { TokenType::Wallet })
    }

    async fn verify_as_service(&self, token: &UnverifiedToken) -> Result<(TokenType, Vouched)> {
        let ours = self.identity.verifying_key();
        let claims = token.claims();
        if claims.as_ref().is_ok_and(|claims| self.is_for_us(claims)) {
            let candidates = self.signatures.signer_candidates(token)?;
            if !candidates.contains(&ours) {
                return Ok((
                    TokenType::Wallet,
                    self.verify_of_known_wallet(token, &claims?, &candidates).await?,
                ));
            }
        } else if let Err(error) = self.signatures.verify(token, &ours) {
            return Err(match claims {
                // Neither signed by this service nor made for it, so it belongs to nobody here.
                Ok(_) if token.has_usable_signature() => TokenError::WrongAudience,
                // A signature that is right comes before claims that are wrong.
                Err(malformed) if self.is_of_known_wallet(token).await? => malformed,
                _ => error,
            }
            .into());
        }
        let claims = claims?;
        let name = self.judge(token, &self.identity.key(), &claims, &self.service_policy)?;
        let user = target_of(&claims)?;
        let us = self.identity.main_key();
        let claims = wallet_claims(&claims, self.identity.key(), user, us);
        Ok((TokenType::Service, Vouched { claims, name, until: None }))
    }

    async fn is_of_known_wallet(&self, token: &UnverifiedToken) -> Result<bool> {
        let Ok(candidates) = self.signatures.signer_candidates(token) else { return Ok(false) };
        Ok(!self.known_among(&candidates).await?.is_empty())
    }

    /// The keys, among these, that signed a session token here.
    async fn known_among(&self, candidates: &[VerifyingKey]) -> Result<Vec<WalletLogin>> {
        let mut known = Vec::with_capacity(1);
        for candidate in candidates {
            let Ok(signer) = PublicKey::from_slice(&candidate.to_xonly_bytes()) else { continue };
            known.extend(self.wallets.signer(&signer).await?);
        }
        Ok(known)
    }

    /// Verifies a wallet's token for this service. Exactly one of the keys that can have signed it must be known.
    async fn verify_of_known_wallet(
        &self,
        token: &UnverifiedToken,
        claims: &Claims,
        candidates: &[VerifyingKey],
    ) -> Result<Vouched> {
        let [signer] = self.known_among(candidates).await?[..] else {
            return Err(TokenError::UnknownWallet.into());
        };
        Ok(self.vouched_by(signer, token, claims)?)
    }

    /// Verifies the session token of an approval, before any caller hears "approved". The key that answered, for its
    /// user, or that user's main key must have signed it, for this service.
    ///
    /// # Errors
    /// [`TokenError`]: why it is not valid.
    pub fn verify_session(&self, text: &SessionToken, author: &WalletLogin) -> Result<Vouched, TokenError> {
        let main = WalletLogin { signer: author.user, user: author.user, until: None };
        let token = UnverifiedToken::parse(text.expose())?;
        let signed_by = |key: &PublicKey| match verifying_key(key) {
            Some(verifying) => self.signatures.verify(&token, &verifying),
            None => Err(TokenError::InvalidSignature),
        };
        let issuer = match signed_by(&author.signer) {
            Ok(()) => *author,
            Err(error) if author.signer == author.user => return Err(error),
            Err(_) => signed_by(&main.signer).map(|()| main)?,
        };
        let claims = token.claims()?;
        if !self.is_for_us(&claims) {
            return Err(TokenError::WrongAudience);
        }
        self.vouched_by(issuer, &token, &claims)
    }

    /// What this wallet confirms with a token that it signed.
    fn vouched_by(
        &self,
        wallet: WalletLogin,
        token: &UnverifiedToken,
        claims: &Claims,
    ) -> Result<Vouched, TokenError> {
        let WalletLogin { signer, user, until } = wallet;
        let name = self.judge(token, &signer, claims, &self.wallet_policy)?;
        let claims = self.while_proven(claims, until)?;
        let claims = wallet_claims(&claims, signer, user, target_of(&claims)?);
        Ok(Vouched { claims, name, until })
    }

    /// The claims of a token, which last no longer than the proof of the subkey that signed it. `iat` does not matter:
    /// the holder of an expired subkey can write any time there.
    fn while_proven(&self, claims: &Claims, until: Option<Timestamp>) -> Result<Claims, TokenError> {
        let Some(until) = until else { return Ok(*claims) };
        if until <= self.clock.now() {
            return Err(TokenError::TokenExpired);
        }
        Ok(Claims { expires_at: claims.expires_at.min(until.secs()), ..*claims })
    }

    /// Revokes a token of any signer: it does not verify here any more.
    pub async fn revoke(&self, text: &str, actor: &Actor) -> Result<Revoked> {
        let token = UnverifiedToken::parse(text)?;
        let claims = token.claims()?;
        let expires_at = Timestamp::from_secs(claims.expires_at);
        if expires_at <= self.clock.now() {
            return Err(TokenError::TokenExpired.into());
        }
        self.revoked.check_room()?;
        let mut revoked = Revoked { fresh: false, names: Vec::with_capacity(2) };
        for signer in self.may_have_signed(&token).await? {
            let digest = name_of(&signer, &token);
            revoked.fresh |= self.revoked.keep(digest, expires_at, actor).await?;
            revoked.names.push(digest);
        }
        Ok(revoked)
    }

    /// The key that signed a token, if it is known here; else every key that can have signed it, because none of them
    /// is known.
    async fn may_have_signed(&self, token: &UnverifiedToken) -> Result<Vec<[u8; 32]>> {
        let candidates = self.signatures.signer_candidates(token)?;
        let ours = self.identity.verifying_key();
        if candidates.contains(&ours) {
            return Ok(vec![ours.to_xonly_bytes()]);
        }
        Ok(match self.known_among(&candidates).await?[..] {
            [WalletLogin { signer, .. }] => vec![signer.to_bytes()],
            _ => candidates.iter().map(VerifyingKey::to_xonly_bytes).collect(),
        })
    }

    async fn user_of_signer(&self, signer: &PublicKey) -> Result<Option<PublicKey>> {
        Ok(self.wallets.user_of_signer(signer).await?)
    }

    fn is_for_us(&self, claims: &Claims) -> bool {
        target_of(claims).is_ok_and(|target| self.identity.is(&target))
    }
}

/// SHA-256 of the signer of a token and of the signed text.
///
/// The signed text alone is not enough: two wallets that approve in the same second sign the same text, and revoking
/// one user's token must not affect the other's. The signature is not used, because it can be altered without the
/// key.
fn name_of(signer: &[u8; 32], token: &UnverifiedToken) -> TokenName {
    Sha256::new().chain_update(signer).chain_update(token.id().as_bytes()).finalize().into()
}

fn target_of(claims: &Claims) -> Result<PublicKey, TokenError> {
    PublicKey::from_slice(&claims.target_key).map_err(|_| TokenError::MalformedClaims)
}

/// `None`: these 32 bytes are not a point of the curve.
fn verifying_key(key: &PublicKey) -> Option<VerifyingKey> {
    VerifyingKey::from_xonly_bytes(key.as_bytes()).ok()
}

/// The claims of the token that these claims were read from.
fn times(claims: &WalletClaims) -> Claims {
    Claims {
        target_key: claims.audience.to_bytes(),
        issued_at: claims.issued_at,
        not_before: claims.not_before,
        expires_at: claims.expires_at,
    }
}

fn wallet_claims(
    claims: &Claims,
    issuer: PublicKey,
    subject: PublicKey,
    audience: PublicKey,
) -> WalletClaims {
    WalletClaims {
        issuer,
        subject,
        audience,
        issued_at: claims.issued_at,
        not_before: claims.not_before,
        expires_at: claims.expires_at,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use nostr_sdk::Keys;

    use super::*;
    use crate::clock::{Clock, Timekeeper};
    use crate::store::sqlite::{SqliteOptions, SqliteStore};

    /// A clock that shows these seconds.
    #[derive(Debug)]
    struct Shows(AtomicU64);

    impl Clock for Shows {
        fn now(&self) -> Timestamp {
            Timestamp::from_secs(self.0.load(Ordering::Relaxed))
        }
    }

    #[tokio::test]
    async fn a_token_that_is_remembered_runs_out_and_is_revoked_like_any_other() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("db"), SqliteOptions::default()).unwrap();
        let (store, clock) = (Arc::new(store), Arc::new(Shows(AtomicU64::new(1_000))));
        let keeper = Arc::new(Timekeeper::new(clock.clone(), None).0);
        let revoked = RevokedTokens::load(10, store.clone(), clock.clone(), keeper).await.unwrap();
        let identity = Arc::new(Identity::main(Keys::generate()));
        let rules = TokenRules::default();
        let tokens = PortalTokens::new(&rules, identity, Arc::clone(&revoked), store, clock.clone());
        let key = PublicKey::from_byte_array([7; 32]);
        let claims = WalletClaims {
            issuer: key,
            subject: key,
            audience: key,
            issued_at: Some(1_000),
            not_before: Some(1_000),
            expires_at: 2_000,
        };
        let vouched = Vouched { claims, name: [1; 32], until: None };
        let at = |secs| {
            clock.0.store(secs, Ordering::Relaxed);
            tokens.holds_still(&vouched)
        };
        assert_eq!(at(1_999), Ok(()));
        assert_eq!(at(2_000), Err(TokenError::TokenExpired));
        assert_eq!(at(900), Err(TokenError::TokenNotYetValid), "where the clock was set back");
        assert_eq!(at(1_999), Ok(()));
        revoked.add([1; 32], Timestamp::from_secs(2_000), &Actor::daemon()).await.unwrap();
        assert_eq!(at(1_999), Err(TokenError::TokenRevoked));
    }
}
