//! The service's own profile: what wallets show to the user who approves a login.
//!
//! `[profile]` and `SetProfile` set it (`content`). `keeper` publishes it as kind 0 (NIP-01) at every relay
//! of the operator, and keeps it there: `state` holds what is known of the relays, `decide` has the rules,
//! and both are pure. The profile that was published last is in a file of the data folder (`record`), so that
//! a restart does not publish it again. Whether a wallet shows a name also depends on the domain (`nip05`);
//! the log and `/ready` report the result (`standing`).

mod content;
mod decide;
mod keeper;
mod nip05;
mod record;
mod standing;
mod state;

pub use content::{draft, read};
pub use keeper::{OwnProfile, Parts, SetError};
pub use nip05::{Confirmed, Nip05Problem, confirm};
pub use standing::{NoName, Standing, UNKNOWN_SERVICE};
