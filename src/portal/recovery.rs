//! After a restart: open requests continue with their challenges and deadlines.

use std::sync::Arc;

use nostr_sdk::{Event, JsonUtil, PublicKey, RelayUrl};
use tokio::sync::Mutex;

use super::prompts;
use super::registry::{ChallengeId, OpenChallenge, OpenHandshake, Progress, Registry};
use crate::clock::Timestamp;
use crate::config::AuthLimits;
use crate::relay::{Gate, Publication};
use crate::store::{Challenge, Recovered, Result, Store};

/// The open requests of the store, in memory. Loaded before Portico connects to the relays, so that every
/// answer finds its challenge.
#[derive(Debug)]
pub struct Opening {
    pub(super) registry: Arc<Registry>,
    pub(super) publications: Vec<Publication>,
}

impl Opening {
    /// Reads all open requests, and the ones that become relevant again if the clock goes back to the time
    /// that has certainly passed.
    pub async fn load(store: &dyn Store, limits: &AuthLimits, settled: Timestamp) -> Result<Self> {
        let recovered = store.recover(settled.minus(limits.prompt_window)).await?;
        store.recall_prompts(&recovered, &prompts::rules(limits)).await?;
        let mut opening = Self { registry: Arc::default(), publications: Vec::new() };
        opening.fill(recovered);
        Ok(opening)
    }

    /// Decides, without cryptography, whether an event may be of interest.
    pub fn gate(&self) -> Arc<dyn Gate> {
        Arc::clone(&self.registry) as Arc<dyn Gate>
    }

    /// Whether Portico waits for this key's answer to this challenge.
    pub fn awaits(&self, author: &PublicKey, challenge: &str) -> bool {
        self.registry.asked(author, challenge).is_some()
    }

    fn fill(&mut self, recovered: Recovered) {
        let Recovered { handshakes, challenges, .. } = recovered;
        if !handshakes.is_empty() || !challenges.is_empty() {
            let (handshakes, challenges) = (handshakes.len(), challenges.len());
            tracing::info!(handshakes, challenges, "restored the open requests");
        }
        for row in handshakes {
            let slot = self.registry.keep_room();
            self.registry.add_handshake(Arc::new(OpenHandshake::new(row, slot)));
        }
        for row in challenges {
            self.reopen(row);
        }
    }

    fn reopen(&mut self, row: Challenge) {
        let Some(id) = ChallengeId::parse(&row.challenge) else { return };
        let relays: Vec<RelayUrl> = row.relays.iter().filter_map(|url| RelayUrl::parse(url).ok()).collect();
        let mut asked = Vec::with_capacity(row.envelopes.len());
        for envelope in &row.envelopes {
            let Ok(event) = Event::from_json(&envelope.event) else { continue };
            asked.push((envelope.recipient, event.id));
            self.publications.push(Publication {
                event: Arc::new(event),
                also: relays.clone(),
                only: Vec::new(),
                expires_at: row.expires_at,
            });
        }
        self.registry.add_challenge(Arc::new(OpenChallenge {
            id,
            stream: row.stream,
            user: row.user,
            prompted: [row.user].into(),
            relays,
            created_at: row.created_at,
            expires_at: row.expires_at,
            ends_stream: row.ends_stream,
            is_login: row.is_login,
            progress: Progress { asked, renewals: row.renewals, ..Progress::default() }.into(),
            amending: Mutex::default(),
            _slot: self.registry.keep_room(),
        }));
    }
}
