//! Gateways before an app, over the Unix socket: who is let in, and who is not.

use hyper::Method;
use serde_json::json;

use crate::app::{App, seen, told_of_user};
use crate::forged;
use crate::gateways::{Gateway, More};
use crate::site::Site;
use crate::support::beginning::Member;
use crate::support::rest::Answer;

for_every_gateway! {
    the_app_hears_who_it_is_from_portico,
    nobody_reaches_the_app_without_both_layers_that_belong_together_and_hold,
    the_challenge_is_porticos_own,
    a_role_that_is_missing_is_403_and_one_that_was_given_lets_in_at_once,
    a_logout_or_a_disabled_user_is_refused_at_the_next_request,
    while_portico_is_away_nobody_is_let_in_and_once_it_is_back_users_are,
}

/// Status, challenge, and the code: in a header, or on the page.
pub(crate) fn refusal(answer: &Answer) -> (u16, Option<&str>, String) {
    let code = match answer.header("x-auth-error") {
        Some(code) => code.to_owned(),
        None => answer.json()["code"].as_str().unwrap().to_owned(),
    };
    (answer.status.as_u16(), answer.header("www-authenticate"), code)
}

/// What the app is told of a user without permissions.
pub(crate) fn named(member: &Member, roles: &str) -> Vec<(String, String)> {
    let wallet = member.phone.key().to_hex();
    let told = [
        ("x-auth-provider", "portal"),
        ("x-auth-roles", roles),
        ("x-auth-session", member.session()),
        ("x-auth-user", member.id()),
        ("x-auth-wallet", &wallet),
    ];
    let told = told.into_iter().filter(|(_, value)| !value.is_empty());
    told.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

async fn the_app_hears_who_it_is_from_portico(gateway: Gateway) {
    for app in App::ALL {
        let site = Site::of(gateway, app).await;
        let member = Member::of(&site.daemon).await;
        let answer = site.client_of(&member).send(Method::POST, "/notes?x=1", "a note").await;
        assert_eq!(told_of_user(&answer), named(&member, ""), "{app:?}");
        let seen = seen(&answer);
        assert_eq!((&seen["path"], &seen["body"]), (&json!("/notes"), &json!("a note")), "{app:?}");
    }
}

async fn nobody_reaches_the_app_without_both_layers_that_belong_together_and_hold(gateway: Gateway) {
    let site = Site::of(gateway, App::Wsgi).await;
    let (member, other) = (Member::of(&site.daemon).await, Member::of(&site.daemon).await);
    let client = site.client_of(&member);
    let expired = forged::run_out(&site.daemon, member.access_token());
    for (name, client, code) in [
        ("nothing", site.stranger(), "access_token_required"),
        ("no wallet", client.clone().without("x-wallet-session"), "credential_required"),
        ("no token", client.clone().without("authorization"), "access_token_required"),
        ("an expired token", site.client(&expired, &member.credential), "token_expired"),
        ("another's wallet", site.client(member.access_token(), &other.credential), "session_mismatch"),
        ("the wallet twice", client.clone().and("x-wallet-session", &other.credential), "malformed_request"),
        ("swapped", site.client(&member.credential, member.access_token()), "invalid_token"),
        (
            "tampered",
            site.client(&forged::tampered(member.access_token()), &member.credential),
            "invalid_token",
        ),
    ] {
        let answer = client.get("/notes").await;
        let (status, challenge, told) = refusal(&answer);
        assert_eq!((status, &*told), (401, code), "{name}");
        assert!(challenge.is_some_and(|challenge| challenge.starts_with("Bearer")), "{name}: {answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{name}");
    }
    assert_eq!(client.get("/notes").await.status.as_u16(), 200);
}

async fn the_challenge_is_porticos_own(gateway: Gateway) {
    let site = Site::of(gateway, App::Wsgi).await;
    let member = Member::of(&site.daemon).await;
    let expired = forged::run_out(&site.daemon, member.access_token());
    let answer = site.client(&expired, &member.credential).get("/notes").await;
    let challenge = "Bearer error=\"invalid_token\", error_description=\"token_expired\"";
    assert_eq!(refusal(&answer), (401, Some(challenge), "token_expired".into()));
}

async fn a_role_that_is_missing_is_403_and_one_that_was_given_lets_in_at_once(gateway: Gateway) {
    let site = Site::of(gateway, App::Wsgi).await;
    let member = Member::of(&site.daemon).await;
    let client = site.client_of(&member);
    for path in ["/admin/", "/admin", "/admin/users"] {
        let (status, _, code) = refusal(&client.get(path).await);
        assert_eq!((status, &*code), (403, "role_missing"), "{path}");
    }
    let user = format!("/users/{}", member.id());
    site.daemon.rest().patch(&user, json!({ "roles": ["admin", "editor"] })).await.data();
    assert_eq!(told_of_user(&client.get("/admin/users").await), named(&member, "admin,editor"));
    site.daemon.rest().patch(&user, json!({ "roles": ["editor"] })).await.data();
    assert_eq!(refusal(&client.get("/admin/users").await).0, 403);
}

async fn a_logout_or_a_disabled_user_is_refused_at_the_next_request(gateway: Gateway) {
    // Whatever nginx caches.
    let cache = "proxy_cache_path cache keys_zone=all:1m; proxy_cache all; proxy_cache_valid any 1h; \
                 proxy_ignore_headers Cache-Control;";
    let site = Site::with(gateway, App::Wsgi, More { around: cache, within: "" }).await;
    let (leaving, disabled) = (Member::of(&site.daemon).await, Member::of(&site.daemon).await);
    let rest = site.daemon.rest();
    for member in [&leaving, &disabled] {
        assert_eq!(site.client_of(member).get("/notes").await.status.as_u16(), 200);
    }
    rest.post("/auth/logout", json!({ "access_token": leaving.access_token() })).await.data();
    rest.patch(&format!("/users/{}", disabled.id()), json!({ "disabled": true })).await.data();
    for (member, code) in [(&leaving, "session_revoked"), (&disabled, "user_disabled")] {
        let (status, _, told) = refusal(&site.client_of(member).get("/notes").await);
        assert_eq!((status, &*told), (401, code));
    }
}

async fn while_portico_is_away_nobody_is_let_in_and_once_it_is_back_users_are(gateway: Gateway) {
    // What some operators have, so that an outage looks well: it must not look like a yes of Portico's.
    let sorry = "error_page 500 502 503 504 =200 /sorry; location = /sorry { return 200 sorry; }";
    for within in ["", sorry] {
        let mut site = Site::with(gateway, App::Express, More { around: "", within }).await;
        let member = Member::of(&site.daemon).await;
        let client = site.client_of(&member);
        assert_eq!(told_of_user(&client.get("/notes").await), named(&member, ""));
        // The connections that a gateway keeps do not keep the daemon.
        assert!(site.daemon.terminate().await.success());
        for client in [&client, &site.stranger(), &site.browser(&[])] {
            for path in ["/notes", "/admin/"] {
                let answer = client.get(path).await;
                let is_told_so = answer.status.is_server_error() || answer.text == "sorry";
                assert!(is_told_so, "{answer:?}");
            }
        }
        // What is everybody's goes on.
        assert_eq!(told_of_user(&client.get("/public/").await), []);
        site.daemon = site.daemon.restart().await;
        assert_eq!(told_of_user(&client.get("/notes").await), named(&member, ""));
        if gateway != Gateway::Nginx {
            break;
        }
    }
}

#[tokio::test]
async fn nobody_asks_portico_from_outside() {
    let site = Site::of(Gateway::Nginx, App::Wsgi).await;
    let member = Member::of(&site.daemon).await;
    for path in ["/_portico/user", "/_portico/admin", "/_portico/", "/_portico/other", "/_refused"] {
        assert_eq!(site.client_of(&member).get(path).await.status.as_u16(), 404, "{path}");
    }
}
