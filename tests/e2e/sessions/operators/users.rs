//! Users: who they are, and what is changed about them.

use hyper::Method;
use serde_json::{Value, json};

use super::{NOBODY, column, list, walk};
use crate::sessions::daemon;
use crate::support::beginning::Member;
use crate::support::relay::TestRelay;
use crate::support::rest::refused;

#[tokio::test]
async fn users_come_page_by_page_and_by_what_is_asked_of_them() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let rest = daemon.rest();
    let mut members = Vec::new();
    for _ in 0..5 {
        members.push(Member::of(&daemon).await);
    }
    let ids: Vec<_> = members.iter().map(|member| json!(member.id())).collect();
    for limit in [1, 2, 5, 6] {
        let users = walk(&rest, "/users?", "users", limit).await;
        assert_eq!(column(&users, "id"), ids.iter().collect::<Vec<_>>(), "{limit} at a time");
    }
    for (member, change) in [
        (&members[1], json!({ "roles": ["editor", "admin"] })),
        (&members[2], json!({ "roles": ["editorial"], "disabled": true })),
        (&members[3], json!({ "roles": ["editor"] })),
    ] {
        rest.patch(&format!("/users/{}", member.id()), change).await.data();
    }
    let wallet = members[4].phone.key().to_hex();
    for (filter, expected) in [
        ("provider=portal&".to_owned(), &[0, 1, 2, 3, 4][..]),
        ("provider=other&".to_owned(), &[]),
        (format!("wallet_id={wallet}&"), &[4]),
        (format!("wallet_id={}&", &wallet[..63]), &[]),
        ("role=editor&".to_owned(), &[1, 3]),
        ("role=edit&".to_owned(), &[]),
        ("disabled=true&".to_owned(), &[2]),
        ("disabled=false&".to_owned(), &[0, 1, 3, 4]),
        ("disabled=false&role=admin&".to_owned(), &[1]),
    ] {
        let found = walk(&rest, &format!("/users?{filter}"), "users", 1).await;
        let expected: Vec<_> = expected.iter().map(|at| &ids[*at]).collect();
        assert_eq!(column(&found, "id"), expected, "{filter}");
    }
    for wrong in ["limit=0", "limit=1001", "limit=x", "cursor=x", "disabled=maybe", "rolle=editor"] {
        let answer = rest.get(&format!("/users?{wrong}")).await;
        assert_eq!(answer.refusal(), refused(400, "bad_request"), "{wrong}");
    }
}

#[tokio::test]
async fn of_two_operators_who_change_the_same_revision_the_second_is_told() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let (rest, path) = (daemon.rest(), format!("/users/{}", member.id()));
    let matching = |tag: &str| rest.clone().with("if-match", tag);
    let read = async || {
        let answer = rest.get(&path).await;
        (answer.header("etag").unwrap().to_owned(), answer.data()["user"].clone())
    };
    let (first, before) = read().await;
    rest.post("/auth/login", json!({ "credential": member.credential })).await.data();
    assert_eq!(read().await.0, first, "a login is no change");

    let answer = matching(&first).patch(&path, json!({ "roles": ["admin"] })).await;
    let second = answer.header("etag").unwrap().to_owned();
    assert_eq!(answer.data()["user"]["roles"], json!(["admin"]));
    assert_eq!(read().await.0, second);
    assert_ne!(second, first);
    let weak = format!("W/{second}");
    let others = format!("{first}, \"999\",{weak}");
    for stale in [&first, "\"0\"", "\"999\"", "\"x\"", "\"-1\"", &weak, &others] {
        let answer = matching(stale).patch(&path, json!({ "roles": [] })).await;
        assert_eq!(answer.refusal(), refused(412, "precondition_failed"), "{stale}");
        let answer = matching(stale).delete(&path, json!({})).await;
        assert_eq!(answer.refusal(), refused(412, "precondition_failed"), "{stale}");
    }
    for malformed in ["1", "", "\"", "\"1\" \"2\"", "*, \"1\""] {
        let answer = matching(malformed).patch(&path, json!({ "roles": [] })).await;
        assert_eq!(answer.refusal(), refused(400, "bad_request"), "{malformed}");
        let answer = matching(malformed).delete(&path, json!({})).await;
        assert_eq!(answer.refusal(), refused(400, "bad_request"), "{malformed}");
    }
    let knowing = rest.clone().with("if-none-match", &format!("\"999\", {weak}"));
    let unchanged = knowing.get(&path).await;
    assert_eq!((unchanged.status.as_u16(), unchanged.header("etag")), (304, Some(&*second)));
    assert_eq!(rest.clone().with("if-none-match", &first).get(&path).await.status, 200);
    let unwanted = knowing.patch(&path, json!({ "roles": [] })).await;
    assert_eq!(unwanted.refusal(), refused(412, "precondition_failed"));
    let (tag, user) = read().await;
    assert_eq!(
        (&tag, &user["roles"], &user["created_at"]),
        (&second, &json!(["admin"]), &before["created_at"])
    );

    let twice = matching(&first).and("if-match", &format!("\"x\" ,\t{second}"));
    assert_eq!(twice.patch(&path, json!({ "roles": ["admin"] })).await.status, 200);
    let same = matching(&second).patch(&path, json!({ "roles": ["admin", "admin"] })).await;
    assert_eq!(same.header("etag"), Some(&*second), "nothing was changed");
    let any = matching("*").patch(&path, json!({ "roles": ["a", "b", "a"] })).await;
    assert_eq!(any.data()["user"]["roles"], json!(["a", "b"]));
    let (third, _) = read().await;
    assert_eq!(matching(&third).delete(&path, json!({})).await.data()["deleted"], true);
}

#[tokio::test]
async fn a_name_that_would_forge_a_header_and_whatever_else_makes_no_sense_changes_nothing() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let (rest, path) = (daemon.rest(), format!("/users/{}", member.id()));
    let long = "x".repeat(257);
    let many: Vec<_> = (0..200).map(|at| format!("role{at:03}")).collect();
    rest.patch(&path, json!({ "username": "Zoë", "email": "zoe@example.com", "roles": ["a"] })).await.data();
    let before = rest.get(&path).await;
    for (change, field) in [
        (json!({ "roles": ["admin\r\nX-Auth-User: root"] }), "roles"),
        (json!({ "roles": ["a", "b,c"] }), "roles"),
        (json!({ "roles": ["a b"] }), "roles"),
        (json!({ "roles": ["é"] }), "roles"),
        (json!({ "roles": [""] }), "roles"),
        (json!({ "roles": many }), "roles"),
        (json!({ "roles": "admin" }), "body"),
        (json!({ "roles": null }), "body"),
        (json!({ "permissions": ["a\nb"] }), "permissions"),
        (json!({ "permissions": ["x".repeat(1024)] }), "permissions"),
        (json!({ "permissions": null }), "body"),
        (json!({ "username": "" }), "username"),
        (json!({ "username": "a\nb" }), "username"),
        (json!({ "username": long }), "username"),
        (json!({ "username": 7 }), "body"),
        (json!({ "email": "a\u{0}b" }), "email"),
        (json!({ "username": "al\u{200b}ice" }), "username"),
        (json!({ "username": "al\u{200d}ice" }), "username"),
        (json!({ "username": "\u{202e}ecila" }), "username"),
        (json!({ "username": "alice\u{e0041}" }), "username"),
        (json!({ "email": "alice\u{2060}@example.com" }), "email"),
        (json!({ "email": "alice@example.com\u{61c}" }), "email"),
        (json!({ "email": long }), "email"),
        (json!({ "disabled": "yes" }), "body"),
        (json!({ "disabled": null }), "body"),
        (json!({ "role": ["a"] }), "role"),
        (json!({ "wallet_id": "somebody" }), "wallet_id"),
        (json!({ "roles": ["b"], "username": "" }), "username"),
        (json!([]), "body"),
    ] {
        let answer = rest.patch(&path, change.clone()).await;
        assert_eq!(answer.refusal(), refused(400, "bad_request"), "{change}");
        assert!(answer.json()["error"].as_str().unwrap().contains(field), "{change}: {}", answer.text);
    }
    let after = rest.get(&path).await;
    assert_eq!((after.header("etag"), &after.text), (before.header("etag"), &before.text));

    let edge =
        json!({ "username": "x".repeat(256), "permissions": ["x".repeat(1023)], "roles": ["a:b/c.d_e*-9"] });
    let user = rest.patch(&path, edge.clone()).await.data()["user"].clone();
    for (name, value) in edge.as_object().unwrap() {
        assert_eq!(&user[name], value);
    }
    let user = rest.patch(&path, json!({ "username": null })).await.data()["user"].clone();
    assert_eq!((&user["username"], &user["email"]), (&Value::Null, &json!("zoe@example.com")));
    for path in [NOBODY, "/users/nonsense"] {
        for method in [Method::GET, Method::PATCH, Method::DELETE] {
            let answer = rest.send(method, path, "{}").await;
            assert_eq!(answer.refusal(), refused(404, "no_such_user"), "{path}");
        }
    }
}

#[tokio::test]
async fn who_was_deleted_and_logs_in_again_is_a_new_user_without_the_roles_of_the_old() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let (rest, path) = (daemon.rest(), format!("/users/{}", member.id()));
    rest.patch(&path, json!({ "roles": ["admin"] })).await.data();
    assert_eq!(rest.delete(&path, json!({})).await.data(), json!({ "deleted": true, "revoked": 1 }));
    assert_eq!(rest.get(&path).await.refusal(), refused(404, "no_such_user"));
    assert!(list(&rest, "/users", "users").await.is_empty());

    let again = rest.post("/auth/login", json!({ "credential": member.credential })).await.data();
    assert_ne!(again["user"]["id"], member.login["user"]["id"]);
    assert_eq!(
        (&again["user"]["roles"], &again["user"]["wallet_id"]),
        (&json!([]), &member.login["user"]["wallet_id"])
    );
    assert_eq!(rest.post("/auth/verify", member.both()).await.refusal(), refused(401, "session_revoked"));
    let about = list(&rest, &format!("/audit?user={}", member.id()), "records").await;
    assert_eq!(
        column(&about, "kind"),
        ["sessions_revoked", "user_deleted", "user_changed", "login"],
        "the audit does not forget"
    );
}
