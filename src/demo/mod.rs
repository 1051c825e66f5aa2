//! The embedded relay and the simulated wallet, for `portico demo` and for tests.
//!
//! Only the wallet is simulated. The [`Stage`] has a relay, the real daemon in a temporary folder, and the
//! wallet; [`tell`] runs one login on it, then three attacks.

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
