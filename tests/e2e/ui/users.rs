//! Finds users, ends their sessions, disables them.

use nostr_sdk::ToBech32;

use super::*;
use crate::support::beginning::Member;
use crate::support::rest::refused;

const WRITES: &str = "writes = true\n";

fn ids(found: &Value) -> Vec<&str> {
    found["users"].as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap()).collect()
}

/// The names that the page has for the open sessions of a user.
fn open(shown: &Value) -> Vec<String> {
    let sessions = shown["sessions"].as_array().unwrap().iter().filter(|one| one["open"] == true);
    sessions.map(|one| one["session"].as_str().unwrap().to_owned()).collect()
}

async fn checks(daemon: &Daemon, member: &Member) -> u16 {
    daemon.rest().post("/auth/verify", member.both()).await.status.as_u16()
}

#[tokio::test]
async fn a_user_is_found_by_id_wallet_and_role() {
    let (_relay, daemon) = daemon("").await;
    let (one, other) = (Member::of(&daemon).await, Member::of(&daemon).await);
    daemon.rest().patch(&format!("/users/{}", one.id()), json!({ "roles": ["shop:admin"] })).await.data();
    let operator = operator(&daemon).await;
    let (hex, npub) = (one.phone.key().to_hex(), one.phone.key().to_bech32().unwrap());
    for text in [one.id(), &hex, &npub, "shop:admin", "%20shop:admin%20"] {
        let found = operator.get(&format!("/ui/users?q={text}")).await.data();
        assert_eq!(ids(&found), [one.id()], "{text}");
    }
    assert_eq!(ids(&operator.get("/ui/users").await.data()), [one.id(), other.id()]);
    for text in ["nobody", NOBODY, "' OR 1=1", "%00", "<script>"] {
        let text = text.replace([' ', '<', '>'], "+");
        assert!(ids(&operator.get(&format!("/ui/users?q={text}")).await.data()).is_empty(), "{text}");
    }
    assert_eq!(operator.get("/ui/users/x").await.refusal(), refused(404, "no_such_user"));
    assert_eq!(operator.get(&format!("/ui/users/{NOBODY}")).await.refusal(), refused(404, "no_such_user"));
}

#[tokio::test]
async fn ending_one_session_leaves_the_others_and_the_audit_names_the_operator() {
    let (_relay, daemon) = daemon(WRITES).await;
    let (one, other) = (Member::of(&daemon).await, Member::of(&daemon).await);
    let operator = operator(&daemon).await;
    let shown = operator.get(&format!("/ui/users/{}", one.id())).await.data();
    let [session] = &open(&shown)[..] else { panic!("{shown}") };
    let end = format!("/ui/users/{}/end-sessions", one.id());
    for wrong in [one.session(), "x", ""] {
        let answer = operator.post(&end, json!({ "session": wrong })).await;
        assert_eq!(answer.refusal(), refused(404, "no_such_session"), "{wrong}");
    }
    let of_other = format!("/ui/users/{}/end-sessions", other.id());
    let answer = operator.post(&of_other, json!({ "session": session })).await;
    assert_eq!(answer.refusal(), refused(404, "no_such_session"), "of another user");
    assert_eq!((checks(&daemon, &one).await, checks(&daemon, &other).await), (200, 200));
    let after = operator.post(&end, json!({ "session": session })).await.data();
    assert!(open(&after).is_empty() && after["sessions"][0]["reason"] == "operator", "{after}");
    assert_eq!((checks(&daemon, &one).await, checks(&daemon, &other).await), (401, 200));
    let told = operator.get("/ui/audit?kind=sessions_revoked").await.data()["records"][0].clone();
    assert!(told["actor"].as_str().unwrap().starts_with("token:ops#") && told["user"] == one.id(), "{told}");
    daemon.until_logged("\"change\":\"POST /ui/users/{id}/end-sessions\"").await;
}

#[tokio::test]
async fn all_sessions_of_a_user_end_at_once() {
    let (_relay, daemon) = daemon(WRITES).await;
    let (member, operator) = (Member::of(&daemon).await, operator(&daemon).await);
    let after = operator.post(&format!("/ui/users/{}/end-sessions", member.id()), json!({})).await.data();
    assert!(open(&after).is_empty());
    assert_eq!(checks(&daemon, &member).await, 401);
}

#[tokio::test]
async fn a_disabled_user_is_out_until_an_operator_enables_it() {
    let (_relay, daemon) = daemon(WRITES).await;
    let (member, operator) = (Member::of(&daemon).await, operator(&daemon).await);
    let path = format!("/ui/users/{}", member.id());
    let revision = operator.get(&path).await.data()["user"]["revision"].as_u64().unwrap();
    let disable = format!("{path}/disable");
    let after = operator.post(&disable, json!({ "disabled": true, "revision": revision })).await.data();
    assert_eq!(after["user"]["disabled"], true);
    assert_eq!(checks(&daemon, &member).await, 403);
    let stale = operator.post(&disable, json!({ "disabled": false, "revision": revision })).await;
    assert_eq!(stale.refusal(), refused(412, "precondition_failed"), "somebody changed the user meanwhile");
    let next = after["user"]["revision"].as_u64().unwrap();
    let after = operator.post(&disable, json!({ "disabled": false, "revision": next })).await.data();
    assert_eq!(after["user"]["disabled"], false);
    for body in
        [json!({}), json!({ "disabled": true }), json!({ "disabled": true, "revision": 1, "roles": ["a"] })]
    {
        assert_eq!(operator.post(&disable, body).await.refusal(), refused(400, "bad_request"));
    }
}
