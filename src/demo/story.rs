//! One login, step by step, then three attacks on it. A step that does not hold ends the story.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::timeout;

use super::scene::{Scene, StepName, Told};
use super::stage::{Stage, StageError};
use super::wallet::WalletError;
use super::{acts, attacks};
use crate::client::{CallError, Client};
use crate::protocol::UrlError;

/// How long a step may take; on any machine it takes milliseconds.
const STEP: Duration = Duration::from_secs(15);

/// The step that did not hold, and why.
#[derive(Debug, thiserror::Error)]
#[error("{}: {trouble}", step.title())]
pub struct StoryError {
    /// Which step.
    pub step: StepName,
    /// Why not.
    pub trouble: Trouble,
}

/// Why a step did not hold.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Relay or daemon did not come up.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The wallet.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// The daemon could not be asked.
    #[error(transparent)]
    Call(#[from] CallError),
    /// What the daemon handed out is no handshake URL.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// It took too long.
    #[error("nothing happened within {} seconds", STEP.as_secs())]
    TimedOut,
    /// The daemon answered, but not as it should.
    #[error("expected {expected}, got {got}")]
    Unexpected {
        /// What would have been right.
        expected: &'static str,
        /// What came, without secrets.
        got: Value,
    },
}

/// What a step comes to: what it shows, and what the next ones build on.
pub(super) type Act<T> = Result<(Scene, T), Trouble>;

/// Tells the story on a stage; `show` sees each step as soon as it holds.
///
/// # Errors
///
/// The first step that does not hold.
pub async fn tell(stage: &mut Stage, show: &mut impl FnMut(&Told)) -> Result<(), StoryError> {
    let relay = step(StepName::Relay, show, acts::raise_relay(stage)).await?;
    let service = step(StepName::Daemon, show, acts::raise_daemon(stage, relay)).await?;

    let (wallet, caller) =
        (stage.wallet(), Client::new(&stage.socket(), vec![nix::unistd::geteuid().as_raw()]));
    let mut login = step(StepName::Login, show, acts::open_login(&caller)).await?;
    step(StepName::Scanned, show, acts::scan(wallet, &mut login)).await?;
    step(StepName::Challenged, show, acts::challenged(wallet)).await?;
    let approval = step(StepName::Approved, show, acts::approved(wallet, &mut login)).await?;
    step(StepName::Claims, show, acts::check_claims(wallet, &service, &approval)).await?;
    step(StepName::Verified, show, acts::verify(&caller, wallet, &service, &approval)).await?;

    step(StepName::AlteredToken, show, attacks::alter_token(&caller, wallet, &approval)).await?;
    step(StepName::StrangersToken, show, attacks::sign_token(&caller, &service)).await?;
    step(StepName::StrangersApproval, show, attacks::approve(&caller, wallet)).await
}

/// Plays one act against the clock.
async fn step<T>(
    step: StepName,
    show: &mut impl FnMut(&Told),
    act: impl Future<Output = Act<T>>,
) -> Result<T, StoryError> {
    let began = Instant::now();
    let played = timeout(STEP, act).await.unwrap_or(Err(Trouble::TimedOut));
    let (scene, outcome) = played.map_err(|trouble| StoryError { step, trouble })?;
    show(&Told { step, took: began.elapsed(), scene });
    Ok(outcome)
}

/// Goes on if what came is what should have come.
pub(super) fn expect(holds: bool, expected: &'static str, got: &Value) -> Result<(), Trouble> {
    if holds { Ok(()) } else { Err(unexpected(expected, got)) }
}

/// What came instead, without the session token that may be in it.
pub(super) fn unexpected(expected: &'static str, got: &Value) -> Trouble {
    let mut got = got.clone();
    if let Some(status) = got.get_mut("status").and_then(Value::as_object_mut) {
        status.remove("session_token");
    }
    Trouble::Unexpected { expected, got }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_goes_wrong_does_not_print_the_session_token() {
        let event = serde_json::json!({ "status": { "status": "approved", "session_token": "s3cret" } });
        let trouble = expect(false, "another user", &event).unwrap_err();
        assert!(trouble.to_string().contains("approved") && !trouble.to_string().contains("s3cret"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_never_ends_is_named() {
        let never = std::future::pending::<Act<()>>();
        let error = step(StepName::Scanned, &mut |_: &Told| (), never).await.unwrap_err();
        assert_eq!(error.step, StepName::Scanned);
        assert!(matches!(error.trouble, Trouble::TimedOut));
    }
}
