//! What the page shows is what happened.

use super::*;
use crate::support::beginning::{Member, asked_to_log_in};
use crate::support::rest::refused;

async fn overview(page: &Rest) -> Value {
    page.get("/ui/data").await.data()["overview"].clone()
}

fn times(rows: &Value, outcome: &str) -> u64 {
    let rows = rows.as_array().unwrap().iter().filter(|row| row["outcome"] == outcome);
    rows.map(|row| row["times"].as_u64().unwrap()).sum()
}

#[tokio::test]
async fn logins_relays_bounds_keys_and_the_store_are_shown_as_they_are() {
    let (relay, daemon) = daemon("").await;
    let operator = operator(&daemon).await;
    Member::of(&daemon).await;
    let (mut phone, asked, stream) = asked_to_log_in(&daemon).await;
    phone.decline(&asked, None).await;
    daemon.ended(&stream).await;
    daemon.rest().login(json!({})).await;
    let all = overview(&operator).await;
    let logins = &all["logins"];
    assert_eq!((times(&logins["ended"], "approved"), times(&logins["ended"], "declined")), (1, 1), "{all}");
    assert_eq!(times(&logins["opened"], "login"), 3);
    assert_eq!(logins["minutes"], json!([[1, 1]]), "the first minute");
    assert_eq!(all["open"]["handshakes"], 1.0);
    assert_eq!(all["open"]["sessions"], 1.0);
    assert_eq!(all["ready"], 1);
    let shown = &all["relays"][0];
    assert_eq!((&shown["relay"], &shown["state"]), (&json!(relay.url().to_string()), &json!("ready")));
    let open = all["bounds"].as_array().unwrap().iter().find(|one| one["limit"] == "open_requests").unwrap();
    assert_eq!((&open["used"], &open["most"]), (&json!(1.0), &json!(200_000)));
    let keys = daemon.rest().get("/keys").await.data();
    assert_eq!(all["keys"]["signing"], keys["keys"][0]["kid"]);
    assert!(all["keys"]["due"].is_string() && all["store"]["size_bytes"].as_f64().unwrap() > 1000.0);
    assert_eq!(all["version"], daemon.rest().get("/version").await.data()["version"]);
    assert_eq!(all["webhooks"], json!({ "enabled": false }));
}

#[tokio::test]
async fn refused_checks_are_shown_with_their_code() {
    let (_relay, daemon) = daemon("").await;
    let (member, operator) = (Member::of(&daemon).await, operator(&daemon).await);
    daemon.rest().post("/auth/logout", member.both()).await.data();
    for _ in 0..3 {
        daemon.rest().post("/auth/verify", member.both()).await.refusal();
    }
    let refused = overview(&operator).await["logins"]["refused"].clone();
    assert_eq!(refused, json!([{ "outcome": "verify", "code": "session_revoked", "times": 3 }]));
}

#[tokio::test]
async fn many_pages_cost_no_more_than_one() {
    let daemon = quiet("").await;
    let operator = operator(&daemon).await;
    let mut moments = std::collections::BTreeSet::new();
    for _ in 0..20 {
        moments.insert(overview(&operator).await["now"].to_string());
    }
    // Each answer is shared for a second, so twenty requests in a row are few answers.
    assert!(moments.len() < 10, "{moments:?}");
}

#[tokio::test]
async fn the_audit_is_filtered_by_kind_and_user() {
    let (_relay, daemon) = daemon("").await;
    let (one, other) = (Member::of(&daemon).await, Member::of(&daemon).await);
    let operator = operator(&daemon).await;
    let kinds = |records: &Value| {
        records
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["kind"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let all = operator.get("/ui/audit").await.data();
    assert_eq!(kinds(&all["records"]), ["api_token_made", "login", "login"]);
    assert_eq!(all["records"][0]["actor"], "unix uid 0");
    assert!(all["records"][0]["detail"].as_str().unwrap().contains("name ops"), "{all}");
    assert!(all["kinds"].as_array().unwrap().contains(&json!("sessions_revoked")));
    let made = operator.get("/ui/audit?kind=api_token_made&user=").await.data();
    assert_eq!(kinds(&made["records"]), ["api_token_made"]);
    let about = operator.get(&format!("/ui/audit?user={}", one.id())).await.data();
    assert_eq!(about["records"].as_array().unwrap().len(), 1);
    assert_ne!(one.id(), other.id());
    for wrong in ["kind=x", "user=x", "cursor=1"] {
        let answer = operator.get(&format!("/ui/audit?{wrong}")).await;
        assert_eq!(answer.refusal(), refused(400, "bad_request"), "{wrong}");
    }
}

#[tokio::test]
async fn where_sessions_are_off_the_rest_of_the_page_works() {
    let daemon = Daemon::offline().with_config("[ui]\nenabled = true\n").with_tcp().start().await;
    let operator = operator(&daemon).await;
    assert_eq!(operator.get("/ui/session").await.data()["with_wallet"], false);
    assert_eq!(overview(&operator).await["open"]["sessions"], Value::Null);
    for route in
        routes(NOBODY).into_iter().filter(|(_, path, _)| path.contains("login") || path.contains("audit"))
    {
        assert_eq!(send(&operator, &route).await.refusal(), refused(404, "sessions_off"), "{route:?}");
    }
    assert_eq!(operator.get("/ui/users").await.refusal(), refused(404, "sessions_off"));
}
