//! Checks the configuration: from [`Raw`] to [`Config`].

use std::path::PathBuf;

use super::mistakes::Mistakes;
use super::moved::Moved;
use super::places::{homeless, managed_dir, xdg};
use super::portal::PortalSettings;
use super::raw::Raw;
use super::{Config, Overrides, RelayEntry, RelaySource};

/// What the values are checked with, besides themselves.
pub(super) struct Given<'a> {
    pub(super) overrides: &'a Overrides,
    pub(super) portal: &'a PortalSettings,
    pub(super) moved: &'a Moved,
    pub(super) file: Option<PathBuf>,
    pub(super) found_here: Vec<PathBuf>,
    pub(super) relays: (Vec<RelayEntry>, RelaySource),
}

/// Checks every section. `None`: there is a mistake.
pub(super) fn check(mut raw: Raw, given: Given<'_>, wrong: &mut Mistakes) -> Option<Config> {
    let Given { overrides, portal, moved, file, found_here, relays: (relays, relay_source) } = given;
    raw.check_numbers(wrong);
    let data_dir = overrides
        .data_dir
        .clone()
        .or(raw.data_dir.map(|path| path.relative()))
        .or_else(|| managed_dir("STATE_DIRECTORY"))
        .or_else(|| xdg("XDG_DATA_HOME", ".local/share").map(|dir| dir.join("portico")));
    let data_dir = wrong.keep("data_dir", data_dir.ok_or_else(|| homeless("--data-dir")));
    let service = raw.service.check(overrides, moved, &mut wrong.section("service"));
    let local = raw.local.check(overrides, moved.port, data_dir.as_deref(), &mut wrong.section("local"));
    let tls = raw.tls.check(&mut wrong.section("tls"));
    let store = raw.store.check(&mut wrong.section("store"));
    raw.history.check(&mut wrong.section("history"));
    raw.access.check(&mut wrong.section("access"));
    if !wrong.has("access.lifetime") {
        raw.sessions.check(&raw.access, &mut wrong.section("sessions"));
    }
    raw.wallets.check(raw.tokens.max_issued_lifetime, wrong);
    raw.forward.check(&mut wrong.section("forward"));
    let webhook = raw.webhook.check(&mut wrong.section("webhook"));
    let web = raw.web.check(&raw.sessions, &raw.auth, &mut wrong.section("web"));
    raw.profile.check(&mut wrong.section("profile"));
    raw.ui.check(&mut wrong.section("ui"));
    raw.log.check(&mut wrong.section("log"));
    Some(Config {
        file,
        found_here,
        data_dir: data_dir?,
        service: service?,
        profile: raw.profile.in_full(),
        portal_variables: moved.variables(portal),
        local: local?,
        store: store?,
        auth: raw.auth,
        tokens: raw.tokens,
        relays,
        relay_source,
        relay_rules: raw.relays,
        lookup: raw.lookup,
        tls: tls?,
        history: raw.history,
        access: raw.access,
        sessions: raw.sessions,
        wallets: raw.wallets,
        forward: raw.forward,
        webhook,
        web,
        ui: raw.ui,
        log: raw.log,
    })
}
