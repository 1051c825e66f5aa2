//! The service's own profile: what wallets show to the user who decides.
//!
//! `[profile]` and `SetProfile` say what it is (`content`). `keeper` publishes it as kind 0 (NIP-01) at every relay of
//! the operator's and keeps it there: `state` holds what is known of the relays, `decide` the rules, and both are pure.
//! What was published last is in a file of the data folder (`record`), so that a restart does not publish it again.
//! Whether a wallet shows a name depends on the domain, too (`nip05`); the log and `/ready` tell the result
//! (`standing`).

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
