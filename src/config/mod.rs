//! Configuration: flag, environment variable, file, default, in this precedence; checked once, before anything starts.

mod bounds;
mod changed;
mod check;
mod document;
pub mod duration;
mod environment;
mod error;
pub mod files;
pub mod key;
mod known;
mod lists;
mod load;
mod mistakes;
mod moved;
mod paths;
mod places;
mod portal;
mod raw;
mod relays;
mod sections;
mod shape;
mod syntax;
mod wording;

use std::path::PathBuf;

use crate::tls::Tls;
pub use changed::WrittenKeys;
pub use environment::{UNUSED, names_socket, not_utf8 as variable_not_utf8, unused as unused_variables};
pub use error::{ConfigError, Place};
pub use load::{Overrides, load, load_tls};
pub use moved::{Fate, PortalVariable};
pub use paths::check_path;
pub use places::{default_folder, default_socket};
pub use portal::{PORTAL_PORT, PortalSettings, SUBKEY_PROOF};
pub use relays::{NotARelay, RelayEntry, RelaySource, advice as relay_advice, relay_url};
pub use sections::access::AccessRules;
pub use sections::auth::AuthLimits;
pub use sections::forward::ForwardRules;
pub use sections::history::HistoryRules;
pub use sections::local::token::{ApiToken, ApiTokenError};
pub use sections::local::{Account, Allowed, LONGEST_SOCKET_PATH, Local};
pub use sections::log::{Log, LogFormat, NoSuchFilter};
pub use sections::lookup::LookupRules;
pub use sections::profile::ProfileRules;
pub use sections::relays::RelayRules;
pub use sections::service::Service;
pub use sections::sessions::{Checks, SessionRules, SignUp};
pub use sections::store::{Database, StorePasswordError, StorePlace};
pub use sections::tokens::TokenRules;
pub use sections::ui::UiRules;
pub use sections::wallets::{
    AdminKeyError, ApiKeyError, Jwks, JwtAlgorithm, Nip98, NotAWebUrl, Para, ParaApiKeys, ParaSessionRules,
    ThirdwebRules, Wallets, WebUrl,
};
pub use sections::web::{Accent, Logo, NotASubnet, PublicOrigin, SignInPages, Subnet, WebApp};
pub use sections::webhook::{
    Webhook, WebhookKeys, WebhookRules, WebhookSecret, WebhookSecretError, WebhookUrl,
};

/// The daemon's configuration. Secrets in it print as `[REDACTED]`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The configuration file, if there is one.
    pub file: Option<PathBuf>,
    /// Files that no setting named, and that were found in the working folder.
    pub found_here: Vec<PathBuf>,
    /// The folder of the database and of generated secrets.
    pub data_dir: PathBuf,
    /// `[service]`: the service's identity.
    pub service: Service,
    /// `[profile]`: the profile that wallets show.
    pub profile: ProfileRules,
    /// The variables of Portal's own daemon that are set, and whether each is in force.
    pub portal_variables: Vec<PortalVariable>,
    /// `[local]`: the sockets, and who may use them.
    pub local: Local,
    /// `[store]`: where the state is kept.
    pub store: StorePlace,
    /// `[auth]`: limits of open requests.
    pub auth: AuthLimits,
    /// `[tokens]`: which tokens are accepted and issued.
    pub tokens: TokenRules,
    /// The operator's relays.
    pub relays: Vec<RelayEntry>,
    /// The source of the list of relays.
    pub relay_source: RelaySource,
    /// `[relays]`: the relays that wallets prefer.
    pub relay_rules: RelayRules,
    /// `[lookup]`: profiles and NIP-05 names.
    pub lookup: LookupRules,
    /// `[tls]`: trusted CAs for outgoing connections.
    pub tls: Tls,
    /// `[history]`: how long past streams, sessions, users and audit records are kept.
    pub history: HistoryRules,
    /// `[access]`: access tokens and their keys.
    pub access: AccessRules,
    /// `[sessions]`: users and their sessions.
    pub sessions: SessionRules,
    /// `[wallets]`: the accepted wallet providers.
    pub wallets: Wallets,
    /// `[forward]`: the headers and cookies that gateways pass on.
    pub forward: ForwardRules,
    /// `[webhook]`: the receiver of every event, if there is one.
    pub webhook: Option<Webhook>,
    /// `[web]`: the sign-in page, if it is on.
    pub web: Option<SignInPages>,
    /// `[ui]`: the operator's page.
    pub ui: UiRules,
    /// `[log]`: the level and format of the log.
    pub log: Log,
}
