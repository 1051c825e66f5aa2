//! The fuzz targets: one module for each parser. Its `run` passes the input to the parser, and asserts what must be
//! true of accepted input. `tests/fuzz_corpus.rs` replays the corpus through the same functions.

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
