//! For a service that moves from Portal's daemon: settings that Portico's own configuration does not set come from
//! Portal's variables.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::Overrides;
use super::portal::{PORTAL_PORT, PortalSettings, keys, variable_for};
use super::raw::Raw;

/// One of Portal's variables, and whether it is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortalVariable {
    /// Its name. Its value may be a secret.
    pub name: String,
    /// Whether it is in force.
    pub fate: Fate,
}

/// Whether a variable of Portal's daemon is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is in force, as this key.
    Used(&'static str),
    /// Portico's own configuration sets this key, which takes precedence.
    Overruled(&'static str),
    /// This key cannot have the variable's value; the reason. The service starts without it.
    LeftOut(&'static str, String),
    /// It has no counterpart in Portico.
    Unknown,
}

/// Settings from Portal's variables that are not part of [`Raw`].
#[derive(Debug, Default)]
pub(super) struct Moved {
    pub(super) key: Option<SecretString>,
    pub(super) proof: Option<String>,
    /// The port to listen on, if Portico's own configuration sets none.
    pub(super) port: Option<u16>,
    /// The fate of each variable, by its name.
    fates: BTreeMap<String, Fate>,
}

impl Moved {
    /// Fills in settings that `raw` and the flags do not set.
    pub(super) fn fill(raw: &mut Raw, portal: &PortalSettings, overrides: &Overrides) -> Self {
        let mut moved = Self::default();
        let mut note = |key: &str, ours, is_used: bool| {
            if let Some(variable) = portal.variable(key) {
                let fate = if is_used { Fate::Used(ours) } else { Fate::Overruled(ours) };
                moved.fates.insert(variable.to_owned(), fate);
            }
        };

        let local = &mut raw.local;
        let is_open = local.token.is_none() && local.token_file.is_none() && overrides.token_file.is_none();
        note(keys::AUTH_TOKEN, "local.token", is_open);
        let has_token = is_open && portal.auth_token.is_some();
        if has_token {
            local.token.clone_from(&portal.auth_token);
        }
        let is_open = local.listen.is_none() && overrides.listen.is_none();
        note(keys::LISTEN_PORT, "local.listen", is_open);
        if is_open {
            // A token is useful only on TCP, and Portal's daemon listens on TCP by default.
            moved.port = portal.listen_port.or(has_token.then_some(PORTAL_PORT));
        }

        let is_open = raw.service.key_file.is_none() && overrides.key_file.is_none();
        note(keys::PRIVATE_KEY, "service.key_file", is_open);
        moved.key = portal.private_key.clone().filter(|_| is_open);
        let is_open = raw.service.subkey_proof_file.is_none();
        note(keys::SUBKEY_PROOF, "service.subkey_proof_file", is_open);
        moved.proof = portal.subkey_proof.clone().filter(|_| is_open);

        let mut left_out: Vec<(&'static str, String)> = Vec::new();
        let fault = portal.webhook_fault();
        let (url, secret) = (portal.webhook_url.clone(), portal.webhook_secret.clone());
        let (url, secret) = if fault.is_none() { (url, secret) } else { (None, None) };
        let is_open = raw.webhook.fill(url, secret);
        note(keys::WEBHOOK_URL, "webhook.url", is_open);
        note(keys::WEBHOOK_SECRET, "webhook.secret", is_open);
        if let (true, Some((key, reason))) = (is_open, fault) {
            let reason = format!("Portico calls no webhook: {} {reason}", variable_for(key));
            left_out.extend([keys::WEBHOOK_URL, keys::WEBHOOK_SECRET].map(|key| (key, reason.clone())));
        }

        let (fitting, misfits) = portal.profile.clone().keep_what_fits();
        let (ours, theirs) = (&mut raw.profile, &fitting);
        for (key, (ours, theirs)) in keys::PROFILE.into_iter().zip([
            (&mut ours.name, &theirs.name),
            (&mut ours.display_name, &theirs.display_name),
            (&mut ours.picture, &theirs.picture),
            (&mut ours.nip05, &theirs.nip05),
        ]) {
            note(key, key, ours.is_none());
            if ours.is_none() {
                ours.clone_from(theirs);
                let misfit = misfits.iter().find(|(misfit, _)| *misfit == key);
                left_out.extend(misfit.map(|(_, reason)| (key, reason.clone())));
            }
        }
        moved.leave_out(portal, left_out);
        moved
    }

    fn leave_out(&mut self, portal: &PortalSettings, left_out: Vec<(&'static str, String)>) {
        for (key, reason) in left_out {
            if let Some(variable) = portal.variable(key) {
                self.fates.insert(variable.to_owned(), Fate::LeftOut(key, reason));
            }
        }
    }

    /// Records whether the list of relays came from a variable.
    pub(super) fn note_relays(&mut self, portal: &PortalSettings, is_used: bool) {
        if let Some(variable) = portal.variable(keys::RELAYS) {
            let fate = if is_used { Fate::Used("relays_file") } else { Fate::Overruled("relays_file") };
            self.fates.insert(variable.to_owned(), fate);
        }
    }

    /// The variable that set a key of Portico.
    pub(super) fn source(&self, key: &str) -> Option<&str> {
        let gives_it = |fate: &Fate| matches!(fate, Fate::Used(ours) if *ours == key);
        self.fates.iter().find(|(_, fate)| gives_it(fate)).map(|(name, _)| name.as_str())
    }

    /// All of Portal's variables, including those without a counterpart.
    pub(super) fn variables(&self, portal: &PortalSettings) -> Vec<PortalVariable> {
        let mut fates = self.fates.clone();
        for name in portal
            .others
            .iter()
            .map(String::as_str)
            .chain([keys::LOG_FILTER])
            .filter_map(|key| portal.variable(key))
        {
            fates.insert(name.to_owned(), Fate::Unknown);
        }
        fates.into_iter().map(|(name, fate)| PortalVariable { name, fate }).collect()
    }
}
