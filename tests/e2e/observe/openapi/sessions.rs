//! What the document promises of users, sessions and keys.

use hyper::Method;
use serde_json::{Value, json};

use super::Contract;
use crate::support::rest::{Answer, Rest, refused};

impl Contract {
    /// Walks a wallet that has logged in through everything that can become of its user.
    pub(super) async fn sessions(&mut self, rest: &Rest, credential: &str, user: &Value) {
        let (wallet, user) = (user["wallet_id"].as_str().unwrap(), user["id"].as_str().unwrap());
        self.send(rest, Method::GET, "/providers", "/providers", None).await.data();
        let begun = self.log_in(rest, credential).await.data();
        let token = begun["access_token"].as_str().unwrap();
        self.layers(rest, credential, token).await;
        self.gateways(rest, credential, token).await;
        self.oauth(rest, wallet, credential, token).await;
        self.operators(rest, user, begun["session"]["id"].as_str().unwrap()).await;
        self.keys(rest).await;
        self.ends(rest, credential, user).await;
    }

    async fn log_in(&mut self, rest: &Rest, credential: &str) -> Answer {
        let path = "/auth/login";
        self.send(rest, Method::POST, path, path, Some(json!({ "credential": credential }))).await
    }

    async fn layers(&mut self, rest: &Rest, credential: &str, token: &str) {
        let both = json!({ "access_token": token, "credential": credential });
        for path in ["/auth/verify", "/auth/refresh"] {
            self.send(rest, Method::POST, path, path, Some(both.clone())).await.data();
            let wrong = json!({ "access_token": "x", "credential": credential });
            let answer = self.send(rest, Method::POST, path, path, Some(wrong)).await;
            assert_eq!(answer.refusal(), refused(401, "invalid_token"));
            assert_eq!(answer.json()["detail"], "malformed_token");
        }
        let alone = json!({ "access_token": token });
        let answer = self.send(rest, Method::POST, "/auth/verify", "/auth/verify", Some(alone)).await;
        assert_eq!(answer.refusal(), refused(400, "credential_required"));
        assert_eq!(self.log_in(rest, "x").await.refusal(), refused(401, "malformed_token"));
    }

    async fn gateways(&mut self, rest: &Rest, credential: &str, token: &str) {
        let user = rest.clone().with("authorization", &format!("Bearer {token}"));
        let user = user.with("x-wallet-session", credential);
        for (query, status) in [("", 200), ("?role=admin", 403), ("?rolle=admin", 400)] {
            let path = "/auth/forward";
            let answer = self.send(&user, Method::GET, path, &format!("{path}{query}"), None).await;
            assert_eq!(answer.status, status, "{query}");
        }
        for path in ["/auth/envoy/", "/auth/envoy/{path}"] {
            let filled = path.replace("{path}", "any/path?role=admin");
            assert_eq!(self.send(&user, Method::GET, path, &filled, None).await.status, 200);
            assert_eq!(self.send(rest, Method::GET, path, &filled, None).await.status, 401);
        }
    }

    /// Sends a token in a form.
    async fn ask(&mut self, rest: &Rest, path: &str, form: &str) -> Answer {
        let rest = rest.clone().with("content-type", "application/x-www-form-urlencoded");
        let answer = rest.send(Method::POST, path, form.to_owned()).await;
        self.hold(path, &Method::POST, &answer);
        answer
    }

    async fn oauth(&mut self, rest: &Rest, wallet: &str, credential: &str, token: &str) {
        let new = json!({
            "target_key": wallet, "duration_hours": 1,
            "format": "jwt", "audience": "https://ledger.example", "scope": "read write",
        });
        let issued = self.send(rest, Method::POST, "/jwt/issue", "/jwt/issue", Some(new)).await;
        let issued = issued.data()["token"].as_str().unwrap().to_owned();
        for (token, active) in [(token, true), (credential, true), (&issued, true), ("x", false)] {
            let answer = self.ask(rest, "/oauth/introspect", &format!("token={token}")).await;
            assert_eq!(answer.json()["active"], active, "{answer:?}");
        }
        for token in [issued.as_str(), "x"] {
            assert_eq!(self.ask(rest, "/oauth/revoke", &format!("token={token}")).await.status, 200);
        }
        for path in ["/oauth/introspect", "/oauth/revoke"] {
            assert_eq!(self.ask(rest, path, "tokens=x").await.status, 400);
        }
    }

    async fn operators(&mut self, rest: &Rest, user: &str, session: &str) {
        let (path, filled) = ("/users/{id}", format!("/users/{user}"));
        let found = self.send(rest, Method::GET, path, &filled, None).await;
        let read = rest.clone().with("if-match", found.header("etag").unwrap());
        let change = json!({ "username": "ada", "email": null, "roles": ["admin"] });
        for status in [200, 412] {
            let answer = self.send(&read, Method::PATCH, path, &filled, Some(change.clone())).await;
            assert_eq!(answer.status, status);
        }
        let invitation = json!({ "wallet_id": "3b".repeat(32), "roles": ["admin"], "username": "eve" });
        for status in [201, 409] {
            let answer = self.send(rest, Method::POST, "/users", "/users", Some(invitation.clone())).await;
            assert_eq!(answer.status, status, "{answer:?}");
        }
        self.send(rest, Method::GET, "/users", "/users?role=admin&limit=1", None).await.data();
        let (path, filled) = ("/users/{id}/sessions", format!("/users/{user}/sessions"));
        assert_eq!(
            self.send(rest, Method::GET, path, &filled, None).await.data()["sessions"][1]["reason"],
            Value::Null
        );
        for revoked in [1, 0] {
            let (path, filled) = ("/sessions/{id}", format!("/sessions/{session}"));
            let answer = self.send(rest, Method::DELETE, path, &filled, None).await;
            assert_eq!(answer.data()["revoked"], revoked);
        }
        let (path, filled) = ("/events/{stream_id}", format!("/events/{session}"));
        let events = self.send(rest, Method::GET, path, &filled, None).await.data();
        assert_eq!(events["events"][1]["type"], "session_revoked");
    }

    async fn keys(&mut self, rest: &Rest) {
        self.send(rest, Method::POST, "/keys/rotate", "/keys/rotate", None).await.data();
        self.send(rest, Method::GET, "/keys", "/keys", None).await.data();
        let path = "/.well-known/jwks.json";
        let keys = self.send(rest, Method::GET, path, path, None).await.json();
        assert_eq!(keys["keys"].as_array().unwrap().len(), 3, "the one that signs, the next, the one before");
        let path = "/.well-known/portico/secp256k1.json";
        let keys = self.send(rest, Method::GET, path, path, None).await.json();
        assert_eq!(keys["keys"].as_array().unwrap().len(), 1, "the service's own");
    }

    async fn ends(&mut self, rest: &Rest, credential: &str, user: &str) {
        let shown = json!({ "credential": credential });
        self.send(rest, Method::POST, "/auth/logout", "/auth/logout", Some(shown.clone())).await.data();
        let answer = self.send(rest, Method::POST, "/auth/refresh", "/auth/refresh", Some(shown)).await;
        assert_eq!(answer.refusal(), refused(401, "session_revoked"));
        self.send(rest, Method::GET, "/providers", "/providers", None).await.data();
        let begun = self.log_in(rest, credential).await.data();
        let form = format!("token={}", begun["access_token"].as_str().unwrap());
        assert_eq!(self.ask(rest, "/oauth/revoke", &form).await.status, 200);
        assert_eq!(self.ask(rest, "/oauth/introspect", &form).await.json()["active"], false);

        let (path, filled) = ("/users/{id}", format!("/users/{user}"));
        let disabled = json!({ "disabled": true });
        self.send(rest, Method::PATCH, path, &filled, Some(disabled)).await.data();
        assert_eq!(self.log_in(rest, credential).await.refusal(), refused(403, "user_disabled"));
        let all = "/users/{id}/revoke-sessions";
        let answer = self.send(rest, Method::POST, all, &format!("{filled}/revoke-sessions"), None).await;
        assert_eq!(answer.data()["revoked"], 0);
        let stale = rest.clone().with("if-match", "\"1\"");
        assert_eq!(self.send(&stale, Method::DELETE, path, &filled, None).await.status, 412);
        for status in [200, 404] {
            assert_eq!(self.send(rest, Method::DELETE, path, &filled, None).await.status, status);
        }
        let told = self.send(rest, Method::GET, "/audit", "/audit?limit=1000", None).await.data();
        assert!(told["records"].as_array().unwrap().len() > 5);
        assert_eq!(self.send(rest, Method::GET, "/audit", "/audit?kind=x", None).await.status, 400);
    }
}
