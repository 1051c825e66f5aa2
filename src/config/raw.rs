//! The shape of `portico.toml`: every section.

use figment::value::magic::RelativePathBuf;
use serde::Deserialize;

use super::bounds::Number;
use super::mistakes::Mistakes;
use super::sections::access::AccessRules;
use super::sections::auth::AuthLimits;
use super::sections::forward::ForwardRules;
use super::sections::history::HistoryRules;
use super::sections::local::RawLocal;
use super::sections::log::Log;
use super::sections::lookup::LookupRules;
use super::sections::profile::ProfileRules;
use super::sections::relays::RelayRules;
use super::sections::service::RawService;
use super::sections::sessions::SessionRules;
use super::sections::store::RawStore;
use super::sections::tls::RawTls;
use super::sections::tokens::TokenRules;
use super::sections::ui::UiRules;
use super::sections::wallets::Wallets;
use super::sections::web::RawWeb;
use super::sections::webhook::RawWebhook;

/// The whole file. Unknown keys are errors, so that a misspelt key is noticed. A relative path starts at the
/// folder of the file; a relative path in the environment, at the working folder.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) data_dir: Option<RelativePathBuf>,
    pub(super) relays_file: Option<RelativePathBuf>,
    pub(super) service: RawService,
    pub(super) local: RawLocal,
    pub(super) store: RawStore,
    pub(super) auth: AuthLimits,
    pub(super) tokens: TokenRules,
    pub(super) relays: RelayRules,
    pub(super) lookup: LookupRules,
    pub(super) tls: RawTls,
    pub(super) history: HistoryRules,
    pub(super) access: AccessRules,
    pub(super) sessions: SessionRules,
    pub(super) wallets: Wallets,
    pub(super) forward: ForwardRules,
    pub(super) webhook: RawWebhook,
    pub(super) profile: ProfileRules,
    pub(super) web: RawWeb,
    pub(super) ui: UiRules,
    pub(super) log: Log,
}

impl Raw {
    /// Numbers and durations with their bounds, by the name of their section.
    pub(super) fn numbers(&self) -> Vec<(&'static str, Vec<Number>)> {
        let mut numbers = vec![
            ("local", self.local.numbers()),
            ("auth", self.auth.numbers()),
            ("tokens", self.tokens.numbers()),
            ("relays", self.relays.numbers()),
            ("lookup", self.lookup.numbers()),
            ("history", self.history.numbers()),
            ("access", self.access.numbers()),
            ("sessions", self.sessions.numbers()),
            ("web", self.web.numbers()),
            ("webhook", self.webhook.numbers()),
            ("ui", self.ui.numbers()),
        ];
        numbers.extend(self.wallets.numbers());
        numbers
    }

    /// Notes each number and duration that is out of its bounds.
    pub(super) fn check_numbers(&self, wrong: &mut Mistakes) {
        for (name, numbers) in self.numbers() {
            let mut wrong = wrong.section(name);
            for (key, fault) in numbers.iter().filter_map(|number| Some((number.key, number.fault()?))) {
                wrong.add(key, fault);
            }
        }
    }

    /// The defaults, with a section for every wallet provider.
    pub(super) fn with_every_wallet() -> Self {
        Self { wallets: Wallets::every(), ..Self::default() }
    }
}
