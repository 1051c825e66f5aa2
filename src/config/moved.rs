//! A service that moved over from Portal's daemon: what is not said in Portico's own words is taken from Portal's
//! variables.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::Overrides;
use super::portal::{PORTAL_PORT, PortalSettings, keys, variable_for};
use super::raw::Raw;

/// One of Portal's variables, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortalVariable {
    /// Its name. What it says may be a secret.
    pub name: String,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a variable of Portal's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is in force, as this key.
    Used(&'static str),
    /// This key of ours is set, and goes first.
    Overruled(&'static str),
    /// This key cannot be what the variable says, and why. A service that moves over starts without it.
    LeftOut(&'static str, String),
    /// It has no counterpart here.
    Unknown,
}

/// What was taken from Portal's variables besides what went into [`Raw`].
#[derive(Debug, Default)]
pub(super) struct Moved {
    pub(super) key: Option<SecretString>,
    pub(super) proof: Option<String>,
    /// The port to listen on, where nothing of ours says so.
    pub(super) port: Option<u16>,
    /// What became of each variable, by its name.
    fates: BTreeMap<String, Fate>,
}

impl Moved {
    /// Fills in what `raw` and the flags leave open.
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
            // A token is of use on TCP alone, and Portal's daemon listens there without being told.
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
            let reason = format!("no webhook is called: {} {reason}", variable_for(key));
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
                left_out.extend(misfits.iter().find(|(misfit, _)| *misfit == key).cloned());
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

    /// The list of relays came from a variable, or did not.
    pub(super) fn note_relays(&mut self, portal: &PortalSettings, is_used: bool) {
        if let Some(variable) = portal.variable(keys::RELAYS) {
            let fate = if is_used { Fate::Used("relays_file") } else { Fate::Overruled("relays_file") };
            self.fates.insert(variable.to_owned(), fate);
        }
    }

    /// The variable that a key of ours was taken from.
    pub(super) fn source(&self, key: &str) -> Option<&str> {
        let gives_it = |fate: &Fate| matches!(fate, Fate::Used(ours) if *ours == key);
        self.fates.iter().find(|(_, fate)| gives_it(fate)).map(|(name, _)| name.as_str())
    }

    /// All variables of Portal's, those without a counterpart too.
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
