//! Servers with certificates of a business's own CA: relays, issuers, NIP-05 hosts.

use std::path::Path;

use nostr_sdk::Keys;
use rcgen::{BasicConstraints, IsCa};
use serde_json::{Value, json};

use crate::sessions::SESSIONS;
use crate::support::ca::{Ca, Flaw, TlsFront, self_signed};
use crate::support::daemon::{Daemon, Plan};
use crate::support::domain::domain;
use crate::support::issuer::{Issuer, Key};
use crate::support::now;
use crate::support::phone::Phone;
use crate::support::program::{finished, portico};
use crate::support::relay::TestRelay;

/// The faults of a server, and what each is told as.
const FLAWS: [(Flaw, &str, &str); 8] = [
    (Flaw::Expired, "tls_certificate_expired", "has expired"),
    (Flaw::NotYetValid, "tls_certificate_not_yet_valid", "not valid yet"),
    (Flaw::WrongName, "tls_certificate_wrong_name", "for another name"),
    (Flaw::OldTls, "tls_old_version", "neither TLS 1.2 nor TLS 1.3"),
    (Flaw::AnswersInOldTls, "tls_old_version", "neither TLS 1.2 nor TLS 1.3"),
    (Flaw::NoTls, "tls_not_spoken", "does not speak TLS"),
    (Flaw::HangsUp, "tls_handshake_ended", "does it speak TLS?"),
    (Flaw::Refuses, "tls_failed", "the alert handshake_failure"),
];

/// Lists relays behind these; the `[tls]` section names the CA.
fn on(fronts: &[&TlsFront], ca: &Ca) -> Plan {
    let plan = Daemon::on(&[]);
    let list: String =
        fronts.iter().map(|front| format!("[[relay]]\nurl = \"wss://{}\"\n", front.host())).collect();
    std::fs::write(plan.folder().join("relays.toml"), list).unwrap();
    let tls = ca.trusted_in(plan.folder());
    plan.with_config(&tls)
}

/// A whole login over the daemon's relays.
async fn log_in(daemon: &Daemon, ca: &Ca) {
    let (url, stream) = daemon.rest().login(json!({})).await;
    assert!(url.contains("wss%3A%2F%2Flocalhost") || url.contains("wss://localhost"), "{url}");
    let mut phone = Phone::new().trusting(ca);
    phone.scan(&url).await;
    let asked = phone.challenge().await;
    phone.approve(&asked).await;
    let ended = daemon.ended(&stream).await.pop().unwrap();
    assert_eq!(ended["status"]["status"], "approved", "{ended}");
}

async fn until_ready(daemon: &Daemon, front: &TlsFront) {
    daemon.until_logged(&format!("\"ready\",\"relay\":\"wss://{}\"", front.host())).await;
}

#[tokio::test]
async fn people_log_in_over_wss_with_a_ca_of_the_business_through_restarts_of_relay_and_daemon() {
    let (ca, mut relay) = (Ca::new(), TestRelay::start().await);
    let front = ca.before(relay.address(), Flaw::Nothing).await;
    let mut daemon = on(&[&front], &ca).start().await;
    until_ready(&daemon, &front).await;
    log_in(&daemon, &ca).await;

    relay.restart().await;
    relay.until_subscribed(1).await;
    log_in(&daemon, &ca).await;

    assert!(daemon.terminate().await.success());
    let daemon = daemon.restart().await;
    until_ready(&daemon, &front).await;
    log_in(&daemon, &ca).await;
}

#[tokio::test]
async fn each_fault_of_a_server_is_told_as_what_it_is_in_the_log_in_relays_and_by_the_check() {
    let (ca, relay) = (Ca::new(), TestRelay::start().await);
    let mut fronts = Vec::new();
    for (flaw, code, words) in FLAWS {
        fronts.push((ca.before(relay.address(), flaw).await, code, words));
    }
    let foreign = Ca::new().before(relay.address(), Flaw::Nothing).await;
    fronts.push((foreign, "tls_unknown_issuer", "unknown CA"));
    for is_ca in [IsCa::NoCa, IsCa::ExplicitNoCa] {
        let front = self_signed(is_ca, relay.address()).await;
        fronts.push((
            front,
            "tls_unknown_issuer",
            "self-signed or was issued by an unknown CA (set tls.ca_file",
        ));
    }
    let front = self_signed(IsCa::Ca(BasicConstraints::Unconstrained), relay.address()).await;
    fronts.push((front, "tls_ca_certificate", "the server uses a CA's own certificate"));
    fronts.push((ca.itself_before(relay.address()).await, "tls_ca_certificate", "a CA's own certificate"));
    let all: Vec<&TlsFront> = fronts.iter().map(|(front, ..)| front).collect();
    let daemon = on(&all, &ca).start().await;
    for (front, code, words) in &fronts {
        daemon.until_logged(&format!("\"code\":\"{code}\"")).await;
        let relay = told(&daemon, front, code).await;
        let error = relay["last_error"].as_str().unwrap();
        assert!(error.contains("no secure connection") && error.contains(words), "{error}");
        assert_ne!(relay["state"], "ready");
    }
    let mut check = portico(daemon.folder());
    check.args(["relays", "check", "--json", "--config", "portico.toml", "--relays", "relays.toml"]);
    let found = finished(check).await;
    assert_eq!(found.code, 1, "{found:?}");
    let found: Vec<Value> = serde_json::from_str(&found.stdout).unwrap();
    for (checkup, (_, code, words)) in found.iter().zip(&fronts) {
        assert_eq!(checkup["problem_code"], *code, "{checkup}");
        assert!(checkup["problem"].as_str().unwrap().contains(words), "{checkup}");
    }
}

/// The entry of the relay in `/relays`, once it has this code.
async fn told(daemon: &Daemon, front: &TlsFront, code: &str) -> Value {
    crate::support::soon(code, async {
        loop {
            let relays = daemon.rest().get("/relays").await.data()["relays"].take();
            let is_it = |relay: &&Value| relay["relay"] == format!("wss://{}", front.host());
            let relay = relays.as_array().unwrap().iter().find(is_it).unwrap().clone();
            if relay["last_error_code"] == code {
                return relay;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn a_relay_with_a_certificate_of_the_business_is_fit_once_its_ca_is_named() {
    let (ca, relay) = (Ca::new(), TestRelay::start().await);
    let front = ca.before(relay.address(), Flaw::Nothing).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
    let url = format!("wss://{}", front.host());
    for (env, code) in [(None, 1), (Some(("PORTICO_TLS__CA_FILE", "ca.pem")), 0)] {
        let mut check = portico(folder.path());
        check.args(["relays", "check", &url]).envs(env);
        let found = finished(check).await;
        assert_eq!(found.code, code, "{found:?}");
        assert_eq!(found.stdout.contains("unknown CA"), env.is_none(), "{found:?}");
    }
}

#[tokio::test]
async fn keys_of_an_issuer_and_nip05_names_are_read_from_hosts_of_the_business() {
    let (ca, key) = (Ca::new(), Key::new("a"));
    let issuer = Issuer::start(&[&key]).await;
    let user = Keys::generate();
    let document = json!({ "names": { "alice": user.public_key() } }).to_string();
    let host = domain("200 OK", &[], document).await;
    let (issuer, host) =
        (ca.before(issuer.address, Flaw::Nothing).await, ca.before(host, Flaw::Nothing).await);
    let config = format!(
        "{SESSIONS}[lookup]\nallow_private = true\n[wallets]\ndefault = \"jwks\"\n[wallets.jwks]\n\
         issuer = \"{}\"\naudience = \"app\"\njwks_url = \"https://{}/jwks.json\"\nallow_private = true\n",
        Issuer::NAME,
        issuer.host(),
    );
    let credential = key.token(
        &json!({ "iss": Issuer::NAME, "aud": "app", "sub": "alice", "email": "alice@example.com", "iat": now(), "exp": now() + 600 }),
    );
    for is_named in [true, false] {
        let plan = Daemon::offline();
        let tls = if is_named { ca.trusted_in(plan.folder()) } else { String::new() };
        let daemon = plan.with_config(&format!("{tls}{config}")).start().await;
        let login = daemon.rest().post("/auth/login", json!({ "credential": credential })).await;
        let status = login.status.as_u16();
        assert!(if is_named { status < 300 } else { status == 503 }, "{status} {}", login.text);
        let name = daemon.rest().get(&format!("/nip05/alice@{}", host.host())).await;
        assert_eq!(name.text.contains(&user.public_key().to_hex()), is_named, "{}", name.text);
        if !is_named {
            assert!(daemon.log().contains("unknown CA"), "{}", daemon.log());
        }
    }
}

/// How `serve` and `config check` end, and what they say.
async fn refusals(folder: &Path) -> [(i32, String); 2] {
    let run = async |command: &[&str]| {
        let mut program = portico(folder);
        program.args(command).args(["--config", "portico.toml", "--data-dir", "data"]);
        finished(program).await.into_refusal()
    };
    [run(&["serve"]).await, run(&["config", "check"]).await]
}

#[tokio::test]
async fn a_ca_file_that_cannot_be_used_is_a_mistake_in_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("portico.toml", "[tls]\nca_file = \"ca.pem\"\n");
    for (text, reason) in [
        (None, "cannot read"),
        (Some(String::new()), "contains no certificate"),
        (Some(" ".repeat(1024 * 1024 + 1)), "larger than 1048576 bytes"),
        (Some(Ca::new().pem().replace("-----END", "-----FIN")), "certificate 1 in"),
    ] {
        if let Some(text) = text {
            write("ca.pem", &text);
        }
        for (code, said) in refusals(folder.path()).await {
            assert_eq!(code, 64, "{said}");
            assert!(said.contains("tls.ca_file") && said.contains(reason), "{said}");
            assert!(said.contains("ca.pem") && said.contains("portico.toml"), "{said}");
        }
    }
}

#[tokio::test]
async fn roots_of_the_operating_system_that_cannot_be_read_are_told_at_the_start_where_they_are_named() {
    let daemon = Daemon::offline().with_env("SSL_CERT_FILE", "/nowhere/roots.pem").start().await;
    daemon.until_logged("SSL_CERT_FILE").await;
    daemon.until_logged("/nowhere/roots.pem").await;
}
