//! `openapi.json` says neither more nor less than the daemon: schemathesis (PyPI) calls every operation with valid and
//! invalid data.

use std::path::Path;

use crate::support::program::command_of;
use crate::support::relay::TestRelay;
use crate::verifiers::installed;
use crate::with_sessions;

#[tokio::test]
async fn the_document_is_as_strict_as_the_daemon() {
    let relay = TestRelay::start().await;
    let daemon = with_sessions(&relay, "").with_tcp().start_subscribed(&[&relay]).await;
    let settings = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign/schemathesis");
    let mut schemathesis = command_of(&installed().join("venv/bin/schemathesis"), daemon.folder());
    schemathesis
        .env("PYTHONPATH", &settings)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_COLOR", "1")
        .arg("--config-file")
        .arg(settings.join("schemathesis.toml"))
        .args(["run", &format!("http://{}/openapi.json", daemon.address())])
        .args(["--header", &format!("Authorization: Bearer {}", daemon.api_token())])
        .args(["--phases", "coverage,fuzzing"]);
    let output = schemathesis.output().await.expect(".ci/run tells what has to be installed");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let tested = "Test cases:\n";
    let counted = told.split(tested).nth(1).and_then(|rest| rest.trim().split(' ').next());
    let cases: u32 = counted.unwrap_or_else(|| panic!("{told}")).parse().unwrap();
    assert!(cases > 1_000, "{told}");
}
