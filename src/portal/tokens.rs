//! Whose token is it, and does it hold? Issues, verifies and revokes.

use std::time::Duration;

use dashmap::DashMap;
use nostr_sdk::PublicKey;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Portal, PortalError, Result};
use crate::clock::Timestamp;
use crate::config::TokenRules;
use crate::events::Session;
use crate::metrics::Limit;
use crate::portal_token::{self, Claims, Policy, SignatureCache, TokenError, UnverifiedToken, VerifyingKey};
use crate::protocol::SessionToken;
use crate::store::{Live, Revocation, WalletLogin};

/// Wallets whose users are remembered, to spare the store a look-up.
const SIGNERS: usize = 50_000;

/// How long a revocation is kept beyond the expiry of its token, for a clock that goes back.
const KEPT_BEYOND: Duration = Duration::from_secs(7 * 24 * 3600);

/// Who signs the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenType {
    /// A user's wallet, for a service.
    Wallet,
    /// This service, for a user.
    Service,
}

/// A token that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct VerifiedToken {
    /// The claim as it stands, or the user where a wallet-issued token was asked about as this service.
    pub target_key: PublicKey,
    /// Who signed it, whom it speaks for, whom it is for, and when.
    #[serde(flatten)]
    pub session: Session,
    /// Who signs such tokens.
    pub token_type: TokenType,
}

/// What a revocation names: SHA-256 of who signed a token and of what was signed.
///
/// Not the latter alone: two wallets that approve within the same second sign the very same text, and
/// revoking one user's token must not touch the other's. And not the signature, which can be altered
/// without the key.
type RevocationId = [u8; 32];

/// A token that was revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Whether it was not before.
    pub fresh: bool,
    /// What sessions that rest on it know it by: one of these.
    pub names: Vec<[u8; 32]>,
}

/// What is remembered of tokens: a cache of signatures and wallets, and everything revoked.
#[derive(Debug)]
pub(super) struct Tokens {
    signatures: SignatureCache,
    /// Of most keys that can have signed a token it is known that they are nobody's.
    signers: Live<PublicKey, Option<PublicKey>>,
    revoked: DashMap<RevocationId, Timestamp>,
    max_revocations: usize,
    wallet_policy: Policy,
    service_policy: Policy,
    max_issued: Duration,
}

impl Tokens {
    pub(super) fn new(rules: &TokenRules, revocations: Vec<Revocation>) -> Self {
        let policy = |lifetime: Duration| Policy {
            leeway_secs: rules.leeway.as_secs(),
            max_lifetime_secs: Some(lifetime.as_secs()),
        };
        Self {
            signatures: SignatureCache::new(rules.signature_cache),
            signers: Live::new(SIGNERS),
            revoked: revocations.into_iter().map(|row| (row.digest, row.expires_at)).collect(),
            max_revocations: rules.max_revocations,
            wallet_policy: policy(rules.max_wallet_lifetime),
            service_policy: policy(rules.max_issued_lifetime),
            max_issued: rules.max_issued_lifetime,
        }
    }

    /// A wallet has completed a login: its tokens are known from now on.
    pub(super) fn learn_signer(&self, login: WalletLogin) {
        self.signers.replace(login.signer, Some(login.user));
    }

    /// How long until the first of the revoked tokens has expired.
    fn room_after(&self, now: Timestamp) -> Duration {
        let first = self.revoked.iter().map(|revoked| *revoked.value()).min();
        first.map_or(Duration::ZERO, |first| first.minus(KEPT_BEYOND).since(now))
    }

    /// Whether one more can be revoked, at the cost of revocations whose token has certainly expired.
    fn has_room(&self, settled: Timestamp) -> bool {
        if self.revoked.len() >= self.max_revocations {
            self.tidy(settled.plus(KEPT_BEYOND));
        }
        self.revoked.len() < self.max_revocations
    }

    /// How often a signature was known, and how often not.
    pub(super) fn signature_cache(&self) -> (u64, u64) {
        self.signatures.hits_and_misses()
    }

    /// Forgets revocations that nothing needs at `now`, a time that has certainly passed.
    pub(super) fn tidy(&self, now: Timestamp) {
        self.revoked.retain(|_, expires_at| *expires_at > now);
    }

    /// Whether a wallet's token that was verified holds now: its times, and that it was not revoked.
    pub(super) fn holds_still(
        &self,
        id: &RevocationId,
        session: &Session,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        let claims = Claims {
            target_key: session.audience.to_bytes(),
            issued_at: session.issued_at,
            not_before: session.not_before,
            expires_at: session.expires_at,
        };
        claims.check_times(now.secs(), &self.wallet_policy)?;
        if self.revoked.contains_key(id) { Err(TokenError::TokenRevoked) } else { Ok(()) }
    }

    /// What holds for every token: its times, and that it was not revoked.
    fn judge(
        &self,
        token: &UnverifiedToken,
        signer: &PublicKey,
        claims: &Claims,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        claims.check_times(now.secs(), policy)?;
        let revoked = self.revoked.contains_key(&revocation_id(signer.as_bytes(), token));
        if revoked { Err(TokenError::TokenRevoked) } else { Ok(()) }
    }
}

impl Portal {
    /// Issues a token that is signed by this service and names `target_key`.
    pub fn issue(&self, target_key: PublicKey, lifetime: Duration) -> Result<String> {
        let max = self.tokens.max_issued;
        if lifetime.is_zero() || lifetime > max {
            let hours = max.as_secs() / 3600;
            return Err(PortalError::BadRequest(format!("duration_hours: must be from 1 to {hours}")));
        }
        let now = self.clock.now().secs();
        Ok(portal_token::issue(&self.identity.signing, target_key.as_bytes(), now, lifetime.as_secs()))
    }

    /// Whether a token holds, asked about `pubkey`: a wallet, another service, or this one.
    pub async fn verify(&self, pubkey: PublicKey, text: &str) -> Result<VerifiedToken> {
        let token = UnverifiedToken::parse(text)?;
        if self.identity.is(&pubkey) {
            return self.verify_as_service(&token).await;
        }
        let key = verifying_key(&pubkey).ok_or(TokenError::InvalidSignature)?;
        self.tokens.signatures.verify(&token, &key)?;
        let claims = token.claims()?;
        let policy = self.policy_for_issuer(&pubkey, &claims).await?;
        self.tokens.judge(&token, &pubkey, &claims, policy, self.clock.now())?;
        let target = target_of(&claims)?;
        let token_type = self.type_by_keys(&pubkey, &target).await?;
        let session = match token_type {
            TokenType::Wallet => session(&claims, pubkey, pubkey, target),
            TokenType::Service => session(&claims, pubkey, target, pubkey),
        };
        Ok(VerifiedToken { target_key: target, session, token_type })
    }

    /// Who signs a token that is asked about by its issuer's key. The token does not say: a wallet's token for a
    /// service and a service's token for a user look alike. What is known here decides. Only services sign tokens for
    /// users, so a key that logged in here as a wallet tells that the other one is a service. Where neither key is
    /// known, the one that was asked about is taken for a wallet's.
    async fn type_by_keys(&self, issuer: &PublicKey, target: &PublicKey) -> Result<TokenType> {
        if self.identity.is(target) || self.user_of_signer(issuer).await?.is_some() {
            return Ok(TokenType::Wallet);
        }
        let is_for_a_user = self.user_of_signer(target).await?.is_some();
        Ok(if is_for_a_user { TokenType::Service } else { TokenType::Wallet })
    }

    /// How long a token may live that a caller asks about by its issuer's key: as long as one that this service
    /// would issue. Only what wallets that log in here make for us is held to less.
    async fn policy_for_issuer(&self, issuer: &PublicKey, claims: &Claims) -> Result<&Policy> {
        let is_from_a_wallet = self.is_for_us(claims) && self.user_of_signer(issuer).await?.is_some();
        Ok(if is_from_a_wallet { &self.tokens.wallet_policy } else { &self.tokens.service_policy })
    }

    async fn verify_as_service(&self, token: &UnverifiedToken) -> Result<VerifiedToken> {
        let ours = self.identity.verifying_key();
        let claims = token.claims();
        if claims.as_ref().is_ok_and(|claims| self.is_for_us(claims)) {
            let candidates = self.tokens.signatures.signer_candidates(token)?;
            if !candidates.contains(&ours) {
                return self.verify_of_known_wallet(token, &claims?, &candidates).await;
            }
        } else if let Err(error) = self.tokens.signatures.verify(token, &ours) {
            return Err(match claims {
                // Neither signed by us nor made for us, so there is nobody here whose token it could be.
                Ok(_) if token.has_usable_signature() => TokenError::WrongAudience,
                // A signature that is right comes before claims that are wrong.
                Err(malformed) if self.is_of_known_wallet(token).await? => malformed,
                _ => error,
            }
            .into());
        }
        let claims = claims?;
        self.tokens.judge(
            token,
            &self.identity.key(),
            &claims,
            &self.tokens.service_policy,
            self.clock.now(),
        )?;
        let user = target_of(&claims)?;
        let us = self.identity.main_key();
        let session = session(&claims, self.identity.key(), user, us);
        Ok(VerifiedToken { target_key: user, session, token_type: TokenType::Service })
    }

    async fn is_of_known_wallet(&self, token: &UnverifiedToken) -> Result<bool> {
        let Ok(candidates) = self.tokens.signatures.signer_candidates(token) else { return Ok(false) };
        Ok(!self.known_among(&candidates).await?.is_empty())
    }

    /// Those of the keys that signed a session token here.
    async fn known_among(&self, candidates: &[VerifyingKey]) -> Result<Vec<WalletLogin>> {
        let mut known = Vec::with_capacity(1);
        for candidate in candidates {
            let Ok(signer) = PublicKey::from_slice(&candidate.to_xonly_bytes()) else { continue };
            if let Some(user) = self.user_of_signer(&signer).await? {
                known.push(WalletLogin { signer, user });
            }
        }
        Ok(known)
    }

    /// A wallet-issued token for us: of the keys that can have signed it, exactly one must be known.
    async fn verify_of_known_wallet(
        &self,
        token: &UnverifiedToken,
        claims: &Claims,
        candidates: &[VerifyingKey],
    ) -> Result<VerifiedToken> {
        let [WalletLogin { signer, user }] = self.known_among(candidates).await?[..] else {
            return Err(TokenError::UnknownWallet.into());
        };
        self.tokens.judge(token, &signer, claims, &self.tokens.wallet_policy, self.clock.now())?;
        let session = session(claims, signer, user, target_of(claims)?);
        Ok(VerifiedToken { target_key: user, session, token_type: TokenType::Wallet })
    }

    /// Judges the session token of an approval, before anybody hears "approved": signed by the key that
    /// answered or by the main key it answers for, and made for this service.
    pub(super) fn verify_session(
        &self,
        text: &SessionToken,
        author: &PublicKey,
        user: &PublicKey,
    ) -> Result<Session, TokenError> {
        let token = UnverifiedToken::parse(text.expose())?;
        let signed_by = |key: &PublicKey| match verifying_key(key) {
            Some(verifying) => self.tokens.signatures.verify(&token, &verifying),
            None => Err(TokenError::InvalidSignature),
        };
        let issuer = match signed_by(author) {
            Ok(()) => author,
            Err(error) if author == user => return Err(error),
            Err(_) => signed_by(user).map(|()| user)?,
        };
        let claims = token.claims()?;
        if !self.is_for_us(&claims) {
            return Err(TokenError::WrongAudience);
        }
        self.tokens.judge(&token, issuer, &claims, &self.tokens.wallet_policy, self.clock.now())?;
        Ok(session(&claims, *issuer, *user, target_of(&claims)?))
    }

    /// Revokes a token, whoever signed it: from now on it does not verify here.
    pub async fn revoke(&self, text: &str) -> Result<Revoked> {
        let token = UnverifiedToken::parse(text)?;
        let claims = token.claims()?;
        let expires_at = Timestamp::from_secs(claims.expires_at);
        if expires_at <= self.clock.now() {
            return Err(TokenError::TokenExpired.into());
        }
        self.has_room_to_revoke()?;
        let mut revoked = Revoked { fresh: false, names: Vec::with_capacity(2) };
        for signer in self.may_have_signed(&token).await? {
            let digest = revocation_id(&signer, &token);
            revoked.fresh |= self.keep_revoked(digest, expires_at).await?;
            revoked.names.push(digest);
        }
        Ok(revoked)
    }

    /// The key that signed a token, if it is known here; else every one that can have: the others are nobody's.
    async fn may_have_signed(&self, token: &UnverifiedToken) -> Result<Vec<[u8; 32]>> {
        let candidates = self.tokens.signatures.signer_candidates(token)?;
        let ours = self.identity.verifying_key();
        if candidates.contains(&ours) {
            return Ok(vec![ours.to_xonly_bytes()]);
        }
        Ok(match self.known_among(&candidates).await?[..] {
            [WalletLogin { signer, .. }] => vec![signer.to_bytes()],
            _ => candidates.iter().map(VerifyingKey::to_xonly_bytes).collect(),
        })
    }

    /// Whether what this names was revoked.
    pub fn is_revoked(&self, id: &[u8; 32]) -> bool {
        self.tokens.revoked.contains_key(id)
    }

    /// Revokes what this names, which holds until then by itself. `false`: it was revoked before.
    pub async fn revoke_named(&self, digest: [u8; 32], expires_at: Timestamp) -> Result<bool> {
        self.has_room_to_revoke()?;
        self.keep_revoked(digest, expires_at).await
    }

    fn has_room_to_revoke(&self) -> Result<()> {
        if self.tokens.has_room(self.timekeeper.settled()) {
            return Ok(());
        }
        Err(PortalError::LimitReached {
            limit: Limit::Revocations,
            message: "too many tokens are revoked (tokens.max_revocations)",
            retry_after: Some(self.tokens.room_after(self.clock.now())),
        })
    }

    async fn keep_revoked(&self, digest: RevocationId, expires_at: Timestamp) -> Result<bool> {
        let expires_at = expires_at.plus(KEPT_BEYOND);
        let fresh = self.store.revoke(&Revocation { digest, expires_at }, self.clock.now()).await?;
        self.tokens.revoked.insert(digest, expires_at);
        Ok(fresh)
    }

    async fn user_of_signer(&self, signer: &PublicKey) -> Result<Option<PublicKey>> {
        let read = async { self.store.user_of_signer(signer).await.map(Some) };
        Ok(self.tokens.signers.get(*signer, read).await?.and_then(|user| *user))
    }

    fn is_for_us(&self, claims: &Claims) -> bool {
        target_of(claims).is_ok_and(|target| self.identity.is(&target))
    }
}

pub(super) fn revocation_id(signer: &[u8; 32], token: &UnverifiedToken) -> RevocationId {
    Sha256::new().chain_update(signer).chain_update(token.id().as_bytes()).finalize().into()
}

fn target_of(claims: &Claims) -> Result<PublicKey, TokenError> {
    PublicKey::from_slice(&claims.target_key).map_err(|_| TokenError::MalformedClaims)
}

/// `None`: these 32 bytes name no curve point.
fn verifying_key(key: &PublicKey) -> Option<VerifyingKey> {
    VerifyingKey::from_xonly_bytes(key.as_bytes()).ok()
}

fn session(claims: &Claims, issuer: PublicKey, subject: PublicKey, audience: PublicKey) -> Session {
    Session {
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
    use super::*;

    #[test]
    fn a_token_that_is_remembered_runs_out_like_any_other() {
        let tokens = Tokens::new(&TokenRules::default(), Vec::new());
        let key = PublicKey::from_byte_array([7; 32]);
        let session = Session {
            issuer: key,
            subject: key,
            audience: key,
            issued_at: Some(1_000),
            not_before: Some(1_000),
            expires_at: 2_000,
        };
        let at = |secs| tokens.holds_still(&[1; 32], &session, Timestamp::from_secs(secs));
        assert_eq!(at(1_999), Ok(()));
        assert_eq!(at(2_000), Err(TokenError::TokenExpired));
        assert_eq!(at(900), Err(TokenError::TokenNotYetValid), "where the clock was set back");
        tokens.revoked.insert([1; 32], Timestamp::from_secs(2_000));
        assert_eq!(at(1_999), Err(TokenError::TokenRevoked));
    }
}
