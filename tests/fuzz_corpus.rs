//! What the fuzzers have found worth keeping (`fuzz/corpus`), through the same functions that they call.

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "public for the fuzzers, whose crate this module is")]
mod portico_fuzz;

use std::fs;
use std::path::Path;

/// Feeds every input of a corpus; a failure names the file.
fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut inputs = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let data = fs::read(&path).unwrap();
        let outcome = std::panic::catch_unwind(|| run(&data));
        assert!(outcome.is_ok(), "{} fails", path.display());
        inputs += 1;
    }
    assert!(inputs >= 10, "the corpus of {target} is not there: {inputs} inputs");
}

#[test]
fn the_corpus_of_tokens_holds() {
    replay("token", portico_fuzz::token::run);
}

#[test]
fn the_corpus_of_access_tokens_holds() {
    replay("access_token", portico_fuzz::access_token::run);
}

#[test]
fn the_corpus_of_thirdweb_tokens_holds() {
    replay("thirdweb", portico_fuzz::thirdweb::run);
}

#[test]
fn the_corpus_of_handshake_urls_holds() {
    replay("handshake_url", portico_fuzz::handshake_url::run);
}

#[test]
fn the_corpus_of_messages_holds() {
    replay("message", portico_fuzz::message::run);
}

#[test]
fn the_corpus_of_envelopes_holds() {
    replay("envelope", portico_fuzz::envelope::run);
}

#[test]
fn the_corpus_of_websocket_commands_holds() {
    replay("ws_command", portico_fuzz::ws_command::run);
}

#[test]
fn the_corpus_of_relay_frames_holds() {
    replay("relay_frame", portico_fuzz::relay_frame::run);
}

#[test]
fn the_corpus_of_sign_ins_holds() {
    replay("sign_in", portico_fuzz::sign_in::run);
}

#[test]
fn the_corpus_of_exported_sessions_holds() {
    replay("para_session", portico_fuzz::para_session::run);
}

#[test]
fn the_corpus_of_issuers_tokens_and_keys_holds() {
    replay("jwks", portico_fuzz::jwks::run);
}

#[test]
fn the_corpus_of_signed_requests_holds() {
    replay("nip98", portico_fuzz::nip98::run);
}
