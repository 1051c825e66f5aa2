//! The sign-in page: its socket, and its parts.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::ground::Ground;
use super::limits;
use crate::config::Config;
use crate::http::ListenError;
use crate::portal::Portal;
use crate::profile::OwnProfile;
use crate::roster::Roster;
use crate::web::{self, SignInPage, WebCodes};
use crate::webhook::Webhooks;

/// The socket of the page. `None`: the page is off.
pub(super) struct Door(Option<(TcpListener, usize)>);

impl Door {
    /// Opens the socket, if the page is on.
    pub(super) async fn open(config: &Config) -> Result<Self, ListenError> {
        let Some(rules) = &config.web else { return Ok(Self(None)) };
        let bound = TcpListener::bind(rules.listen).await;
        let socket = bound.map_err(|error| ListenError::Io { at: rules.listen.to_string(), error })?;
        Ok(Self(Some((socket, limits::page_places(config)))))
    }

    /// Its address.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.0.as_ref().and_then(|(socket, _)| socket.local_addr().ok())
    }

    /// Serves the page on it.
    pub(super) fn serve(self, page: Option<&SignInPage>) {
        if let (Some((socket, places)), Some(page)) = (self.0, page) {
            page.serve(socket, places);
        }
    }
}

impl Ground<'_> {
    /// The page, if it is on.
    pub(super) fn sign_in_page(
        &self,
        (portal, roster): (&Arc<Portal>, &Arc<Roster>),
        profile: &Arc<OwnProfile>,
        webhooks: &Webhooks,
    ) -> Option<SignInPage> {
        let rules = self.config.web.clone()?;
        let (store, events, clock) = (self.store.clone(), self.events.clone(), Arc::clone(&self.clock));
        let codes = WebCodes::new(rules.apps.clone(), store.clone(), events.clone(), Arc::clone(&clock));
        Some(SignInPage::new(web::Parts {
            rules,
            limits: self.config.auth.clone(),
            portal: Arc::clone(portal),
            events,
            roster: Arc::clone(roster),
            profile: Arc::clone(profile),
            webhooks: webhooks.clone(),
            store,
            codes,
            clock,
            timekeeper: Arc::clone(&self.timekeeper),
            lifecycle: self.lifecycle.clone(),
            metrics: Arc::clone(&self.metrics),
        }))
    }
}
