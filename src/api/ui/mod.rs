//! The operator's page at `/ui/`: relays, logins, bounds, webhooks, keys and the audit for a person in a browser.
//!
//! The page is on the sockets of the local API, and off by default. A browser sends whatever any web page tells it to,
//! so its requests have a check of their own (`door.rs`) in place of the guard's: the host, the origin, a header that
//! no form can send, and a session (`sessions.rs`). The page reads what the routes and the metrics have anyway
//! (`data.rs`), and never receives a token, a stream's id or a session's id.

mod bounds;
mod cookie;
mod data;
pub(super) mod door;
mod files;
mod handle;
mod hour;
mod login;
mod origin;
mod progress;
mod qr;
mod session;
mod sessions;
mod users;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::time::{Instant, MissedTickBehavior};

use super::Api;
use super::effect::Effect;
use super::needs::{Needs, PageNeeds};
use super::router::Routes;
use crate::config::{Config, UiRules};
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::session::AuditKind;
use bounds::Maximum;
use handle::Handles;
use hour::Hour;
use login::PageLogins;
use sessions::PageSessions;

const FILE: Needs = Needs::Page(PageNeeds::File);
const SIGN_IN: Needs = Needs::Page(PageNeeds::SignIn);
const READ: Needs = Needs::Page(PageNeeds::Read);
const WRITE: Needs = Needs::Page(PageNeeds::Write);

/// How often the page's history gets a new mark.
const MARK_EVERY: Duration = Duration::from_secs(60);

/// What the configuration says of the operator's page.
#[derive(Debug)]
pub struct UiPlan {
    rules: UiRules,
    maxima: Vec<Maximum>,
    /// How long a login with a wallet may take, from the code to the answer.
    login_patience: Duration,
}

impl UiPlan {
    /// `None`: the page is off.
    pub fn of(config: &Config) -> Option<Self> {
        config.ui.enabled.then(|| Self {
            rules: config.ui.clone(),
            maxima: bounds::maxima(config),
            login_patience: config.auth.handshake_ttl.saturating_add(config.auth.challenge_ttl),
        })
    }
}

/// The operator's page.
#[derive(Debug)]
pub(super) struct Ui {
    rules: UiRules,
    maxima: Vec<Maximum>,
    sessions: PageSessions,
    logins: PageLogins,
    handles: Handles,
    hour: Mutex<Hour>,
    /// The last answer of `/ui/data`, which all browsers share for a moment.
    latest: tokio::sync::Mutex<Option<(Instant, Arc<RawValue>)>>,
}

impl Ui {
    pub(super) fn new(plan: UiPlan, metrics: Arc<Metrics>) -> Self {
        let UiPlan { rules, maxima, login_patience } = plan;
        Self {
            sessions: PageSessions::new(rules.session_lifetime, metrics),
            logins: PageLogins::new(login_patience),
            rules,
            maxima,
            handles: Handles::default(),
            hour: Mutex::default(),
            latest: tokio::sync::Mutex::default(),
        }
    }
}

/// The routes of the page.
pub(super) fn routes() -> Routes {
    Routes::default()
        .get("/ui", FILE, files::to_the_page)
        .get("/ui/", FILE, files::page)
        .get("/ui/ui.css", FILE, files::style)
        .get("/ui/ui.js", FILE, files::script)
        .get("/ui/icon.svg", FILE, files::icon)
        .get("/ui/session", SIGN_IN, session::show)
        .post("/ui/session", SIGN_IN, Effect::Login, session::begin)
        .delete("/ui/session", SIGN_IN, Effect::Login, session::end)
        .get("/ui/login", SIGN_IN, login::progress)
        .post("/ui/login", SIGN_IN, Effect::Login, login::begin)
        .delete("/ui/login", SIGN_IN, Effect::Login, login::cancel)
        .get("/ui/data", READ, data::show)
        .get("/ui/audit", READ, data::audit)
        .get("/ui/users", READ, users::find)
        .get("/ui/users/{id}", READ, users::show)
        .post(
            "/ui/users/{id}/end-sessions",
            WRITE,
            Effect::Changes(AuditKind::SessionsRevoked),
            users::end_sessions,
        )
        .post("/ui/users/{id}/disable", WRITE, Effect::Changes(AuditKind::UserChanged), users::disable)
}

/// Keeps the page's history, and ends what belongs to people whose time at the page is over.
pub(super) fn keep(api: &Api, lifecycle: &Lifecycle) {
    if api.ui.is_none() {
        return;
    }
    let api = api.clone();
    lifecycle.run("operator's page", async move {
        let mut due = tokio::time::interval(MARK_EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            due.tick().await;
            let Some(ui) = &api.ui else { return };
            let totals = data::totals(&api.metrics.samples(api.reading().await));
            ui.hour.lock().unwrap_or_else(PoisonError::into_inner).mark(totals);
            for gone in ui.sessions.sweep() {
                session::release(&api, &gone).await;
            }
            ui.logins.sweep();
        }
    });
}
