//! The steps of one login, as the business and the wallet see them.

use nostr_sdk::{PublicKey, RelayUrl};
use serde_json::{Value, json};

use super::scene::Scene;
use super::stage::{Stage, StageError};
use super::story::{Act, Trouble, expect, unexpected};
use super::wallet::Wallet;
use crate::client::{Client, EventStream};
use crate::events::WalletClaims;
use crate::protocol::HandshakeUrl;

/// The lifetime of session tokens that the wallet issues, in seconds.
const WEEK: u64 = 7 * 24 * 3600;

/// A login that was opened.
pub(super) struct Login {
    url: HandshakeUrl,
    events: EventStream,
}

/// A login that was approved.
pub(super) struct Approval {
    /// The user's token. Anybody who has it can log in, so this type has no `Debug`.
    pub(super) token: String,
    session: WalletClaims,
}

pub(super) async fn raise_relay(stage: &mut Stage) -> Act<RelayUrl> {
    let url = stage.raise_relay().await?;
    Ok((Scene::Relay { url: url.clone() }, url))
}

/// Returns the service's public key.
pub(super) async fn raise_daemon(stage: &mut Stage, relay: RelayUrl) -> Act<PublicKey> {
    let listen = stage.raise_daemon(relay).await?;
    let public_key = stage.daemon().ok_or(StageError::NoTcp)?.public_key();
    let (socket, token_file) = (stage.socket(), stage.token_file());
    Ok((Scene::Daemon { public_key, socket, listen, token_file }, public_key))
}

pub(super) async fn open_login(caller: &Client) -> Act<Login> {
    let answer = caller.post("/login", &json!({})).await?;
    let data = &answer.body["data"];
    let (Some(url), Some(stream_id)) = (data["url"].as_str(), data["stream_id"].as_str()) else {
        return Err(unexpected("a URL and a stream", &answer.body));
    };
    let login = Login { url: url.parse()?, events: caller.follow(stream_id, 0).await? };
    Ok((Scene::Login { url: url.to_owned(), stream_id: stream_id.to_owned() }, login))
}

pub(super) async fn scan(wallet: &Wallet, login: &mut Login) -> Act<()> {
    wallet.scan(&login.url).await?;
    let event = next(&mut login.events).await?;
    expect(event["type"] == "key_handshake", "a key_handshake event", &event)?;
    expect(names(&event["main_key"], &wallet.user_key()), "the wallet that scanned", &event)?;
    Ok((Scene::User { user_key: wallet.user_key() }, ()))
}

pub(super) async fn challenged(wallet: &Wallet) -> Act<()> {
    let seen = wallet.next_challenge().await;
    Ok((Scene::Challenge { expires_at: seen.challenge.expires_at }, ()))
}

pub(super) async fn approved(wallet: &Wallet, login: &mut Login) -> Act<Approval> {
    let event = next(&mut login.events).await?;
    expect(event["status"]["status"] == "approved", "an approval", &event)?;
    expect(names(&event["user_key"], &wallet.user_key()), "the user who was asked", &event)?;
    let session = serde_json::from_value(event["session"].clone());
    let (Ok(session), Some(token)) = (session, event["status"]["session_token"].as_str()) else {
        return Err(unexpected("a session token with verified claims", &event));
    };
    Ok((Scene::User { user_key: wallet.user_key() }, Approval { token: token.to_owned(), session }))
}

/// Checks that the claims are exactly those that the wallet signed.
pub(super) async fn check_claims(wallet: &Wallet, service: &PublicKey, approval: &Approval) -> Act<()> {
    let session = approval.session;
    let who = session.issuer == wallet.public_key() && session.subject == wallet.user_key();
    let how_long = session.issued_at.is_some_and(|from| session.expires_at.checked_sub(from) == Some(WEEK));
    let holds = who && session.audience == *service && how_long;
    expect(holds, "a week's token of the wallet for this service", &json!(session))?;
    Ok((Scene::Claims(session), ()))
}

/// The service verifies the token, and learns the user.
pub(super) async fn verify(
    caller: &Client,
    wallet: &Wallet,
    service: &PublicKey,
    approval: &Approval,
) -> Act<()> {
    let question = json!({ "pubkey": service, "token": approval.token });
    let answer = caller.post("/jwt/verify", &question).await?;
    let named = names(&answer.body["data"]["target_key"], &wallet.user_key());
    expect(answer.status == 200 && named, "the user who logged in", &answer.body)?;
    Ok((Scene::User { user_key: wallet.user_key() }, ()))
}

/// The next event; an error if the stream has ended.
pub(super) async fn next(events: &mut EventStream) -> Result<Value, Trouble> {
    events.next().await?.ok_or_else(|| unexpected("one more event", &Value::Null))
}

/// Whether a value of the API is this key.
fn names(value: &Value, key: &PublicKey) -> bool {
    value.as_str() == Some(key.to_hex().as_str())
}
