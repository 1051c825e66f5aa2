//! One login, step by step, then three attacks on it. The demo ends at the first step that fails.

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

/// The step that failed, and the reason.
#[derive(Debug, thiserror::Error)]
#[error("{}: {trouble}", step.title())]
pub struct StoryError {
    /// The step.
    pub step: StepName,
    /// The reason.
    pub trouble: Trouble,
}

/// The reason why a step failed.
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
    /// The daemon returned an invalid handshake URL.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// It took too long.
    #[error("nothing happened within {} seconds", STEP.as_secs())]
    TimedOut,
    /// The daemon answered, but not as it should.
    #[error("expected {expected}, got {got}")]
    Unexpected {
        /// The expected result.
        expected: &'static str,
        /// The actual result, without secrets.
        got: Value,
    },
}

/// The result of a step: the scene that it shows, and data for the next steps.
pub(super) type Act<T> = Result<(Scene, T), Trouble>;

/// Runs all steps on a stage; calls `show` after each step that succeeded.
///
/// # Errors
///
/// The first step that fails.
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

/// Runs one step with a time limit.
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

/// Succeeds if the result is the expected one.
pub(super) fn expect(holds: bool, expected: &'static str, got: &Value) -> Result<(), Trouble> {
    if holds { Ok(()) } else { Err(unexpected(expected, got)) }
}

/// The unexpected result, without the session token that it may contain.
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
