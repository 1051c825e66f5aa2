//! The command line, as people and scripts use it.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Stdio;

use nostr_sdk::Keys;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

use crate::support::beginning::asked_to_log_in;
use crate::support::daemon::Daemon;
use crate::support::phone::Phone;
use crate::support::program::{Finished, finished, portico};
use crate::support::relay::TestRelay;
use crate::support::soon;

/// `portico` with these arguments, at this daemon.
pub(crate) fn at(daemon: &Daemon, args: &[&str]) -> Command {
    let mut command = portico(daemon.folder());
    command.args(args).arg("--socket").arg(daemon.socket());
    command
}

/// `portico login --json` with a phone that scans what it shows and then does as told.
pub(crate) async fn log_in(daemon: &Daemon, approves: bool, args: &[&str]) -> (Phone, i32, String) {
    let mut command = at(daemon, &["login", "--json"]);
    let mut child = command.args(args).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let url = soon("the URL", said.next_line()).await.unwrap().unwrap();
    let mut phone = Phone::new();
    phone.scan(&url).await;
    let asked = phone.challenge().await;
    if approves {
        phone.approve(&asked).await;
    } else {
        phone.decline(&asked, Some("no")).await;
    }
    let mut shown = String::new();
    child.stdout.take().unwrap().read_to_string(&mut shown).await.unwrap();
    let code = soon("its end", child.wait()).await.unwrap().code().unwrap();
    (phone, code, shown)
}

#[tokio::test]
async fn login_shows_the_verified_claims_and_the_token_only_when_asked_to() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let (phone, code, shown) = log_in(&daemon, true, &[]).await;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((code, &shown["user_key"]), (0, &json!(phone.key())));
    assert_eq!(shown["session"]["subject"], phone.key().to_hex());
    assert!(shown["status"].get("session_token").is_none());
    let (_, _, shown) = log_in(&daemon, true, &["--with-token"]).await;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert!(shown["status"]["session_token"].as_str().unwrap().starts_with("ey"));
    let (_, code, shown) = log_in(&daemon, false, &[]).await;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((code, &shown["status"]["status"]), (1, &json!("declined")));
}

#[tokio::test]
async fn watch_follows_a_stream_to_its_end() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let (url, stream) = daemon.rest().login(json!({})).await;
    let watching = at(&daemon, &["watch", "--json", &stream]).stderr(Stdio::inherit()).spawn().unwrap();
    let mut phone = Phone::new();
    phone.scan(&url).await;
    let asked = phone.challenge().await;
    phone.approve(&asked).await;
    let output = soon("its end", watching.wait_with_output()).await.unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(output.status.success());
    let types: Vec<_> = events.iter().map(|event| &event["type"]).collect();
    assert_eq!(types, ["key_handshake", "authenticate_key"]);
    assert!(!lines.contains("session_token"), "a terminal is no place for a secret");
    let later = finished(at(&daemon, &["watch", "--json", &stream, "--after", "1"])).await;
    assert_eq!(later.stdout.lines().count(), 1);
    let nowhere = finished(at(&daemon, &["watch", "00000000-0000-0000-0000-000000000000"])).await;
    assert_eq!(nowhere.code, 1, "{nowhere:?}");
}

#[tokio::test]
async fn a_hostile_wallet_cannot_write_to_the_operators_terminal() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let (mut phone, asked, stream) = asked_to_log_in(&daemon).await;
    phone.decline(&asked, Some("\u{1b}[2J\napproved \u{9b}31m\u{202e}")).await;
    for json in [&[][..], &["--json"]] {
        let mut watching = at(&daemon, &["watch", &stream]);
        watching.args(json);
        let shown = finished(watching).await.stdout;
        assert!(shown.contains(r"\u001b[2J"), "{shown}");
        assert!(!shown.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{shown:?}");
        assert!(!shown.contains("\napproved"), "{shown}");
    }
}

#[tokio::test]
async fn a_client_says_that_it_does_not_expand_a_tilde_in_the_path_of_the_socket() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = portico(folder.path());
    command.args(["info", "--socket=~/portico.sock"]);
    let (code, said) = finished(command).await.into_refusal();
    let named = said.contains("--socket or PORTICO_SOCKET: ") && said.contains("only a shell expands");
    assert!(code == 64 && named, "{code}: {said}");
}

#[tokio::test]
async fn a_client_tells_no_secret_to_whoever_took_the_default_place_of_the_socket_first() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("portico");
    std::fs::create_dir(&place).unwrap();
    std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o777)).unwrap();
    let _trap = tokio::net::UnixListener::bind(place.join("portico.sock")).unwrap();
    let mut command = portico(folder.path());
    command.args(["verify", "--key", &Keys::generate().public_key().to_hex(), "a.b.c"]);
    command.env("XDG_RUNTIME_DIR", folder.path());
    let ended = finished(command).await;
    assert_eq!(ended.code, 64);
    assert!(ended.stderr.contains("cannot trust the socket") && ended.stderr.contains("0777"), "{ended:?}");
}

#[tokio::test]
async fn what_issue_prints_verify_takes_also_from_standard_input() {
    let daemon = Daemon::on(&[]).start().await;
    let user = Keys::generate().public_key().to_hex();
    let us = daemon.public_key().await;
    let issued = finished(at(&daemon, &["issue", &user, "--hours", "2"])).await;
    assert_eq!(issued.code, 0, "{issued:?}");
    let token = issued.stdout.trim();
    let told = finished(at(&daemon, &["verify", "--json", "--key", &us, token])).await.json();
    assert_eq!((&told["target_key"], &told["token_type"]), (&json!(user), &json!("service")));

    std::fs::write(daemon.folder().join("token"), &issued.stdout).unwrap();
    let mut from_stdin = at(&daemon, &["verify", "--json", "--key", &us]);
    from_stdin.stdin(std::fs::File::open(daemon.folder().join("token")).unwrap());
    assert_eq!(finished(from_stdin).await.json(), told);

    let no = finished(at(&daemon, &["verify", "--key", &user, token])).await;
    assert_eq!(no.code, 1);
    assert!(no.stderr.contains("invalid_signature"), "{no:?}");
    for (args, told) in [
        (&["issue", "nobody"][..], "KEY: must be a public key"),
        (&["issue", &user, "--hours", "0"], "--hours: must be from 1"),
        (&["issue", &user, "--audience", "x"], "--audience, --scope: only with --format jwt"),
    ] {
        let (code, said) = finished(at(&daemon, args)).await.into_refusal();
        assert!(code == 64 && said.contains(told), "{args:?}: {said}");
    }
}

#[tokio::test]
async fn a_client_without_a_daemon_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = portico(folder.path());
    command.args(["login", "--socket", "nowhere.sock"]);
    let ended = finished(command).await;
    assert_eq!(ended.code, 69);
    assert!(ended.stderr.contains("nowhere.sock") && ended.stderr.contains("portico serve"), "{ended:?}");
}

async fn in_folder(folder: &std::path::Path, args: &[&str]) -> Finished {
    let mut command = portico(folder);
    command.args(args);
    finished(command).await
}

#[tokio::test]
async fn keygen_never_overwrites_and_leaves_nothing_half_done() {
    let folder = tempfile::tempdir().unwrap();
    let made = in_folder(folder.path(), &["keygen", "main.key"]).await;
    assert_eq!(made.code, 0, "{made:?}");
    let main = folder.path().join("main.key");
    let (before, mode) = (std::fs::read(&main).unwrap(), std::fs::metadata(&main).unwrap().mode());
    assert_eq!(mode & 0o777, 0o600);
    assert!(!made.stdout.contains("nsec1"), "the secret is in the file alone");
    let again = in_folder(folder.path(), &["keygen", "main.key"]).await;
    assert_eq!(again.code, 64, "{again:?}");

    let subkey = ["keygen", "main.key", "--subkey-of", "main.key", "--proof", "proof.json"];
    assert_eq!(in_folder(folder.path(), &subkey).await.code, 64);
    assert!(!folder.path().join("proof.json").exists());
    let subkey = ["keygen", "sub.key", "--subkey-of", "nowhere.key", "--proof", "proof.json"];
    assert_eq!(in_folder(folder.path(), &subkey).await.code, 64);
    std::fs::write(folder.path().join("proof.json"), "precious").unwrap();
    let subkey = ["keygen", "sub.key", "--subkey-of", "main.key", "--proof", "proof.json"];
    assert_eq!(in_folder(folder.path(), &subkey).await.code, 64);
    assert!(!folder.path().join("sub.key").exists());
    assert_eq!(std::fs::read(&main).unwrap(), before);
    assert_eq!(std::fs::read_to_string(folder.path().join("proof.json")).unwrap(), "precious");
}

#[tokio::test]
async fn a_bad_configuration_exits_with_64_and_names_what_is_wrong() {
    for (toml, word) in [
        ("[local]\nlisten = \"0.0.0.0:0\"\n", "allow_remote"),
        ("[local]\ntoken = \"\"\nlisten = \"127.0.0.1:0\"\n", "local.token"),
        ("[auth]\nchallenge_ttl = \"soon\"\n", "challenge_ttl"),
        ("[auth]\nchalenge_ttl = \"1m\"\n", "chalenge_ttl"),
        ("not toml", "portico.toml, line 1"),
        ("[log]\nlevel = \"portico=loud\"\n", "loud"),
        ("[service]\nsubkey_proof_file = \"/nowhere/proof.json\"\n", "/nowhere/proof.json"),
        ("[local]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"/nowhere/token\"\n", "/nowhere/token"),
    ] {
        let (code, said) = Daemon::on(&[]).with_config(toml).refusal().await;
        assert_eq!(code, 64, "{toml}: {said}");
        assert!(said.contains(word), "{toml}: {said}");
    }
    let plan = Daemon::on(&[]);
    std::fs::write(plan.folder().join("relays.toml"), "[[relay]]\nurl = \"http://x\"\n").unwrap();
    let (code, said) = plan.refusal().await;
    assert!(code == 64 && said.contains("relays.toml"), "{code}: {said}");
    for (key, mode) in [("nonsense", 0o600), (&*"1b".repeat(32), 0o644)] {
        let plan = Daemon::on(&[]);
        let path = plan.folder().join("service.key");
        std::fs::write(&path, key).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let (code, said) = plan.refusal().await;
        assert!(code == 64 && said.contains("service.key") && !said.contains(key), "{code}: {said}");
    }
    let folder = tempfile::tempdir().unwrap();
    for args in
        [&["serve", "--no-such-flag"][..], &["no-such-command"], &[], &["serve", "--config", "nowhere"]]
    {
        assert_eq!(in_folder(folder.path(), args).await.code, 64, "{args:?}");
    }
}

#[tokio::test]
async fn config_check_shows_what_is_in_force_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portico.toml");
    let toml =
        "[local]\nlisten = \"127.0.0.1:3000\"\ntoken = \"hunter2hunter2\"\n[auth]\nchallenge_ttl = \"2m\"\n";
    std::fs::write(&file, toml).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = portico(folder.path());
    command.args(["config", "check", "--json"]).env("PORTICO_AUTH__MAX_OPEN", "7");
    let checked = finished(command).await;
    let shown = checked.json();
    assert_eq!(shown["listen"], "127.0.0.1:3000");
    assert_eq!((&shown["auth"]["challenge_ttl"], &shown["auth"]["max_open"]), (&json!("2m"), &json!(7)));
    assert!(!checked.stdout.contains("hunter2"));
    std::fs::write(folder.path().join("portico.toml"), "[lokal]\n").unwrap();
    let bad = in_folder(folder.path(), &["config", "check"]).await;
    assert_eq!(bad.code, 64);
    assert!(bad.stderr.contains("lokal"), "{bad:?}");
}

#[tokio::test]
async fn config_check_refuses_what_serve_refuses() {
    for toml in [
        "[log]\nlevel = \"loud\"\n",
        "[auth]\nchallenge_ttl = \"0s\"\n",
        "[local]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"/nowhere/token\"\n",
        "[local]\nlisten = \"127.0.0.1:0\"\ntoken = \"\"\n",
    ] {
        let plan = Daemon::on(&[]).with_config(toml);
        let checked = in_folder(plan.folder(), &["config", "check"]).await;
        let (code, said) = plan.refusal().await;
        assert_eq!((code, checked.code), (64, 64), "{toml}: {said} {}", checked.stderr);
        // The one is given the whole path of the file, the other looks into its own folder.
        let said = said.replace(&format!("{}/", plan.folder().display()), "");
        assert!(said.ends_with(&checked.stderr), "{toml}: {said} {}", checked.stderr);
    }
    let unproven = Daemon::on(&[]).with_config("[service]\nsubkey_proof_file = \"proof.json\"\n");
    std::fs::write(unproven.folder().join("proof.json"), "{}").unwrap();
    assert_eq!(in_folder(unproven.folder(), &["keygen", "service.key"]).await.code, 0);
    let check = ["config", "check", "--key-file", "service.key"];
    for (code, said) in [unproven.refusal().await, in_folder(unproven.folder(), &check).await.into_refusal()]
    {
        assert!(code == 64 && said.contains("proof.json"), "{said}");
    }
    let open = Daemon::on(&[]).with_config("[local]\ntoken = \"hunter2hunter2hunter2\"\n");
    let mode = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(open.folder().join("portico.toml"), mode).unwrap();
    for (code, said) in
        [open.refusal().await, in_folder(open.folder(), &["config", "check"]).await.into_refusal()]
    {
        assert!(code == 64 && said.contains("local.token") && said.contains("others can read it"), "{said}");
    }
}

#[tokio::test]
async fn what_the_environment_says_wrong_is_told_by_the_name_of_the_variable() {
    let folder = tempfile::tempdir().unwrap();
    for (name, value, reason) in [
        ("PORTICO_AUTH__CHALENGE_TTL", "2m", "auth.chalenge_ttl: unknown key: did you mean challenge_ttl?"),
        ("PORTICO_SESIONS__ENABLED", "true", "sesions: unknown section: did you mean [sessions]?"),
        ("PORTICO_AUTH__CHALLENGE_TTL", "soon", "is \"soon\""),
        ("PORTICO_AUTH__CHALLENGE_TTL", "90", "like \"90s\", \"5m\" or \"30days\", but is a number"),
        ("PORTICO_AUTH__MAX_OPEN", "0", "auth.max_open: must be from 1 to 1000000000"),
        (
            "PORTICO_AUTH__MAX_OPEN",
            "1.5",
            "must be a whole number from 1 to 1000000000, without quotes, but is a number with",
        ),
        ("PORTICO_SESSIONS__CHECKS", "none", "must be \"both\", \"access_token\" or \"credential\""),
        ("PORTICO_LOCAL__SOCKET_MODE", "0088", "must be octal digits like \"0660\""),
        ("PORTICO_LOCAL__ALLOW", "[{uid=0, may=[\"x\"]}]", "local.allow.may (entry 1): \"x\" is not a right"),
        ("PORTICO_LOCAL__ALLOW_GIDS", "33", "list"),
        ("PORTICO_LOG__LEVEL", "loud", "\"loud\""),
    ] {
        let mut command = portico(folder.path());
        command.args(["config", "check"]).env(name, value);
        let (code, said) = finished(command).await.into_refusal();
        assert!(code == 64 && said.contains(reason), "{name}: {said}");
        let variable = if name == "PORTICO_SESIONS__ENABLED" { "PORTICO_SESIONS__…" } else { name };
        let place = format!(" (in the environment, as {variable})");
        assert!(said.trim_end().ends_with(&place), "{said}");
    }
    let mut command = portico(folder.path());
    command.args(["config", "check"]).env("PORTICO_AUTH__MAX_OPEN", "0").env("PORTICO_LOG__LEVEL", "loud");
    let (_, said) = finished(command).await.into_refusal();
    assert!(
        said.contains("2 mistakes:") && said.contains("auth.max_open") && said.contains("log.level"),
        "{said}"
    );
    // A variable has no quotes of its own: what looks like a number may be text.
    let mut command = portico(folder.path());
    command.args(["config", "check", "--json"]).env("PORTICO_PROFILE__NAME", "1984");
    command.env("PORTICO_LOCAL__SOCKET_MODE", "0660").env("PORTICO_SERVICE__NIP05_NAMES", "_,shop");
    let shown = finished(command).await.json();
    assert_eq!((&shown["profile"]["name"], &shown["socket_mode"]), (&json!("1984"), &json!("0660")));
    assert_eq!(shown["nip05_names"], json!(["_", "shop"]));
    let mut command = portico(folder.path());
    command.args(["config", "check", "--json"]).env("PORTICO_LOCAL__ALLOW_GIDS", "[33, 34]");
    assert_eq!(finished(command).await.json()["local"]["allow_gids"], json!([33, 34]));
}

#[tokio::test]
async fn a_variable_that_nothing_reads_is_told_of_and_stops_nothing() {
    let misspelt = ["PORTICO_LISEN", "PORTICO_AUTH_CHALLENGE_TTL", "PORTICO_LOGS"];
    let mut plan = Daemon::on(&[]).with_env("PORTICO_SERVICE_HOST", "10.0.0.1");
    for name in misspelt {
        plan = plan.with_env(name, "x");
    }
    let mut command = portico(plan.folder());
    command.args(["config", "check", "--json"]).env("PORTICO_SERVICE_HOST", "10.0.0.1");
    command.envs(misspelt.map(|name| (name, "x")));
    let checked = finished(command).await;
    checked.json();
    let daemon = plan.start().await;
    for said in [checked.stderr, daemon.log()] {
        assert!(misspelt.iter().all(|name| said.contains(name)) && !said.contains("SERVICE_HOST"), "{said}");
    }
}

#[tokio::test]
async fn an_api_token_that_can_be_guessed_is_told_of_and_taken() {
    for (token, told) in [("fifteen-bytes-x", true), ("sixteen-bytes-xx", false)] {
        let config = format!("[local]\ntoken = \"{token}\"\n");
        let daemon = Daemon::on(&[]).with_config(&config).with_tcp().start().await;
        assert_eq!(daemon.log().contains("can be guessed"), told, "{}", daemon.log());
        assert!(!daemon.log().contains(token));
        let file = daemon.folder().join("short.toml");
        portico::config::files::create_secret(&file, &config).unwrap();
        let mut command = portico(daemon.folder());
        command.args(["config", "check", "--config"]).arg(file);
        let checked = finished(command).await;
        assert_eq!(checked.stderr.contains("can be guessed"), told, "{checked:?}");
        assert!(!checked.stderr.contains(token));
    }
}

#[tokio::test]
async fn a_file_with_more_than_the_api_token_is_refused_and_its_content_not_repeated() {
    for text in ["Bearer hunter2hunter2hunter2", "\"hunter2hunter2hunter2\"", "hunter2 hunter2hunter2"] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        portico::config::files::create_secret(&file, text).unwrap();
        let mut command = portico(folder.path());
        command.args(["config", "check", "--listen", "127.0.0.1:0", "--token-file"]).arg(file);
        let (code, said) = finished(command).await.into_refusal();
        assert!(code == 64 && said.contains("give the token alone"), "{text}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[tokio::test]
async fn room_for_fewer_files_than_the_configuration_may_need_is_told_of_with_both_numbers() {
    for (connections, told) in [(200, true), (100, false)] {
        let config = format!("[local]\nmax_connections = {connections}\n");
        let daemon = Daemon::on(&[]).with_config(&config).with_room_for(400).start().await;
        let log = daemon.log();
        assert_eq!(log.contains("the limit of open files is too low"), told, "{log}");
        assert_eq!(log.contains("\"limit\":400,\"needed\":467"), told, "{log}");
    }
}
