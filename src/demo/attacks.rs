//! Three attacks on the login, which the daemon must refuse.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nostr_sdk::{Keys, PublicKey};
use serde_json::{Value, json};

use super::acts::{Approval, next};
use super::scene::{RefusedAttack, Scene};
use super::story::{Act, expect, unexpected};
use super::wallet::{ChallengeSeen, Wallet, WalletAnswer, WalletReply, seal_answer};
use crate::client::{Client, ClientAnswer};
use crate::clock::{Clock, SystemClock};
use crate::portal_token::{self, SigningKey};

const YEAR: u64 = 365 * 24 * 3600;
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// A token with a later expiry than the wallet signed.
pub(super) async fn alter_token(caller: &Client, wallet: &Wallet, approval: &Approval) -> Act<()> {
    let altered = prolonged(&approval.token).ok_or_else(|| unexpected("a JWT", &Value::Null))?;
    let question = json!({ "pubkey": wallet.public_key(), "token": altered });
    refused(&caller.post("/jwt/verify", &question).await?, "invalid_signature")
}

/// A stranger signs a token for the service.
pub(super) async fn sign_token(caller: &Client, service: &PublicKey) -> Act<()> {
    let question = json!({ "pubkey": service, "token": token_of(&Keys::generate(), service) });
    refused(&caller.post("/jwt/verify", &question).await?, "unknown_wallet")
}

/// The business asks the user again. A stranger, who even knows the challenge, approves before the user
/// declines. Only the user's answer counts.
pub(super) async fn approve(caller: &Client, wallet: &Wallet) -> Act<()> {
    let stranger = Keys::generate();
    let scene = Scene::Unheard { stranger: stranger.public_key(), heard: "declined" };
    wallet.answer_with(stranger_first(stranger));
    let answer = caller.post("/authenticate-key", &json!({ "main_key": wallet.user_key() })).await?;
    let stream = answer.body["data"]["stream_id"].as_str();
    let mut events = caller.follow(stream.ok_or_else(|| unexpected("a stream", &answer.body))?, 0).await?;
    wallet.next_challenge().await;
    let event = next(&mut events).await?;
    wallet.answer_with(WalletAnswer::Approve);
    expect(event["status"]["status"] == "declined", "the user's own no", &event)?;
    match events.next().await? {
        None => Ok((scene, ())),
        Some(event) => Err(unexpected("the end of the stream", &event)),
    }
}

fn refused(reply: &ClientAnswer, code: &'static str) -> Act<()> {
    expect(reply.status == 400 && reply.body["code"] == code, code, &reply.body)?;
    Ok((Scene::Refused(RefusedAttack { status: reply.status, code: code.to_owned() }), ()))
}

/// The same token with an expiry one year later and the old signature; `None` if it is not a token.
fn prolonged(token: &str) -> Option<String> {
    let mut parts = token.split('.');
    let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    claims["exp"] = (claims["exp"].as_u64()? + YEAR).into();
    Some(format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims.to_string())))
}

/// A token for the service that is valid except for its signer.
fn token_of(stranger: &Keys, service: &PublicKey) -> String {
    let signer = SigningKey::from_secret(stranger.secret_key());
    portal_token::issue(&signer, service.as_bytes(), SystemClock.now().secs(), WEEK.as_secs())
}

/// First a stranger's approval of the user's challenge, then the user's refusal. Both on one
/// connection, so that they arrive in this order.
fn stranger_first(stranger: Keys) -> WalletAnswer {
    WalletAnswer::Custom(Arc::new(move |seen: &ChallengeSeen| {
        let yes = seen.approve(seen.session_token(&stranger, WEEK), None);
        let forged = seal_answer(&stranger, seen, &yes).map(|event| WalletReply::Event(Box::new(event)));
        let own = WalletReply::Response(seen.decline(Some("not me".into()), None));
        forged.into_iter().chain([own]).collect()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal_token::{Policy, TokenError, VerifyingKey, verify};

    #[test]
    fn a_prolonged_token_is_the_same_but_for_its_end_and_does_not_verify() {
        let (wallet, service) = (Keys::generate(), Keys::generate().public_key());
        let token = token_of(&wallet, &service);
        let forged = prolonged(&token).unwrap();
        let key = VerifyingKey::from_xonly_bytes(wallet.public_key().as_bytes()).unwrap();
        let verdict =
            |token: &str| verify(&key, token, SystemClock.now().secs(), &Policy::default(), |_| false);
        assert!(verdict(&token).is_ok());
        assert_eq!(verdict(&forged), Err(TokenError::InvalidSignature));
        let claims = |token: &str| portal_token::UnverifiedToken::parse(token).unwrap().claims().unwrap();
        assert_eq!(claims(&forged).expires_at, claims(&token).expires_at + YEAR);
    }

    #[test]
    fn what_is_not_a_token_cannot_be_prolonged() {
        assert!(["", "a.b", "a.b.c", "a.e30.c"].into_iter().all(|text| prolonged(text).is_none()));
    }
}
