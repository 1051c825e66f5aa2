//! The service's own profile: what wallets show to the user who decides.
//!
//! `[profile]` and `SetProfile` say what it is (`content`); it is published as kind 0 (NIP-01) and kept at every
//! relay of the operator's (`keeper`), by rules that are pure (`decide`). What was published last is in a file of the
//! data folder (`record`), so that a restart publishes nothing anew. Whether a wallet shows a name for it hangs on
//! the domain, too (`nip05`); what comes of both is told in the log and by `/ready` (`standing`).

mod content;
mod decide;
mod keeper;
mod nip05;
mod record;
mod standing;

pub use content::{metadata, read};
pub use decide::supersedes;
pub use keeper::{OwnProfile, Parts, SetError};
pub use nip05::{Confirmed, Nip05Problem, confirm};
pub use standing::{NoName, Standing, UNKNOWN_SERVICE};
