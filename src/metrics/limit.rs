//! The bounds, and the labels under which they are counted.

use std::sync::atomic::{AtomicU64, Ordering};

use super::reading::Reading;

words! {
    /// A bound of Portico: the word is its label. `docs/limits.md` says what happens when it is reached.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum Limit: label {
        /// `local.max_connections`.
        Connections = "connections",
        /// `local.max_connections_per_peer`.
        ConnectionsPerPeer = "connections_per_peer",
        /// Connections of strangers.
        Strangers = "strangers",
        /// The size of the head of a request, and the number of its fields.
        HeadSize = "head_size",
        /// The size of a body.
        BodySize = "body_size",
        /// The size of a WebSocket message.
        MessageSize = "message_size",
        /// Tokens in one batch.
        BatchSize = "batch_size",
        /// `local.max_followers`.
        Followers = "followers",
        /// `local.max_followed_per_connection`.
        FollowedPerConnection = "followed_per_connection",
        /// `local.websocket_queue`.
        WebsocketQueue = "websocket_queue",
        /// `auth.max_open`.
        OpenRequests = "open_requests",
        /// `auth.max_open_per_user`.
        OpenPerUser = "open_per_user",
        /// `auth.max_prompts_per_user`.
        PromptsPerUser = "prompts_per_user",
        /// `auth.max_scans_per_url`.
        ScansPerUrl = "scans_per_url",
        /// `auth.max_streams_per_token`.
        StreamsPerToken = "streams_per_token",
        /// `tokens.max_revocations`.
        Revocations = "revocations",
        /// The size of a host's document of NIP-05 names.
        Nip05Document = "nip05_document",
        /// `relays.max_relays`.
        Relays = "relays",
        /// `relays.max_preferred`.
        PreferredRelays = "preferred_relays",
        /// `relays.inbox`.
        Inbox = "inbox",
        /// `relays.queue_per_relay`.
        QueuePerRelay = "queue_per_relay",
        /// `webhook.max_waiting`.
        WebhookWaiting = "webhook_waiting",
        /// `sessions.max_per_user`.
        SessionsPerUser = "sessions_per_user",
        /// `sessions.max_logins_per_wallet`.
        LoginsPerWallet = "logins_per_wallet",
        /// `sessions.max_refreshes_per_wallet`.
        RefreshesPerWallet = "refreshes_per_wallet",
        /// `wallets.thirdweb.max_open_payloads`.
        OpenPayloads = "open_payloads",
        /// `web.max_open`.
        WebOpen = "web_open",
        /// `web.max_open_per_app`.
        WebOpenPerApp = "web_open_per_app",
        /// `web.max_open_per_address`.
        WebOpenPerAddress = "web_open_per_address",
        /// `web.max_open_per_browser`.
        WebOpenPerBrowser = "web_open_per_browser",
        /// Answers that one sign-in waits for.
        WebWaiting = "web_waiting",
        /// API tokens with names.
        ApiTokens = "api_tokens",
        /// Changes by one API token.
        ChangesPerToken = "changes_per_token",
        /// Keys of access tokens.
        SigningKeys = "signing_keys",
        /// People who are signed in at the operator's page.
        PageSessions = "page_sessions",
        /// Logins with a wallet that are open at the operator's page.
        PageLogins = "page_logins",
        /// Refusals that the audit records.
        AuditedRefusals = "audited_refusals",
    }
}

/// How often each bound was reached.
#[derive(Debug)]
pub struct Limits([AtomicU64; Limit::ALL.len()]);

impl Default for Limits {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Limits {
    /// A bound was reached once more.
    pub fn reached(&self, limit: Limit) {
        self.0[limit as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Sets how often a bound was reached, as its owner counted.
    pub fn reached_in_all(&self, limit: Limit, times: u64) {
        self.0[limit as usize].fetch_max(times, Ordering::Relaxed);
    }

    pub(super) fn read_into(&self, reading: &mut Reading) {
        let counts = Limit::ALL.iter().zip(&self.0);
        for (limit, count) in counts {
            reading.counter(
                "portico_limit_reached_total",
                "How often a bound was reached (docs/limits.md).",
                &[("limit", limit.label())],
                count.load(Ordering::Relaxed) as f64,
            );
        }
    }
}
