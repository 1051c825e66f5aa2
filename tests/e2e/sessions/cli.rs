//! Users, sessions, the audit and the keys from the command line.

use futures_util::future::join_all;
use nostr_sdk::ToBech32;
use serde_json::{Value, json};

use super::{daemon, login::parts};
use crate::cli::{at, log_in};
use crate::support::beginning::{Member, asked_to_log_in};
use crate::support::daemon::Daemon;
use crate::support::program::{Finished, finished};
use crate::support::relay::TestRelay;
use crate::support::rest::refused;

async fn run(daemon: &Daemon, args: &[&str]) -> Finished {
    finished(at(daemon, args)).await
}

/// What a command prints with `--json`, as one document.
async fn json(daemon: &Daemon, args: &[&str]) -> Value {
    run(daemon, &[args, &["--json"]].concat()).await.json()
}

/// The same of a list: a document a line.
async fn lines(daemon: &Daemon, args: &[&str]) -> Vec<Value> {
    let printed = run(daemon, &[args, &["--json"]].concat()).await;
    assert_eq!(printed.code, 0, "{printed:?}");
    printed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ids(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_user_is_found_by_every_name_there_is() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let (member, other) = (Member::of(&daemon).await, Member::of(&daemon).await);
    let key = member.phone.key();
    let (hex, npub) = (key.to_hex(), key.to_bech32().unwrap());
    for name in [member.id(), &hex, &npub, &format!("portal:{hex}"), &format!("portal:{npub}")] {
        let shown = run(&daemon, &["users", "show", name]).await;
        assert_eq!(shown.code, 0, "{shown:?}");
        assert!(shown.stdout.contains(member.id()) && shown.stdout.contains(&hex), "{name}: {shown:?}");
        assert_eq!(json(&daemon, &["users", "show", name]).await["id"], member.id(), "{name}");
    }
    for name in
        ["nobody", &hex[..63], &format!("other:{hex}"), "00000000-0000-7000-8000-000000000000", "a&role=b"]
    {
        let missed = run(&daemon, &["users", "show", name]).await;
        let told = ["unknown user", "no_such_user"].iter().any(|word| missed.stderr.contains(word));
        assert!(missed.code == 1 && told, "{missed:?}");
    }
    let listed = lines(&daemon, &["users", "list"]).await;
    assert_eq!(ids(&listed), [member.id(), other.id()]);
    assert_eq!(ids(&lines(&daemon, &["users", "list", "--wallet", &npub]).await), [member.id()]);
    let listed = run(&daemon, &["users", "list", "--provider", "portal"]).await;
    assert!(
        listed.stdout.lines().count() == 2 && listed.stdout.contains(&format!("portal:{hex}")),
        "{listed:?}"
    );
    assert_eq!(run(&daemon, &["users", "list", "--provider", "other"]).await.stdout, "");
}

#[tokio::test]
async fn what_is_set_about_a_user_holds_and_the_rest_stays() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let set = async |args: &[&str]| json(&daemon, &[&["users", "set", member.id()], args].concat()).await;
    let user = set(&["--username", "Zoë", "--email", "z@example.com", "--role", "b", "--role", "a"]).await;
    assert_eq!((&user["username"], &user["email"]), (&json!("Zoë"), &json!("z@example.com")));
    assert_eq!((&user["roles"], &user["permissions"]), (&json!(["a", "b"]), &json!([])));
    let user = set(&["--add-role", "c", "--remove-role", "a", "--remove-role", "never", "--no-email"]).await;
    assert_eq!(
        (&user["roles"], &user["email"], &user["username"]),
        (&json!(["b", "c"]), &Value::Null, &json!("Zoë"))
    );
    let user = set(&["--permission", "x", "--add-role", "c", "--no-username"]).await;
    assert_eq!((&user["roles"], &user["permissions"]), (&json!(["b", "c"]), &json!(["x"])));
    let user = set(&["--add-permission", "y", "--remove-permission", "x", "--no-roles"]).await;
    assert_eq!(
        (&user["roles"], &user["permissions"], &user["username"]),
        (&json!([]), &json!(["y"]), &Value::Null)
    );
    assert_eq!(set(&["--no-permissions"]).await["permissions"], json!([]));

    assert_eq!(lines(&daemon, &["users", "list", "--disabled"]).await.len(), 0);
    assert_eq!(set(&["--disable"]).await["disabled"], true);
    assert_eq!(ids(&lines(&daemon, &["users", "list", "--disabled"]).await), [member.id()]);
    let answer = daemon.rest().post("/auth/verify", member.both()).await;
    assert_eq!(answer.refusal(), refused(403, "user_disabled"));
    assert_eq!(set(&["--enable"]).await["disabled"], false);

    for wrong in [
        &[][..],
        &["--role", "a", "--add-role", "b"],
        &["--no-roles", "--remove-role", "b"],
        &["--disable", "--enable"],
        &["--username", "a", "--no-username"],
        &["--role", "a b"],
    ] {
        let ended = run(&daemon, &[&["users", "set", member.id()], wrong].concat()).await;
        assert_eq!(ended.code, 64, "{wrong:?}: {ended:?}");
    }
}

#[tokio::test]
async fn roles_that_many_add_at_the_same_time_are_all_there_in_the_end() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let roles: Vec<_> = (0..8).map(|at| format!("role{at}")).collect();
    let adding =
        roles.iter().map(async |role| run(&daemon, &["users", "set", member.id(), "--add-role", role]).await);
    for ended in join_all(adding).await {
        assert_eq!(ended.code, 0, "{ended:?}");
    }
    assert_eq!(json(&daemon, &["users", "show", member.id()]).await["roles"], json!(roles));
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one_and_all_together() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let login = daemon.rest().post("/auth/login", json!({ "credential": member.credential })).await.data();
    let second = login["session"]["id"].as_str().unwrap();
    let wallet = member.phone.key().to_hex();
    assert_eq!(ids(&lines(&daemon, &["sessions", "list", &wallet]).await), [second, member.session()]);

    let revoked = run(&daemon, &["sessions", "revoke", member.session()]).await;
    assert!(
        revoked.code == 0 && revoked.stdout.contains("revoked") && revoked.stdout.contains('1'),
        "{revoked:?}"
    );
    assert_eq!(json(&daemon, &["sessions", "revoke", member.session()]).await, json!({ "revoked": 0 }));
    let listed = run(&daemon, &["sessions", "list", member.id()]).await.stdout;
    let listed: Vec<_> = listed.lines().collect();
    assert!(listed[0].starts_with(second) && listed[0].contains("until"), "{listed:?}");
    assert!(listed[1].starts_with(member.session()) && listed[1].contains("(operator)"), "{listed:?}");
    assert_eq!(json(&daemon, &["users", "revoke", &wallet]).await, json!({ "revoked": 1 }));
    for (session, code) in [("00000000-0000-7000-8000-000000000000", 1), ("../users/x", 64)] {
        assert_eq!(run(&daemon, &["sessions", "revoke", session]).await.code, code, "{session}");
    }
}

#[tokio::test]
async fn a_user_is_deleted_only_by_whoever_says_yes() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    assert_eq!(run(&daemon, &["users", "delete", member.id()]).await.code, 64);
    json(&daemon, &["users", "show", member.id()]).await;
    let deleted = json(&daemon, &["users", "delete", member.id(), "--yes"]).await;
    assert_eq!(deleted, json!({ "deleted": true, "revoked": 1 }));
    let again = run(&daemon, &["users", "delete", member.id(), "--yes"]).await;
    assert!(again.code == 1 && again.stderr.contains("no_such_user"), "{again:?}");
    let told = lines(&daemon, &["audit", "--user", member.id(), "--kind", "user_deleted"]).await;
    assert_eq!(told.len(), 1, "the audit knows who is gone");
}

#[tokio::test]
async fn the_audit_is_shown_by_what_is_asked_for() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let (member, other) = (Member::of(&daemon).await, Member::of(&daemon).await);
    run(&daemon, &["users", "set", member.id(), "--role", "admin"]).await;
    let kinds = async |args: &[&str]| {
        let records = lines(&daemon, &[&["audit"], args].concat()).await;
        records.iter().map(|one| one["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&[]).await, ["user_changed", "login", "login"]);
    assert_eq!(kinds(&["--user", &member.phone.key().to_hex()]).await, ["user_changed", "login"]);
    assert_eq!(kinds(&["--session", other.session()]).await, ["login"]);
    assert_eq!(kinds(&["--kind", "user_changed"]).await, ["user_changed"]);
    assert_eq!(kinds(&["--limit", "1"]).await, ["user_changed"]);
    assert_eq!(kinds(&["--limit", "0"]).await.len(), 0);
    assert_eq!(kinds(&["--since", "1h"]).await.len(), 3);
    assert_eq!(kinds(&["--since", "2020-01-01T00:00:00Z"]).await.len(), 3);
    assert_eq!(kinds(&["--since", "2099-01-01T00:00:00Z"]).await.len(), 0);
    for wrong in [["--kind", "nonsense"], ["--since", "yesterday"], ["--session", "x"]] {
        assert_eq!(run(&daemon, &["audit", wrong[0], wrong[1]]).await.code, 64, "{wrong:?}");
    }
    let shown = run(&daemon, &["audit", "--kind", "user_changed"]).await.stdout;
    let words = ["by unix uid ", member.id(), "\"before\":[]", "\"after\":[\"admin\"]"];
    assert!(words.iter().all(|word| shown.contains(word)), "{shown}");
}

#[tokio::test]
async fn a_list_that_is_longer_than_a_page_is_shown_to_its_end() {
    const MANY: usize = 250;
    let relay = TestRelay::start().await;
    let config = "[sessions]\nenabled = true\nmax_logins_per_wallet = 1000\nmax_per_user = 1000\n";
    let daemon = Daemon::on(&[&relay]).with_config(config).start_subscribed(&[&relay]).await;
    let member = Member::of(&daemon).await;
    for _ in 1..MANY {
        daemon.rest().post("/auth/login", json!({ "credential": member.credential })).await.data();
    }
    let sessions = lines(&daemon, &["sessions", "list", member.id()]).await;
    let mut distinct = ids(&sessions);
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!((sessions.len(), distinct.len()), (MANY, MANY));
    for (limit, shown) in [("100", 100), ("101", 101), ("200", 200), ("1000", MANY)] {
        assert_eq!(lines(&daemon, &["audit", "--limit", limit]).await.len(), shown);
    }
}

#[tokio::test]
async fn keys_are_listed_and_rotated() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let old = parts(member.access_token()).0["kid"].clone();
    assert_eq!(json(&daemon, &["keys", "list"]).await["keys"][0]["kid"], old);
    let next = json(&daemon, &["keys", "list"]).await["keys"][1]["kid"].clone();
    let new = json(&daemon, &["keys", "rotate"]).await["key"]["kid"].clone();
    assert_eq!(new, next);
    let listed = run(&daemon, &["keys", "list"]).await.stdout;
    let listed: Vec<_> = listed.lines().collect();
    assert!(listed[0].starts_with(new.as_str().unwrap()) && listed[0].ends_with("signs"), "{listed:?}");
    assert!(listed[1].ends_with("next"), "{listed:?}");
    assert!(listed[2].starts_with(old.as_str().unwrap()) && listed[2].contains("retired 2"), "{listed:?}");
    assert_eq!(run(&daemon, &["keys", "rotate"]).await.stdout.lines().count(), 1);
}

#[tokio::test]
async fn a_name_cannot_write_to_the_operators_terminal() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    daemon.rest().patch(&format!("/users/{}", member.id()), json!({ "username": "named" })).await.data();
    // Such a name is refused today. It may be there from before.
    let db = rusqlite::Connection::open(daemon.database()).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    for sql in [
        "UPDATE users SET username = ?1",
        "UPDATE audit SET detail = replace(detail, 'named', ?1) WHERE detail LIKE '%named%'",
    ] {
        assert!(db.execute(sql, ["\u{202e}nimda\u{2028}"]).unwrap() > 0, "{sql}");
    }
    for args in [&["users", "list"][..], &["users", "show", member.id()], &["audit"]] {
        for json in [&[][..], &["--json"]] {
            let shown = run(&daemon, &[args, json].concat()).await.stdout;
            assert!(shown.contains(r"\u202enimda\u2028"), "{shown:?}");
            assert!(!shown.contains(['\u{202e}', '\u{2028}']), "{shown:?}");
        }
    }
}

#[tokio::test]
async fn no_token_reaches_the_terminal_unless_it_is_asked_for() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let (_, code, shown) = log_in(&daemon, true, &[]).await;
    let login = serde_json::from_str::<Value>(&shown).unwrap()["login"].clone();
    assert!(code == 0 && login["user"]["id"].is_string() && !shown.contains("_token\""), "{shown}");
    let (_, _, shown) = log_in(&daemon, true, &["--with-token"]).await;
    let login = serde_json::from_str::<Value>(&shown).unwrap()["login"].clone();
    assert!(login["access_token"].as_str().unwrap().starts_with("ey"), "{shown}");

    let (mut phone, asked, stream) = asked_to_log_in(&daemon).await;
    phone.approve(&asked).await;
    let approved = daemon.ended(&stream).await.pop().unwrap();
    let tokens = [&approved["login"]["access_token"], &approved["status"]["session_token"]];
    for json in [&[][..], &["--json"]] {
        let watched = run(&daemon, &[&["watch", &stream], json].concat()).await;
        assert!(watched.stdout.contains(approved["login"]["user"]["id"].as_str().unwrap()), "{watched:?}");
        for token in tokens {
            assert!(!watched.stdout.contains(token.as_str().unwrap()), "{watched:?}");
        }
    }
}

#[tokio::test]
async fn where_sessions_are_off_the_command_says_how_to_switch_them_on() {
    let daemon = Daemon::on(&[]).start().await;
    let id = "00000000-0000-7000-8000-000000000000";
    for args in [
        &["users", "list"][..],
        &["users", "show", "somebody"],
        &["users", "set", id, "--disable"],
        &["users", "delete", id, "--yes"],
        &["sessions", "list", id],
        &["sessions", "revoke", id],
        &["audit"],
    ] {
        let ended = run(&daemon, args).await;
        assert!(ended.code == 78 && ended.stderr.contains("sessions.enabled"), "{args:?}: {ended:?}");
    }
    assert_eq!(json(&daemon, &["keys", "list"]).await["keys"].as_array().unwrap().len(), 2);
}
