//! Reads the configuration of Portal's own daemon: its `config.toml`, and its variables `PORTAL__SECTION__KEY`.
//! For services that move from it.

use std::collections::BTreeMap;
use std::env;
use std::path::Path;

use secrecy::SecretString;

use super::document::{self, line_of};
use super::error::Place;
use super::mistakes::Mistakes;
use super::sections::webhook::RawWebhook;
use super::{ConfigError, ProfileRules, environment};

/// The variable with the proof of a subkey.
pub const SUBKEY_PROOF: &str = "PORTAL__NOSTR__SUBKEY_PROOF";

const PREFIX: &str = "PORTAL__";

/// The default port of Portal's daemon.
pub const PORTAL_PORT: u16 = 3000;

/// The settings that have a counterpart here, as `section.key` of Portal's.
pub(super) mod keys {
    pub(crate) const AUTH_TOKEN: &str = "auth.auth_token";
    pub(crate) const LISTEN_PORT: &str = "info.listen_port";
    pub(crate) const PRIVATE_KEY: &str = "nostr.private_key";
    pub(crate) const RELAYS: &str = "nostr.relays";
    pub(crate) const SUBKEY_PROOF: &str = "nostr.subkey_proof";
    pub(crate) const WEBHOOK_URL: &str = "webhook.url";
    pub(crate) const WEBHOOK_SECRET: &str = "webhook.secret";
    pub(crate) const PROFILE: [&str; 4] =
        ["profile.name", "profile.display_name", "profile.picture", "profile.nip05"];
    pub(crate) const LOG_FILTER: &str = "logging.filter";
}

/// The settings of Portal's daemon that are set.
#[derive(Debug, Clone, Default)]
pub struct PortalSettings {
    /// The token of its API.
    pub auth_token: Option<SecretString>,
    /// The port of its API.
    pub listen_port: Option<u16>,
    /// The service's key, hex or `nsec1…`.
    pub private_key: Option<SecretString>,
    /// Its relays, as text.
    pub relays: Option<Vec<String>>,
    /// The proof of a subkey, as JSON.
    pub subkey_proof: Option<String>,
    /// Where events are posted to.
    pub webhook_url: Option<String>,
    /// The secret that signs them.
    pub webhook_secret: Option<SecretString>,
    /// The profile that wallets show.
    pub profile: ProfileRules,
    /// The log filter.
    pub log_filter: Option<String>,
    /// Settings without a counterpart in Portico, as `section.key`.
    pub others: Vec<String>,
    /// The variables that were read, by the key that they set.
    pub variables: BTreeMap<String, String>,
}

/// The variable that would set a key.
pub(super) fn variable_for(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

/// A value as text: it may be a secret, so it is never shown.
enum Written {
    Text(String),
    List(Vec<String>),
}

impl PortalSettings {
    /// Reads the environment.
    ///
    /// # Errors
    /// A variable has a value that cannot be used.
    pub fn in_environment() -> Result<Self, ConfigError> {
        let mut settings = BTreeMap::new();
        let variables = read_variables(variables(), &mut settings);
        Self::of(settings, variables, None)
    }

    /// Reads a `config.toml` and the environment, which takes precedence.
    ///
    /// # Errors
    /// The file is not TOML, or a setting has a value that cannot be used.
    pub fn in_file(text: &str, path: &Path) -> Result<Self, ConfigError> {
        environment::check()?;
        let faults = document::parse(text).1.into_iter();
        let faults =
            faults.map(|(line, reason)| ConfigError::Line { reason, place: Place::line(path, Some(line)) });
        if let Some(error) = ConfigError::of_all(faults.collect()) {
            return Err(error);
        }
        let table: toml::Table = toml::from_str(text).unwrap_or_default();
        let mut settings = BTreeMap::new();
        read_table("", &table, &mut settings);
        let variables = read_variables(variables(), &mut settings);
        Self::of(settings, variables, Some((path, text)))
    }

    /// The variable that sets a key, if one does.
    pub fn variable(&self, key: &str) -> Option<&str> {
        self.variables.get(key).map(String::as_str)
    }

    fn of(
        mut settings: BTreeMap<String, Written>,
        variables: BTreeMap<String, String>,
        file: Option<(&Path, &str)>,
    ) -> Result<Self, ConfigError> {
        let mut text = |key: &str| settings.remove(key).map(Written::into_text);
        let port = text(keys::LISTEN_PORT);
        let [name, display_name, picture, nip05] = keys::PROFILE.map(&mut text);
        let portal = Self {
            auth_token: text(keys::AUTH_TOKEN).map(SecretString::from),
            private_key: text(keys::PRIVATE_KEY).map(SecretString::from),
            subkey_proof: text(keys::SUBKEY_PROOF),
            webhook_url: text(keys::WEBHOOK_URL),
            webhook_secret: text(keys::WEBHOOK_SECRET).map(SecretString::from),
            log_filter: text(keys::LOG_FILTER),
            // Portal's daemon accepts such a name in any case; NIP-05 requires lower case.
            profile: ProfileRules {
                nip05: nip05.map(|name| name.trim().to_lowercase()),
                name,
                display_name,
                picture,
            },
            relays: settings.remove(keys::RELAYS).map(Written::into_list),
            others: settings.into_keys().collect(),
            listen_port: None,
            variables,
        };
        let Some(port) = port else { return Ok(portal) };
        match port.trim().parse() {
            Ok(port) => Ok(Self { listen_port: Some(port), ..portal }),
            Err(_) => Err(portal.invalid(keys::LISTEN_PORT, "is not a port".into(), file)),
        }
    }

    /// The keys of the secrets that the file sets.
    pub fn secrets_in_file(&self) -> Vec<&'static str> {
        let given = [
            (keys::PRIVATE_KEY, self.private_key.is_some()),
            (keys::AUTH_TOKEN, self.auth_token.is_some()),
            (keys::WEBHOOK_SECRET, self.webhook_secret.is_some()),
        ];
        let in_file = given.into_iter().filter(|(key, is_given)| *is_given && self.variable(key).is_none());
        in_file.map(|(key, _)| key).collect()
    }

    /// The reason why Portico cannot call the webhook, and its key. Portal's daemon accepts any
    /// secret, or none.
    pub fn webhook_fault(&self) -> Option<(&'static str, String)> {
        let wrong = webhook_mistakes(self.webhook_url.clone(), self.webhook_secret.clone());
        let reason =
            |key: &str| wrong.iter().find(|(found, _)| found == key).map(|(_, reason)| reason.clone());
        if let Some(reason) = reason(keys::WEBHOOK_URL) {
            return Some((keys::WEBHOOK_URL, reason));
        }
        let reason = reason(keys::WEBHOOK_SECRET)?;
        let missing = "is missing: Portico signs every delivery; set at least 16 random bytes";
        let reason = if self.webhook_secret.is_none() { missing.into() } else { reason };
        Some((keys::WEBHOOK_SECRET, reason))
    }

    /// Whether Portico could call the webhook at its URL, if the secret were valid.
    pub fn webhook_url_fits(&self) -> bool {
        let secret = SecretString::from("any text of a fitting length");
        webhook_mistakes(self.webhook_url.clone(), Some(secret)).is_empty()
    }

    /// A setting has a value that cannot be used.
    pub(super) fn invalid(&self, key: &str, reason: String, file: Option<(&Path, &str)>) -> ConfigError {
        match (self.variable(key), file) {
            (Some(variable), _) => ConfigError::Variable { variable: variable.to_owned(), reason },
            (None, file) => {
                let in_file = |(path, text)| Place::line(path, line_of(text, key));
                let place = file.map_or(Place::Nowhere, in_file);
                ConfigError::Invalid { key: key.to_owned(), reason, place }
            }
        }
    }
}

/// What is wrong with a webhook: each key, and the reason.
fn webhook_mistakes(url: Option<String>, secret: Option<SecretString>) -> Vec<(String, String)> {
    let (mut webhook, mut wrong) = (RawWebhook::default(), Mistakes::default());
    webhook.fill(url, secret);
    webhook.check(&mut wrong.section("webhook"));
    wrong.all(true).into_iter().map(|mistake| (mistake.key.clone(), mistake.reason.clone())).collect()
}

impl Written {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::List(list) => list.join(","),
        }
    }

    fn into_list(self) -> Vec<String> {
        let list = match self {
            Self::Text(text) => text.split(',').map(str::to_owned).collect(),
            Self::List(list) => list,
        };
        list.iter().map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect()
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.trim().is_empty(),
            Self::List(list) => list.is_empty(),
        }
    }
}

fn variables() -> impl Iterator<Item = (String, String)> {
    env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Merges Portal's variables, which take precedence. An empty variable counts as not set: compose files pass unset
/// variables on as empty ones. Returns the names of the variables, by their keys.
fn read_variables(
    variables: impl Iterator<Item = (String, String)>,
    settings: &mut BTreeMap<String, Written>,
) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for (name, value) in variables {
        // Portal's daemon ignores the case of a name.
        let Some(key) = name.to_uppercase().strip_prefix(PREFIX).map(str::to_lowercase) else { continue };
        let (key, value) = (key.replace("__", "."), Written::Text(value));
        if !value.is_empty() {
            settings.insert(key.clone(), value);
            names.insert(key, name);
        }
    }
    names
}

fn read_table(above: &str, table: &toml::Table, settings: &mut BTreeMap<String, Written>) {
    for (name, value) in table {
        let key = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        let written = match value {
            toml::Value::Table(below) => {
                read_table(&key, below, settings);
                continue;
            }
            toml::Value::Array(list) => Written::List(list.iter().map(text).collect()),
            value => Written::Text(text(value)),
        };
        if !written.is_empty() {
            settings.insert(key, written);
        }
    }
}

fn text(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn of(variables: &[(&str, &str)], toml: &str) -> PortalSettings {
        let mut settings = BTreeMap::new();
        read_table("", &toml::from_str(toml).unwrap(), &mut settings);
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let names = read_variables(variables, &mut settings);
        PortalSettings::of(settings, names, Some((Path::new("config.toml"), toml))).unwrap()
    }

    #[test]
    fn a_variable_goes_before_the_file_and_an_empty_one_says_nothing() {
        let toml = "[auth]\nauth_token = \"file\"\n[nostr]\nrelays = [\"wss://a.example\"]\n[info]\nlisten_port = 3001\n";
        let variables = [
            ("PORTAL__AUTH__AUTH_TOKEN", "variable"),
            ("PORTAL__NOSTR__RELAYS", ""),
            ("portal__info__listen_port", "4000"),
        ];
        let portal = of(&variables, toml);
        assert_eq!(portal.auth_token.unwrap().expose_secret(), "variable");
        assert_eq!(portal.relays.unwrap(), ["wss://a.example"]);
        assert_eq!(portal.listen_port, Some(4000));
        assert_eq!(portal.variables[keys::LISTEN_PORT], "portal__info__listen_port");
    }

    #[test]
    fn a_list_in_a_variable_is_separated_by_commas() {
        let portal = of(&[("PORTAL__NOSTR__RELAYS", "wss://a.example, wss://b.example,")], "");
        assert_eq!(portal.relays.unwrap(), ["wss://a.example", "wss://b.example"]);
    }

    #[test]
    fn what_has_no_counterpart_is_named() {
        let portal = of(
            &[("PORTAL__WALLET__NWC__URL", "nostr+walletconnect://secret"), ("PORTICO_LISTEN", "x")],
            "[wallet]\nln_backend = \"none\"\n[database]\npath = \"x.db\"\n",
        );
        assert_eq!(portal.others, ["database.path", "wallet.ln_backend", "wallet.nwc.url"]);
        assert!(!format!("{portal:?}").contains("walletconnect"), "{portal:?}");
    }

    #[test]
    fn a_port_that_is_none_is_named_with_its_variable() {
        let mut settings = BTreeMap::new();
        let variables = [("PORTAL__INFO__LISTEN_PORT".to_owned(), "http".to_owned())];
        let names = read_variables(variables.into_iter(), &mut settings);
        let error = PortalSettings::of(settings, names, None).unwrap_err().to_string();
        assert_eq!(error, "PORTAL__INFO__LISTEN_PORT: is not a port");
    }
}
