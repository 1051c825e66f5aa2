//! Portico logs people in with the wallet on their phone: no passwords, no identity provider, no cloud.
//!
//! A business runs it next to its web app. It speaks the protocol of the Portal wallet over Nostr relays,
//! verifies the tokens that wallets issue, and reports the results to programs on the same machine.
//!
//! # The modules
//!
//! `tests/architecture.rs` lists what each module may use, and fails when one uses more.
//!
//! | module | what it is |
//! |---|---|
//! | [`portal_token`] | pure: ES256K tokens and their verification |
//! | [`protocol`] | pure: messages, handshake URLs, subkeys, sealed events |
//! | `curve` | pure: keys and signatures on the curves of JOSE |
//! | [`access_token`] | pure: access tokens that any JOSE library verifies, and their keys |
//! | [`ethereum`] | pure: addresses, and signatures of their keys |
//! | [`actor`] | the actor of a change, as the audit names it |
//! | [`address`] | which addresses Portico may connect to for a stranger |
//! | [`clock`] | time as an argument |
//! | [`lifecycle`] | tracked tasks, and how they end |
//! | [`metrics`] | what Portico counts, and the names of all bounds |
//! | [`rights`] | what callers may do |
//! | `words` | enums whose variants are words for programs and operators |
//! | `quoted` | texts of strangers, made safe for errors and logs |
//! | [`shown`] | URLs without their secret parts, and paths |
//! | [`tls`] | which certificates Portico trusts when it connects |
//! | [`lookups`] | looks up host names, in a limited number of threads |
//! | [`outbound`] | the one HTTP client for web servers that others name |
//! | [`api_tokens`] | API tokens with names: made, recognized, revoked |
//! | `nip05` | NIP-05 names, and their document from its host |
//! | [`housekeeping`] | deletes old history, and watches the clock that decides what is old |
//! | [`identity`] | who the service is: its key, main key and proof |
//! | [`config`] | flags, environment and files, checked |
//! | [`store`] | the state that outlives the process |
//! | [`wallet`] | the wallet providers: a credential in, a verified identity out |
//! | [`relay`] | connections to relays, verified events in, publications out |
//! | [`events`] | streams of events, kept and followed |
//! | [`directory`] | profiles and NIP-05 names of users, and the names of the service |
//! | [`roster`] | the operator's relays: listed, changed at run time, ready or not |
//! | [`session`] | users and sessions on top of wallet logins |
//! | [`profile`] | what wallets show of the service: published, kept, checked |
//! | [`tokens`] | tokens of every kind: inspected, issued, revoked; the keys that sign them |
//! | [`webhook`] | events posted to the operator's own program |
//! | [`portal`] | the conversation with Portal's wallets |
//! | [`http`] | HTTP as every listener speaks it: sockets, bodies, the envelope |
//! | [`web`] | the sign-in page for web apps, and the codes that it ends with |
//! | [`api`] | the local API |
//! | [`client`] | the client of the Unix socket |
//! | [`app`] | starts the daemon: the one place that names the concrete parts |
//! | [`cli`] | the subcommands of `portico` |
//! | [`demo`] | an embedded relay and a simulated wallet, for `portico demo` |
//! | `fuzzing` | gives fuzzers access to private parsers |
//!
//! # One login, through the files
//!
//! 1. `POST /login` passes the guard (`api/guard.rs`) and reaches its handler (`api/routes/logins.rs`). The handler
//!    calls [`portal::Portal::login`] (`portal/requests.rs`), which stores a handshake
//!    (`store/sqlite/handshakes.rs`), registers it (`portal/registry.rs`), and returns its URL.
//! 2. The wallet scans the URL and publishes a KEY_HANDSHAKE. Portico sorts the frame of the relay (`relay/tap.rs`),
//!    asks the gate (`portal/registry.rs`) and verifies the signature (`relay/inbound.rs`). It opens the message
//!    (`protocol/envelope.rs`, `portal/dispatch.rs`) and finds its handshake (`portal/scans.rs`).
//! 3. Portico makes and seals the challenge (`portal/challenge.rs`). One transaction stores it with the scan
//!    (`store/sqlite/scans.rs`). Then the caller receives `key_handshake` (`events/follow.rs`), and the challenge
//!    goes to the relays (`relay/outbox.rs`).
//! 4. The wallet asks its user and publishes an AUTH_RESPONSE. It takes the same way, and Portico finds its
//!    challenge (`portal/answers.rs`).
//! 5. Portico checks the session token, once (`tokens/portal.rs`, [`portal_token`]). It stores the outcome, and then
//!    publishes it (`portal/settle.rs`): `authenticate_key` with the verified claims.
//! 6. If sessions are enabled, the same transaction stores the new session (`portal/outcome.rs`, `session/book.rs`).
//!
//! From the frame to the follower, a message is handed over three times: from the task that reads the connection to
//! a worker, from the worker to the writer of the store and back, and from the worker to the follower. The worker
//! verifies, opens, matches and checks it.

// `say!` and `note!` (cli/terminal.rs) survive a terminal that is gone.
#![deny(clippy::disallowed_macros)]

// First, because it declares a macro that the others use.
#[macro_use]
mod words;

pub mod access_token;
pub mod actor;
pub mod address;
pub mod api;
pub mod api_tokens;
pub mod app;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
mod curve;
#[cfg(feature = "demo")]
pub mod demo;
pub mod directory;
pub mod ethereum;
pub mod events;
#[doc(hidden)]
pub mod fuzzing;
pub mod housekeeping;
pub mod http;
pub mod identity;
pub mod lifecycle;
pub mod lookups;
pub mod metrics;
mod nip05;
pub mod outbound;
pub mod portal;
pub mod portal_token;
pub mod profile;
pub mod protocol;
mod quoted;
pub mod relay;
pub mod rights;
pub mod roster;
pub mod session;
pub mod shown;
pub mod store;
pub mod tls;
pub mod tokens;
pub mod wallet;
pub mod web;
pub mod webhook;
