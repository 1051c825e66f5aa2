//! Who becomes a user: everybody who logs in, or only wallets that an operator has invited.

use futures_util::future::join_all;
use nostr_sdk::{Keys, PublicKey, ToBech32};
use serde_json::{Value, json};

use crate::cli::at;
use crate::login::types;
use crate::support::beginning::{Member, asked_to_log_in};
use crate::support::daemon::{Daemon, Plan};
use crate::support::phone::Phone;
use crate::support::program::{Finished, finished};
use crate::support::relay::TestRelay;
use crate::support::rest::{Answer, Rest, refused};
use crate::support::signed;

const LISTED: &str = "[sessions]\nenabled = true\nsign_up = \"listed\"\n[wallets.nip98]\n\
                      public_url = \"https://app.example\"\n[wallets.thirdweb]\ndomain = \"app.example\"\n\
                      admin_addresses = [\"0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A\"]\n";

fn listed(relay: &TestRelay) -> Plan {
    Daemon::on(&[relay]).with_config(LISTED)
}

async fn invite(daemon: &Daemon, args: &[&str]) -> Finished {
    finished(at(daemon, &[&["users", "invite"], args].concat())).await
}

/// Scans a login URL and approves: the last event of its stream, and the token that the wallet has made.
async fn approve(daemon: &Daemon, phone: &mut Phone) -> Value {
    let (url, stream) = daemon.rest().login(json!({})).await;
    phone.scan(&url).await;
    let asked = phone.challenge().await;
    phone.approve(&asked).await;
    daemon.ended(&stream).await.pop().unwrap()
}

async fn users(rest: &Rest) -> Vec<Value> {
    rest.get("/users").await.data()["users"].as_array().unwrap().clone()
}

/// Logs in with a request that is signed by these keys.
async fn sign_in(rest: &Rest, keys: &Keys) -> Answer {
    let credential = signed::now(keys, "POST", "https://app.example/enter", None);
    let request = json!({ "method": "POST", "target": "/enter" });
    let ask = json!({ "provider": "nip98", "credential": credential, "request": request });
    rest.post("/auth/login", ask).await
}

#[tokio::test]
async fn the_first_admin_is_invited_before_the_wallet_was_ever_seen() {
    let relay = TestRelay::start().await;
    let daemon = listed(&relay).start_subscribed(&[&relay]).await;
    let mut phone = Phone::new();
    let npub = phone.key().to_bech32().unwrap();
    let args = [npub.as_str(), "--role", "admin", "--permission", "pay", "--username", "Zoë", "--json"];
    let invited = invite(&daemon, &args).await.json();
    assert_eq!(
        (&invited["wallet_id"], &invited["provider"]),
        (&json!(phone.key().to_hex()), &json!("portal"))
    );
    assert_eq!((&invited["logins"], &invited["last_login"]), (&json!(0), &Value::Null));

    let approved = approve(&daemon, &mut phone).await;
    let user = &approved["login"]["user"];
    assert_eq!((&user["id"], &user["username"]), (&invited["id"], &json!("Zoë")));
    assert_eq!((&user["roles"], &user["permissions"]), (&json!(["admin"]), &json!(["pay"])));
    assert_eq!(user["auth_identifier"], npub, "what the login proves takes the place of what was said");
    let shown = &users(&daemon.rest()).await[0];
    assert_eq!((&shown["logins"], shown["last_login"].is_string()), (&json!(1), true));

    let audit = daemon.rest().get("/audit?kind=user_invited").await.data();
    let record = &audit["records"][0];
    assert_eq!((&record["user_id"], &record["wallet_id"]), (&invited["id"], &json!(phone.key().to_hex())));
    assert!(record["actor"].as_str().unwrap().starts_with("unix uid "), "{record}");
    assert!(record["detail"].to_string().contains("admin"), "{record}");
}

#[tokio::test]
async fn a_stranger_approves_in_vain_where_only_listed_users_are_let_in_and_leaves_no_user() {
    let relay = TestRelay::start().await;
    let daemon = listed(&relay).start_subscribed(&[&relay]).await;
    let rest = daemon.rest();
    let (mut phone, asked, stream) = asked_to_log_in(&daemon).await;
    phone.approve(&asked).await;
    let events = daemon.ended(&stream).await;
    assert_eq!(types(&events), ["key_handshake", "error"]);
    assert_eq!(events[1]["code"], "user_not_listed");
    assert_eq!(users(&rest).await, Vec::<Value>::new());
    let audit = rest.get("/audit").await.data();
    let record = &audit["records"][0];
    assert_eq!((&record["kind"], &record["reason"]), (&json!("login_refused"), &json!("user_not_listed")));
    let counted = "portico_session_checks_total{at=\"login\",provider=\"portal\",result=\"user_not_listed\"}";
    assert_eq!(daemon.metric(counted).await, 1.0);

    // The wallet stays unknown: what it has signed is worth nothing here.
    let service = PublicKey::parse(&daemon.public_key().await).unwrap();
    let credential = phone.token_for(&service);
    assert_eq!(rest.verify(service, &credential).await.refusal(), refused(400, "unknown_wallet"));

    // As soon as it is invited, the same wallet is let in.
    let body = json!({ "wallet_id": phone.key().to_hex() });
    let invited = rest.post("/users", body).await;
    assert_eq!(invited.header("etag"), Some("\"1\""));
    let invited = invited.data()["user"].clone();
    assert_eq!(approve(&daemon, &mut phone).await["login"]["user"]["id"], invited["id"]);
}

#[tokio::test]
async fn a_credential_of_a_stranger_is_refused_whoever_vouches_for_it() {
    let relay = TestRelay::start().await;
    let daemon = listed(&relay).start_subscribed(&[&relay]).await;
    let rest = daemon.rest();
    // Portal: the wallet is known, because it has answered before, but it belongs to no user.
    let mut phone = Phone::new();
    phone.connect(&relay.url()).await;
    let stream = rest.authenticate(phone.key()).await;
    let asked = phone.challenge().await;
    phone.approve(&asked).await;
    let approved = daemon.ended(&stream).await.pop().unwrap();
    let credential = approved["status"]["session_token"].as_str().unwrap().to_owned();
    let ask = json!({ "credential": credential });
    assert_eq!(rest.post("/auth/login", ask.clone()).await.refusal(), refused(403, "user_not_listed"));
    let form = rest.clone().with("content-type", "application/x-www-form-urlencoded");
    let told = form.send(hyper::Method::POST, "/oauth/introspect", format!("token={credential}")).await;
    assert_eq!(told.json()["active"], false, "for a resource server it is no login either");
    rest.post("/users", json!({ "wallet_id": phone.key().to_hex() })).await.data();
    rest.post("/auth/login", ask).await.data();

    let keys = Keys::generate();
    assert_eq!(sign_in(&rest, &keys).await.refusal(), refused(403, "user_not_listed"));
    let npub = format!("nip98:{}", keys.public_key().to_bech32().unwrap());
    assert_eq!(invite(&daemon, &[&npub, "--role", "poster"]).await.code, 0);
    assert_eq!(sign_in(&rest, &keys).await.data()["user"]["roles"], json!(["poster"]));
    assert_eq!(users(&rest).await.len(), 2);
}

#[tokio::test]
async fn whoever_was_there_before_sign_up_was_closed_stays_and_whoever_is_deleted_does_not_come_back() {
    let relay = TestRelay::start().await;
    let mut daemon = super::daemon(&relay).await;
    let mut member = Member::of(&daemon).await;
    daemon.terminate().await;
    std::fs::write(daemon.folder().join("portico.toml"), LISTED).unwrap();
    let daemon = daemon.restart().await;
    relay.until_subscribed(2).await;
    let rest = daemon.rest();
    rest.post("/auth/verify", member.both()).await.data();
    rest.post("/auth/refresh", member.both()).await.data();
    rest.delete(&format!("/users/{}", member.id()), json!({})).await.data();
    let answer = rest.post("/auth/login", json!({ "credential": member.credential })).await;
    assert_eq!(answer.refusal(), refused(403, "user_not_listed"));
    assert_eq!(approve(&daemon, &mut member.phone).await["code"], "user_not_listed");
}

#[tokio::test]
async fn a_wallet_that_has_a_user_is_not_invited_again_and_the_user_stays_as_they_are() {
    let relay = TestRelay::start().await;
    let daemon = listed(&relay).start_subscribed(&[&relay]).await;
    let rest = daemon.rest();
    let key = Keys::generate().public_key();
    let first = rest.post("/users", json!({ "wallet_id": key.to_hex(), "roles": ["admin"] })).await;
    assert_eq!(first.status, 201);
    let id = first.data()["user"]["id"].as_str().unwrap().to_owned();
    assert_eq!(first.header("location"), Some(format!("/users/{id}").as_str()));
    // The same wallet by its other names, too.
    for name in [key.to_hex(), key.to_bech32().unwrap(), key.to_hex().to_uppercase()] {
        let again = rest.post("/users", json!({ "wallet_id": name, "roles": [] })).await;
        assert_eq!(again.refusal(), refused(409, "user_exists"), "{name}");
        assert!(again.json()["error"].as_str().unwrap().contains(&id), "{again:?}");
    }
    let again = invite(&daemon, &[&key.to_hex(), "--role", "member"]).await;
    assert!(again.code == 1 && again.stderr.contains(&id), "{again:?}");
    let found = users(&rest).await;
    assert_eq!((found.len(), &found[0]["roles"]), (1, &json!(["admin"])));
}

#[tokio::test]
async fn an_invitation_that_no_wallet_could_answer_is_refused_with_what_is_wrong() {
    let relay = TestRelay::start().await;
    let daemon = listed(&relay).start_subscribed(&[&relay]).await;
    let rest = daemon.rest();
    let key = "3b".repeat(32);
    for (body, named) in [
        (json!({ "wallet_id": "bob" }), "64 hex digits or npub1"),
        (json!({ "wallet_id": "ff".repeat(32) }), "64 hex digits or npub1"),
        (json!({ "wallet_id": "" }), "64 hex digits or npub1"),
        (json!({ "wallet_id": "0x12", "provider": "thirdweb" }), "40 hex digits"),
        (json!({ "wallet_id": key, "provider": "nobody" }), "nip98, portal, thirdweb"),
        (json!({ "wallet_id": key, "roles": ["a b"] }), "roles"),
        (json!({ "wallet_id": key, "username": "" }), "username"),
        (json!({ "wallet_id": key, "role": ["admin"] }), "role"),
        (json!({}), "wallet_id"),
    ] {
        let answer = rest.post("/users", body.clone()).await;
        assert_eq!(answer.refusal(), refused(400, "bad_request"), "{body}");
        assert!(answer.json()["error"].as_str().unwrap().contains(named), "{body}: {answer:?}");
    }
    let address = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A";
    let body = json!({ "wallet_id": address, "provider": "thirdweb" });
    let invited = rest.post("/users", body).await.data();
    assert_eq!(invited["user"]["wallet_id"], address.to_lowercase(), "as its tokens will name it");
    assert_eq!(users(&rest).await.len(), 1);
}

#[tokio::test]
async fn invitations_and_first_logins_at_once_make_one_user() {
    let relay = TestRelay::start().await;
    let config = LISTED.replace("listed", "open");
    let daemon = Daemon::on(&[&relay]).with_config(&config).start().await;
    let rest = daemon.rest();
    for _ in 0..8 {
        let keys = Keys::generate();
        let body =
            json!({ "wallet_id": keys.public_key().to_hex(), "provider": "nip98", "roles": ["admin"] });
        let invitations = join_all((0..4).map(|_| rest.post("/users", body.clone())));
        let (invited, logged_in) = tokio::join!(invitations, sign_in(&rest, &keys));
        let logged_in = logged_in.data();
        let created = invited.iter().filter(|answer| answer.status == 201).count();
        for answer in invited.iter().filter(|answer| answer.status != 201) {
            assert_eq!(answer.refusal(), refused(409, "user_exists"));
        }
        let path = format!("/users/{}", logged_in["user"]["id"].as_str().unwrap());
        let user = rest.get(&path).await.data()["user"].clone();
        assert_eq!((&user["logins"], user["roles"] == json!(["admin"])), (&json!(1), created == 1));
        assert!(created <= 1, "{created}");
    }
    assert_eq!(users(&rest).await.len(), 8);
}
