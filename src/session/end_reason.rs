//! Why sessions end before they expire.

use std::fmt;

words! {
    /// Why a session was ended before it expired, as its event, the log and the metrics name it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum EndReason: as_str {
        /// The user logged out.
        Logout = "logout",
        /// The user logged out everywhere.
        LogoutAll = "logout_all",
        /// An operator ended the session.
        Operator = "operator",
        /// An operator disabled the user.
        UserDisabled = "user_disabled",
        /// The user was deleted.
        UserDeleted = "user_deleted",
        /// The user had one session too many.
        Superseded = "superseded",
        /// `POST /oauth/revoke` revoked the access token.
        Oauth = "oauth",
        /// The credential behind the session was revoked.
        CredentialRevoked = "credential_revoked",
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    const OPENAPI: &str = include_str!("../api/openapi.json");

    /// The words that a `match` of this source maps to.
    fn words(source: &'static str) -> BTreeSet<&'static str> {
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        let arms = code.split("=> \"").skip(1);
        arms.filter_map(|arm| arm.split_once('"')).map(|(word, _)| word).collect()
    }

    #[test]
    fn the_document_of_the_api_has_exactly_the_reasons_why_sessions_end() {
        let openapi: Value = serde_json::from_str(OPENAPI).unwrap();
        let documented = openapi["components"]["schemas"]["SessionEnd"]["enum"].as_array().unwrap();
        let documented: BTreeSet<_> = documented.iter().filter_map(Value::as_str).collect();
        assert_eq!(BTreeSet::from(EndReason::ALL.map(EndReason::as_str)), documented);
    }

    #[test]
    fn the_document_of_the_api_names_every_reason_why_a_user_is_refused() {
        let refusals = words(include_str!("error.rs"));
        assert!(refusals.len() >= 10, "{refusals:?}");
        let missing: Vec<_> =
            refusals.into_iter().filter(|code| !OPENAPI.contains(&format!("`{code}`"))).collect();
        assert!(missing.is_empty(), "not in openapi.json: {missing:?}");
    }
}
