//! A service that moves over from Portal's own daemon: its variables and its configuration file.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nostr_sdk::{Keys, Kind};
use serde_json::{Value, json};

use crate::support::daemon::{Daemon, Plan};
use crate::support::program::{Finished, command_of, finished, portico};
use crate::support::relay::TestRelay;
use crate::support::rest::{Rest, refused};

const TOKEN: &str = "the-token-of-the-old-daemon";
const SECRET: &str = "the-secret-of-the-webhook";

/// A daemon that nothing of Portico's own is said to.
fn told_nothing() -> Plan {
    let plan = Daemon::on(&[]).without_flags();
    std::fs::remove_file(plan.folder().join("relays.toml")).unwrap();
    std::fs::remove_file(plan.folder().join("portico.toml")).unwrap();
    plan
}

async fn config_check(folder: &Path, variables: &[(&str, &str)]) -> Finished {
    let mut command = portico(folder);
    command.args(["config", "check", "--json"]).envs(variables.iter().copied());
    finished(command).await
}

#[tokio::test]
async fn the_old_daemons_variables_are_enough_and_the_log_tells_their_names_alone() {
    let relay = TestRelay::start().await;
    let keys = Keys::generate();
    let daemon = told_nothing()
        .with_env("PORTAL__AUTH__AUTH_TOKEN", TOKEN)
        .with_env("PORTAL__NOSTR__PRIVATE_KEY", keys.secret_key().to_secret_hex())
        .with_env("PORTAL__NOSTR__RELAYS", format!("{}, {}", relay.url(), relay.url()))
        .with_env("PORTAL__NOSTR__SUBKEY_PROOF", "")
        .with_env("PORTAL__INFO__LISTEN_PORT", 0)
        .with_env("PORTAL__WEBHOOK__URL", "http://127.0.0.1:9/hook")
        .with_env("PORTAL__WEBHOOK__SECRET", SECRET)
        .with_env("PORTAL__PROFILE__NAME", "shop")
        .with_env("PORTAL__PROFILE__DISPLAY_NAME", "1234")
        .with_env("PORTAL__WALLET__LN_BACKEND", "none")
        .start_subscribed(&[&relay])
        .await;
    assert_eq!(daemon.public_key().await, keys.public_key().to_hex());
    let rest = Rest::tcp(daemon.address(), TOKEN.into());
    assert_eq!(rest.get("/webhooks").await.data()["enabled"], true);
    relay.until("the profile", |state| state.stored.iter().any(|event| event.kind == Kind::Metadata)).await;
    let profile: Value = serde_json::from_str(&relay.state().stored[0].content).unwrap();
    assert_eq!(profile, json!({ "name": "shop", "display_name": "1234" }));

    let log = daemon.log();
    for name in
        ["AUTH__AUTH_TOKEN", "NOSTR__PRIVATE_KEY", "NOSTR__RELAYS", "INFO__LISTEN_PORT", "WEBHOOK__SECRET"]
    {
        assert!(log.contains(&format!("PORTAL__{name}")), "{name}: {log}");
    }
    let unknown = log.lines().find(|line| line.contains("PORTAL__WALLET__LN_BACKEND")).unwrap();
    assert!(unknown.contains("WARN") && unknown.contains("no counterpart"), "{unknown}");
    for secret in [TOKEN, SECRET, &keys.secret_key().to_secret_hex()] {
        assert!(!log.contains(secret));
    }
    assert!(!daemon.folder().join(".config/portico/service.key").exists(), "no other key was made");
}

#[tokio::test]
async fn what_is_said_in_porticos_own_words_goes_first() {
    let relay = TestRelay::start().await;
    let config = "[local]\ntoken = \"the-token-of-the-new-daemon\"\n[profile]\nname = \"new\"\n\
                  [webhook]\nurl = \"http://127.0.0.1:9/new\"\nsecret = \"another-secret-of-a-webhook\"\n";
    let daemon = Daemon::on(&[&relay])
        .with_config(config)
        .with_tcp()
        .with_env("PORTAL__AUTH__AUTH_TOKEN", TOKEN)
        .with_env("PORTAL__NOSTR__PRIVATE_KEY", Keys::generate().secret_key().to_secret_hex())
        .with_env("PORTAL__NOSTR__RELAYS", "wss://old.example")
        .with_env("PORTAL__INFO__LISTEN_PORT", 1)
        .with_env("PORTAL__WEBHOOK__SECRET", SECRET)
        .with_env("PORTAL__PROFILE__NAME", "old")
        .start_subscribed(&[&relay])
        .await;
    let info = |token: &str| Rest::tcp(daemon.address(), token.into());
    assert_eq!(info(TOKEN).get("/info").await.refusal(), refused(401, "unauthorized"));
    let told = info("the-token-of-the-new-daemon").get("/info").await.data();
    let own = Keys::parse(&daemon.secret()).unwrap().public_key().to_hex();
    assert_eq!(told["public_key"], own);
    relay.until("the profile", |state| state.stored.iter().any(|event| event.content.contains("new"))).await;
    assert_eq!(daemon.log().matches("is not used").count(), 6, "{}", daemon.log());
}

#[tokio::test]
async fn it_listens_where_the_old_daemon_did_and_on_loopback_unless_told_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let remote = ("PORTICO_LOCAL__ALLOW_REMOTE", "true");
    let (token, port) = (("PORTAL__AUTH__AUTH_TOKEN", TOKEN), ("PORTAL__INFO__LISTEN_PORT", "4000"));
    for (variables, listen) in [
        (&[token][..], "127.0.0.1:3000"),
        (&[token, remote], "0.0.0.0:3000"),
        (&[port], "127.0.0.1:4000"),
        (&[port, remote], "0.0.0.0:4000"),
        (&[port, ("PORTICO_LISTEN", "127.0.0.1:5000")], "127.0.0.1:5000"),
        (&[], "off"),
    ] {
        assert_eq!(config_check(folder.path(), variables).await.json()["listen"], listen, "{variables:?}");
    }
}

#[tokio::test]
async fn a_mistake_in_a_variable_is_named_and_a_secret_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    for (name, value) in [
        ("PORTAL__NOSTR__PRIVATE_KEY", "your-nostr-private-key"),
        ("PORTAL__NOSTR__RELAYS", "wss://a.example,http://nonsense"),
        ("PORTAL__INFO__LISTEN_PORT", "99999"),
    ] {
        let refused = config_check(folder.path(), &[(name, value)]).await;
        assert!(refused.code == 64 && refused.stderr.contains(name), "{name}: {refused:?}");
        assert!(!refused.stderr.contains("your-nostr"), "{refused:?}");
    }
}

#[tokio::test]
async fn what_the_old_daemon_took_and_this_one_cannot_is_left_out_with_a_warning() {
    const HOOK: (&str, &str) = ("PORTAL__WEBHOOK__URL", "http://127.0.0.1:9/hook");
    let folder = tempfile::tempdir().unwrap();
    for (variables, words) in [
        (&[HOOK][..], &["PORTAL__WEBHOOK__URL (webhook.url)", "PORTAL__WEBHOOK__SECRET is missing"][..]),
        (
            &[HOOK, ("PORTAL__WEBHOOK__SECRET", "hunter2")],
            &["PORTAL__WEBHOOK__URL (webhook.url)", "PORTAL__WEBHOOK__SECRET must be at least 16 bytes"],
        ),
        (&[HOOK, ("PORTAL__WEBHOOK__SECRET", "whsec_hunter2hunter2")], &["PORTAL__WEBHOOK__SECRET whsec_"]),
        (&[("PORTAL__WEBHOOK__SECRET", SECRET)], &["PORTAL__WEBHOOK__URL is missing"]),
        (
            &[
                ("PORTAL__WEBHOOK__URL", "https://user:hunter2@a.example"),
                ("PORTAL__WEBHOOK__SECRET", SECRET),
            ],
            &["PORTAL__WEBHOOK__URL must not contain a user"],
        ),
        (
            &[("PORTAL__PROFILE__PICTURE", "x")],
            &["PORTAL__PROFILE__PICTURE (profile.picture)", "must be a URL"],
        ),
        (&[("PORTAL__PROFILE__NIP05", "sh op@a.example")], &["PORTAL__PROFILE__NIP05 (profile.nip05)"]),
        (&[("portal__profile__name", "a\nb")], &["portal__profile__name (profile.name)"]),
    ] {
        let named = [variables, &[("PORTAL__PROFILE__DISPLAY_NAME", "The Shop")]].concat();
        let checked = config_check(folder.path(), &named).await;
        let shown = checked.json();
        assert_eq!(shown["webhook"], "off", "{variables:?}");
        let profile = json!({ "name": null, "display_name": "The Shop", "picture": null, "nip05": null });
        assert_eq!(shown["profile"], profile, "{variables:?}");
        for word in words.iter().chain(&["is ignored"]) {
            assert!(checked.stderr.contains(word), "{word}: {checked:?}");
        }
        assert!(!checked.stderr.contains("hunter2"), "{checked:?}");
    }
    let name = config_check(folder.path(), &[("PORTAL__PROFILE__NIP05", "Shop@App.Example")]).await;
    assert_eq!(name.json()["profile"]["nip05"], "shop@app.example");
}

#[tokio::test]
async fn the_daemon_starts_without_the_webhook_of_the_old_one_and_warns() {
    let daemon = Daemon::offline()
        .with_env("PORTAL__WEBHOOK__URL", "http://127.0.0.1:9/hook")
        .with_env("PORTAL__PROFILE__PICTURE", "x")
        .start()
        .await;
    assert_eq!(daemon.rest().get("/webhooks").await.data()["enabled"], false);
    for name in ["PORTAL__WEBHOOK__URL", "PORTAL__PROFILE__PICTURE"] {
        let log = daemon.log();
        let line = log.lines().find(|line| line.contains(name)).unwrap();
        assert!(line.contains("WARN") && line.contains("is ignored"), "{line}");
    }
}

#[tokio::test]
async fn an_app_in_a_container_is_let_in_by_the_name_that_a_variable_lists() {
    let daemon = Daemon::offline()
        .with_tcp()
        .with_env("PORTICO_LOCAL__ALLOWED_HOSTS", "sdk-daemon, portico:3000")
        .start()
        .await;
    let as_host = |host: &str| daemon.rest_over_tcp().with("host", host);
    for host in ["sdk-daemon:3000", "sdk-daemon", "SDK-daemon:1", "portico:3000"] {
        assert_eq!(as_host(host).get("/info").await.status, 200, "{host}");
    }
    let other = as_host("other:3000").get("/info").await;
    assert_eq!(other.refusal(), refused(403, "forbidden"));
    let told = other.json()["error"].as_str().unwrap().to_owned();
    assert!(told.contains("other:3000") && told.contains("PORTICO_LOCAL__ALLOWED_HOSTS"), "{told}");
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains("local.allowed_hosts")).unwrap();
    assert!(line.contains("WARN") && line.contains("other:3000"), "{line}");
}

/// The old daemon's configuration.
fn config_toml(keys: &Keys, relay: &TestRelay) -> String {
    format!(
        "[logging]\nfilter = \"debug\"\n[info]\nlisten_port = 3117\n\
         [nostr]\nprivate_key = \"{}\"\nrelays = [\"{}\"]\n[auth]\nauth_token = \"{TOKEN}\"\n\
         [wallet]\nln_backend = \"nwc\"\n[wallet.nwc]\nurl = \"nostr+walletconnect://hunter2\"\n\
         [database]\npath = \"portal-rest.db\"\n[profile]\nname = \"shop\"\n\
         [webhook]\nurl = \"http://127.0.0.1:9/hook\"\nsecret = \"{SECRET}\"\n",
        keys.secret_key().to_secret_hex(),
        relay.url(),
    )
}

async fn migrate(folder: &Path, more: &[&str]) -> Finished {
    let mut command = portico(folder);
    command.arg("migrate-from-portal").arg(folder.join("config.toml")).args(more);
    finished(command).await
}

#[tokio::test]
async fn the_old_daemons_file_becomes_ours_and_what_is_left_out_is_named() {
    let relay = TestRelay::start().await;
    let keys = Keys::generate();
    let plan = told_nothing().with_env("PORTICO_LISTEN", "127.0.0.1:0");
    std::fs::write(plan.folder().join("config.toml"), config_toml(&keys, &relay)).unwrap();
    let moved = migrate(plan.folder(), &[]).await;
    assert_eq!(moved.code, 0, "{moved:?}");
    for left_out in ["wallet.ln_backend", "wallet.nwc.url", "database.path"] {
        assert!(moved.stdout.contains(&format!("left out     {left_out}: ")), "{moved:?}");
    }
    for secret in [TOKEN, SECRET, "hunter2", &keys.secret_key().to_secret_hex(), "nsec1"] {
        assert!(!moved.stdout.contains(secret) && !moved.stderr.contains(secret), "{moved:?}");
    }
    let new = plan.folder().join(".config/portico");
    for (name, mode) in [("portico.toml", 0o600), ("service.key", 0o600), ("relays.toml", 0o644)] {
        let found = std::fs::metadata(new.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found & !0o022, mode, "{name}");
    }

    let daemon = plan.start_subscribed(&[&relay]).await;
    assert_eq!(daemon.public_key().await, keys.public_key().to_hex());
    let rest = Rest::tcp(daemon.address(), TOKEN.into());
    assert_eq!(rest.get("/webhooks").await.data()["enabled"], true);
    relay.until("the profile", |state| state.stored.iter().any(|event| event.kind == Kind::Metadata)).await;
}

#[tokio::test]
async fn another_user_who_can_change_the_old_file_does_not_choose_the_key_of_the_service() {
    let relay = TestRelay::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, config_toml(&Keys::generate(), &relay)).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    let refused = migrate(folder.path(), &["--into", folder.path().join("new").to_str().unwrap()]).await;
    assert_eq!(refused.code, 64, "{refused:?}");
    assert!(
        refused.stderr.contains("cannot read") && refused.stderr.contains("run chmod go-w"),
        "{refused:?}"
    );
    assert!(!folder.path().join("new").exists());
}

#[tokio::test]
async fn an_old_file_of_another_user_is_refused_and_one_that_others_can_read_warned_of() {
    let relay = TestRelay::start().await;
    let keys = Keys::generate();
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("config.toml");
    std::fs::write(&old, config_toml(&keys, &relay)).unwrap();
    let allow = |mode| std::fs::set_permissions(&old, Permissions::from_mode(mode)).unwrap();
    allow(0o600);
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(&old, Some(54321), None).unwrap();
        let refused = migrate(folder.path(), &[]).await;
        assert!(refused.code == 64 && refused.stderr.contains("uid 54321"), "{refused:?}");
        std::os::unix::fs::chown(&old, Some(0), None).unwrap();
    }
    assert!(!folder.path().join(".config").exists());

    let quiet = migrate(folder.path(), &["--into", "private"]).await;
    assert!(quiet.code == 0 && quiet.stderr.is_empty(), "{quiet:?}");
    allow(0o644);
    let warned = migrate(folder.path(), &["--into", "public"]).await;
    assert_eq!(warned.code, 0, "{warned:?}");
    for word in ["nostr.private_key", "auth.auth_token", "others can read it (mode 0644)"] {
        assert!(warned.stderr.contains(word), "{warned:?}");
    }
    for secret in [TOKEN, SECRET, &keys.secret_key().to_secret_hex()] {
        assert!(!warned.stderr.contains(secret), "{warned:?}");
    }
}

#[tokio::test]
async fn a_loose_umask_opens_nothing_and_a_failure_leaves_no_folder_behind() {
    let relay = TestRelay::start().await;
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("config.toml");
    std::fs::write(&old, config_toml(&Keys::generate(), &relay)).unwrap();
    std::fs::set_permissions(&old, Permissions::from_mode(0o600)).unwrap();
    let with_umask = |umask: &str| {
        let mut command = command_of(Path::new("/bin/sh"), folder.path());
        let script = "umask $1; shift; exec \"$@\"";
        command.args(["-c", script, "sh", umask, env!("CARGO_BIN_EXE_portico"), "migrate-from-portal"]);
        command.args(["config.toml", "--into"]).arg(format!("above/{umask}"));
        command
    };
    for umask in ["0", "002", "022", "077"] {
        let mut failing = with_umask(umask);
        failing.env("PORTICO_AUTH__MAX_OPEN", "0");
        let failed = finished(failing).await;
        assert!(failed.code == 64 && failed.stderr.contains("nothing was written"), "{failed:?}");
        let above = folder.path().join("above");
        assert!(!above.exists(), "umask {umask}");

        assert_eq!(finished(with_umask(umask)).await.code, 0, "umask {umask}");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&above), mode(&above.join(umask))), (0o700, 0o700), "umask {umask}");
        assert_eq!(mode(&above.join(umask).join("service.key")), 0o600);
        std::fs::remove_dir_all(&above).unwrap();
    }
}

#[tokio::test]
async fn nothing_that_is_there_is_overwritten_and_what_is_replaced_is_kept() {
    let relay = TestRelay::start().await;
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join("new");
    let at = |name: &str| new.join(name);
    std::fs::create_dir(&new).unwrap();
    std::fs::write(at("service.key"), "precious").unwrap();
    std::fs::write(folder.path().join("config.toml"), config_toml(&Keys::generate(), &relay)).unwrap();
    let into = new.to_str().unwrap();
    let refused = migrate(folder.path(), &["--into", into]).await;
    assert!(refused.code == 64 && refused.stderr.contains("service.key already exists"), "{refused:?}");
    assert!(!at("portico.toml").exists() && !at("relays.toml").exists());
    assert_eq!(std::fs::read_to_string(at("service.key")).unwrap(), "precious");

    assert_eq!(migrate(folder.path(), &["--into", into, "--force"]).await.code, 0);
    assert_eq!(std::fs::read_to_string(at("service.key.before-migration")).unwrap(), "precious");
    let again = migrate(folder.path(), &["--into", into, "--force"]).await;
    assert!(again.code == 64 && again.stderr.contains("before-migration"), "{again:?}");
    let left: Vec<_> = std::fs::read_dir(&new).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 4, "no temporary file is left: {left:?}");
}

#[tokio::test]
async fn a_variable_that_is_set_goes_before_the_old_file_and_a_bad_key_is_named_with_it() {
    let relay = TestRelay::start().await;
    let (keys, other) = (Keys::generate(), Keys::generate());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.toml"), config_toml(&keys, &relay)).unwrap();
    let mut command = portico(folder.path());
    command.arg("migrate-from-portal").arg(folder.path().join("config.toml"));
    command.env("PORTAL__NOSTR__PRIVATE_KEY", other.secret_key().to_secret_hex());
    let moved = finished(command).await;
    assert!(moved.code == 0 && moved.stdout.contains("read         PORTAL__NOSTR__PRIVATE_KEY"), "{moved:?}");
    let key =
        portico::config::key::load(&folder.path().join(".config/portico/service.key")).unwrap().unwrap();
    assert_eq!(key.public_key(), other.public_key());

    for (toml, word) in [
        ("[nostr]\nprivate_key = \"hunter2\"\nrelays = []\n", "nostr.private_key must be"),
        ("[auth]\nauth_token = \"x\"\n", "nostr.private_key is missing"),
        ("[nostr\nprivate_key = \"hunter2\"\n", "line 1"),
        ("[info]\nlisten_port = \"http\"\n", "info.listen_port"),
    ] {
        std::fs::write(folder.path().join("config.toml"), toml).unwrap();
        let refused = migrate(folder.path(), &["--into", folder.path().join("x").to_str().unwrap()]).await;
        assert!(refused.code == 64 && refused.stderr.contains(word), "{toml}: {refused:?}");
        assert!(!refused.stderr.contains("hunter2") && !folder.path().join("x").exists());
    }
}
