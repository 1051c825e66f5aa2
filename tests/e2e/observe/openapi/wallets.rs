//! What the document promises of wallets besides Portal's.

use hyper::Method;
use serde_json::{Value, json};

use super::Contract;
use crate::support::rest::{Rest, refused};
use crate::wallets::thirdweb::{key, signature};

impl Contract {
    /// Somebody signs in with an Ethereum account, and somebody fails to.
    pub(super) async fn thirdweb(&mut self, rest: &Rest) {
        let user = key(0x22);
        let (offer, login) = ("/thirdweb/payload", "/thirdweb/login");
        let ask = json!({ "address": user.address(), "chain_id": "1" });
        let offered = self.send(rest, Method::POST, offer, offer, Some(ask)).await.data();
        let signed = json!({ "payload": offered["payload"], "signature": signature(&user, &offered) });
        self.send(rest, Method::POST, login, login, Some(signed.clone())).await.data();
        let again = self.send(rest, Method::POST, login, login, Some(signed)).await;
        assert_eq!(again.refusal(), refused(401, "unknown_nonce"));
        let wrong: Value = json!({ "address": "0x" });
        let answer = self.send(rest, Method::POST, offer, offer, Some(wrong)).await;
        assert_eq!(answer.refusal(), refused(400, "bad_request"));
        let issue = json!({ "format": "thirdweb", "address": user.address(), "ctx": { "plan": "gold" } });
        self.send(rest, Method::POST, "/jwt/issue", "/jwt/issue", Some(issue)).await.data();
    }
}
