//! Other people's libraries: each is given tokens and where the keys are published, and says what it makes of them.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::support::program::command_of;
use crate::support::soon;

/// What a library makes of a token.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Verdict {
    /// It verified, under this key.
    Holds { alg: String, kid: String, claims: Value },
    /// It did not, and why, as the library calls it.
    Refused { refused: String },
}

/// A token, and whom it should be for.
pub(crate) struct Shown {
    pub(crate) token: String,
    pub(crate) audience: String,
}

/// Where keys are published, and by whom.
pub(crate) struct Publisher {
    pub(crate) jwks: String,
    pub(crate) issuer: String,
}

/// npm's jose.
pub(crate) async fn jose(publisher: &Publisher, shown: &[Shown]) -> Vec<Verdict> {
    let mut node = command_of(Path::new("node"), &installed());
    // What is evaluated imports from the working folder, where the packages are.
    node.args(["--input-type=module", "--eval", include_str!("verify.mjs")]);
    answers(node, publisher, shown).await
}

/// PyPI's PyJWT.
pub(crate) async fn pyjwt(publisher: &Publisher, shown: &[Shown]) -> Vec<Verdict> {
    let mut python = command_of(&installed().join("venv/bin/python"), &installed());
    python.args(["-I", "-c", include_str!("verify.py")]);
    answers(python, publisher, shown).await
}

/// Where `.ci/run` installs them.
pub(crate) fn installed() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/foreign");
    assert!(folder.is_dir(), "{}: .ci/run tells what has to be installed there", folder.display());
    folder
}

async fn answers(mut command: Command, publisher: &Publisher, shown: &[Shown]) -> Vec<Verdict> {
    let cases: Vec<_> =
        shown.iter().map(|one| json!({ "token": one.token, "audience": one.audience })).collect();
    let asked = json!({ "jwks": publisher.jwks, "issuer": publisher.issuer, "cases": cases }).to_string();
    command.env("PATH", std::env::var_os("PATH").unwrap()).stdin(Stdio::piped());
    let mut running = command.spawn().expect(".ci/run tells what has to be installed");
    running.stdin.take().unwrap().write_all(asked.as_bytes()).await.unwrap();
    let output = soon("a library's answer", running.wait_with_output()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// jsonwebtoken, with the published keys.
pub(crate) fn jsonwebtoken(keys: &str, issuer: &str, shown: &[Shown]) -> Vec<Verdict> {
    let keys: JwkSet = serde_json::from_str(keys).unwrap();
    let verify = |one: &Shown| {
        let header = decode_header(&one.token).map_err(|_| "malformed header")?;
        let kid = header.kid.unwrap();
        let jwk = keys.find(&kid).ok_or("no such key")?;
        let alg = jwk.common.key_algorithm.unwrap();
        let mut validation = Validation::new(alg.try_into().unwrap());
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[&one.audience]);
        let read = decode::<Value>(&one.token, &DecodingKey::from_jwk(jwk).unwrap(), &validation);
        let claims = read.map_err(|error| error.to_string())?.claims;
        assert_eq!(header.typ.as_deref(), Some("at+jwt"));
        Ok(Verdict::Holds { alg: alg.to_string(), kid, claims })
    };
    shown.iter().map(|one| verify(one).unwrap_or_else(|refused| Verdict::Refused { refused })).collect()
}
