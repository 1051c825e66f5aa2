//! Exported sessions: any text, and any JSON in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portico::wallet::para_session::{ExportedSession, MAX_SESSION_BYTES, SessionFormatError};

/// The input is an exported session; if it begins with `{`, it is encoded in base64 first.
pub fn run(data: &[u8]) {
    if data.first() == Some(&b'{') {
        let text = STANDARD.encode(data);
        // Another JSON parser reads the same values, unless it fails on a part that Portico ignores: a number that is
        // too large, or half a surrogate pair.
        let whole = serde_json::from_slice::<serde_json::Value>(data);
        if let (Ok(session), Ok(whole)) = (judge(&text), whole) {
            assert_eq!(whole["userId"], session.user_id);
            for wallet in &session.wallets {
                assert_eq!(whole["wallets"][&wallet.id]["address"], wallet.address);
            }
        }
    } else if let Ok(text) = std::str::from_utf8(data) {
        let _ = judge(text);
    }
}

/// Reads a session. If it can be read, asserts what the parser promises.
fn judge(text: &str) -> Result<ExportedSession, SessionFormatError> {
    let session = ExportedSession::parse(text)?;
    assert!(text.len() <= MAX_SESSION_BYTES);
    let visible = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    assert!(visible(&session.user_id));
    assert!(session.wallets.len() <= 32);
    // The cookie is a secret.
    assert!(format!("{session:?}").contains("REDACTED"));
    Ok(session)
}
