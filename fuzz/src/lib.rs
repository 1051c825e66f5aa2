//! What is fuzzed: one module a parser, each with a `run` that feeds it and asserts what must hold of
//! whatever it accepts. `tests/fuzz_corpus.rs` replays the corpus through the same functions.

pub mod access_token;
pub mod envelope;
pub mod handshake_url;
pub mod jwks;
pub mod message;
pub mod nip98;
pub mod para_session;
pub mod relay_frame;
pub mod sign_in;
pub mod thirdweb;
pub mod token;
pub mod ws_command;
