//! What `portico demo` needs, and what tests share with it: a relay and a wallet of our own.
//!
//! The wallet is simulated, the rest is not. On the [`Stage`] stand a relay, the daemon as it is, started on
//! a temporary folder, and the wallet; [`tell`] plays one login on it, then what an attacker would try.

mod acts;
mod attacks;
pub mod relay;
mod scene;
mod stage;
mod story;
pub mod wallet;

pub use scene::{RefusedAttack, Scene, StepName, Told};
pub use stage::{Stage, StageError};
pub use story::{StoryError, Trouble, tell};
