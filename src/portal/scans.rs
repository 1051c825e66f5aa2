//! Handles a scan of a handshake URL: reports it to the caller, and on a login URL sends a challenge.

use std::sync::Arc;

use nostr_sdk::{Event, RelayUrl};

use super::challenge::{Origin, Prepared};
use super::patience::until_stored;
use super::registry::OpenHandshake;
use super::{Portal, PortalError, Result};
use crate::events::{EventBody, FailureCode};
use crate::protocol::KeyHandshake;
use crate::relay::is_plain;
use crate::store::{HandshakeKind, Scan};

impl Portal {
    /// A wallet scanned a handshake URL.
    pub(super) async fn scanned(&self, event: &Event, handshake: KeyHandshake) -> Result<()> {
        let waiting = self.registry.urls.scanned(&handshake.token);
        let Some(first) = waiting.first().cloned() else { return Ok(()) };
        let stream = first.row.stream;
        if !self.is_recent(event) {
            tracing::debug!(stream_id = %stream, event = %event.id, "dropped a scan: its time differs too much from Portico's clock");
            self.metrics.logins.scanned("too_old");
            return Ok(());
        }
        if let Err(limit) = first.count_scan(event.pubkey, self.clock.now(), &self.limits) {
            tracing::debug!(stream_id = %stream, event = %event.id, limit = limit.label(), "dropped a scan: too many");
            self.metrics.logins.scanned("too_many");
            self.metrics.limits.reached(limit);
            return Ok(());
        }
        self.relays.was_of_use(&event.pubkey);
        let (waiting, first, handshake) = (&waiting, &first, &handshake);
        until_stored(stream, || async move {
            match first.row.kind {
                HandshakeKind::Handshake => self.record_scan(event, waiting, handshake, None).await,
                HandshakeKind::Login => self.scanned_login(event, first, handshake).await,
            }
        })
        .await
    }

    /// A wallet scanned a login URL: the challenge follows at once.
    async fn scanned_login(
        &self,
        event: &Event,
        login: &Arc<OpenHandshake>,
        handshake: &KeyHandshake,
    ) -> Result<()> {
        let (stream, one_time) = (login.row.stream, login.row.expires_at.is_some());
        match self.challenge_scanner(event, login, handshake).await {
            Err(error @ PortalError::LimitReached { limit, retry_after, .. }) => {
                tracing::debug!(stream_id = %stream, %error, "a login URL was scanned, but its user cannot be asked now");
                self.metrics.logins.scanned("refused");
                self.metrics.limits.reached(limit);
                if one_time {
                    let until = retry_after.map_or_else(String::new, |wait| {
                        format!("; possible again at {}", self.clock.now().plus(wait))
                    });
                    let reason = format!("{error} (auth.max_{}){until}", limit.label());
                    self.end_unscanned(login, FailureCode::TooManyRequests, reason).await?;
                }
                Ok(())
            }
            result => result,
        }
    }

    async fn challenge_scanner(
        &self,
        event: &Event,
        login: &Arc<OpenHandshake>,
        handshake: &KeyHandshake,
    ) -> Result<()> {
        let row = &login.row;
        let slot = if row.expires_at.is_some() { self.registry.keep_room() } else { self.reserve()? };
        let prompt = self.prompts.ask(vec![event.pubkey], self.clock.now()).await?;
        let recorded = async {
            let one_time = row.expires_at.is_some();
            let relays = self.relays.filter_preferred(&handshake.preferred_relays);
            let origin = Origin::LoginUrl { one_time };
            let prepared = self
                .challenger
                .prepare(self.now_for_deadline(), row.stream, &prompt, relays, origin, slot)
                .await?;
            self.record_scan(event, std::slice::from_ref(login), handshake, Some(prepared)).await
        };
        let recorded = recorded.await;
        if recorded.is_err() {
            self.prompts.take_back(prompt.challenge, &prompt.keys).await;
        }
        recorded
    }

    /// Stores a scan with the challenge that follows from it, then reports the scan and sends the challenge.
    async fn record_scan(
        &self,
        event: &Event,
        waiting: &[Arc<OpenHandshake>],
        handshake: &KeyHandshake,
        challenge: Option<Prepared>,
    ) -> Result<()> {
        let mut recording = Vec::with_capacity(waiting.len());
        for open in waiting {
            recording.push(open.recording.read().await);
        }
        let (user, now) = (event.pubkey, self.clock.now());
        let preferred = self.relays.filter_preferred(&handshake.preferred_relays);
        let preferred_relays: Vec<String> = preferred.iter().map(ToString::to_string).collect();
        let body =
            EventBody::KeyHandshake { main_key: user, preferred_relays: sane(&handshake.preferred_relays) };
        let draft = self.events.draft(now, &body)?;
        let one_time = waiting.iter().any(|handshake| handshake.row.expires_at.is_some());
        let follows = challenge.is_some();
        let scan = Scan {
            event_id: event.id.to_bytes(),
            user,
            preferred_relays,
            at: now,
            events: waiting.iter().map(|open| (open.row.stream, draft.clone())).collect(),
            one_time,
            challenge: challenge.as_ref().map(|prepared| prepared.row.clone()),
        };
        let Some(stored) = self.store.record_scan(&scan).await? else {
            if let Some(Prepared { open, .. }) = &challenge {
                self.prompts.take_back(open.id, &open.prompted).await;
            }
            waiting.iter().for_each(|open| self.events.doubt(open.row.stream));
            return Ok(());
        };
        if let Some(prepared) = &challenge {
            // Before the URL is forgotten: at no moment is nothing open.
            self.registry.add_challenge(Arc::clone(&prepared.open));
        }
        if one_time {
            waiting.iter().for_each(|open| drop(self.registry.remove_handshake(open.row.stream)));
        }
        for (stream, stored) in stored {
            let ended = one_time && !follows;
            tracing::debug!(stream_id = %stream, event = %event.id, "handshake scanned");
            if ended {
                self.metrics.logins.ended("scanned");
                tracing::info!(stream_id = %stream, outcome = "scanned", "stream ended");
            }
            self.events.publish(stream, &stored, body.clone(), ended);
        }
        self.metrics.logins.scanned("taken");
        if let Some(prepared) = challenge {
            self.challenger.send(prepared);
        }
        Ok(())
    }

    /// Whether an event's time is near ours, so that a hostile relay cannot replay old scans.
    fn is_recent(&self, event: &Event) -> bool {
        let (now, made) = (self.clock.now().secs(), event.created_at.as_secs());
        now.abs_diff(made) <= self.limits.max_event_age.as_secs()
    }
}

/// The relays that callers see: valid relay URLs as the wallet wrote them, and not too many.
fn sane(preferred: &[String]) -> Vec<String> {
    /// Wallets name two or three.
    const MAX_TOLD: usize = 8;
    const MAX_URL: usize = 256;

    let is_sane = |url: &&String| {
        is_printable(url) && url.len() <= MAX_URL && RelayUrl::parse(url).is_ok_and(|url| is_plain(&url))
    };
    preferred.iter().filter(is_sane).take(MAX_TOLD).cloned().collect()
}

/// URL parsers ignore line breaks and tabs.
fn is_printable(url: &str) -> bool {
    url.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_wallet_cannot_have_callers_told_what_is_no_relay() {
        let long = format!("wss://{}.example", "a".repeat(300));
        let hostile = [
            "http://x",
            "wss://u:p@a.example",
            "nonsense\n",
            "wss://a.example\n",
            "wss://a\t.example",
            "",
            &long,
        ]
        .map(str::to_owned);
        assert!(sane(&hostile).is_empty());
        let many: Vec<String> = (0..50).map(|n| format!("wss://relay{n}.example")).collect();
        assert_eq!(sane(&many), many[..8]);
    }
}
