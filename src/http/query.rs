//! Parameters in the query that a route does not have are refused: a misspelt one must not be overlooked.
//!
//! The document of the API says which there are.

use std::collections::HashMap;

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use serde_json::Value;
use url::form_urlencoded;

use super::envelope::ApiError;
use crate::quoted::quoted;

/// The parameters in the query that each route has.
#[derive(Debug)]
pub(crate) struct Parameters {
    /// For each method and path, their names.
    known: HashMap<String, Vec<String>>,
}

impl Parameters {
    /// Those that a document in the form of OpenAPI names.
    pub(crate) fn of(document: &Value) -> Self {
        let mut known = HashMap::new();
        for (path, operations) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in operations.as_object().into_iter().flatten() {
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let in_query = parameters.filter(|parameter| parameter["in"] == "query");
                let names = in_query.filter_map(|parameter| parameter["name"].as_str().map(str::to_owned));
                known.insert(key(&method.to_uppercase(), path), names.collect());
            }
        }
        Self { known }
    }

    /// Refuses a parameter that the route does not have, unless the route is `off`.
    ///
    /// # Errors
    /// 400 `bad_request`, with its name.
    pub(crate) fn check(&self, request: &Request, off: &[&str]) -> Result<(), ApiError> {
        let Some(query) = request.uri().query().filter(|query| !query.is_empty()) else { return Ok(()) };
        let Some(route) = request.extensions().get::<MatchedPath>() else { return Ok(()) };
        if off.contains(&route.as_str()) {
            return Ok(());
        }
        let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
        let Some(known) = self.known.get(&key(method.as_str(), route.as_str())) else { return Ok(()) };
        let mut named = form_urlencoded::parse(query.as_bytes());
        match named.find(|(name, _)| !known.iter().any(|known| known == name)) {
            Some((name, _)) => Err(unknown(&name, known)),
            None => Ok(()),
        }
    }
}

fn key(method: &str, path: &str) -> String {
    format!("{method} {path}")
}

fn unknown(name: &str, known: &[String]) -> ApiError {
    let name = quoted(name);
    ApiError::bad_request(match known {
        [] => format!("query: {name} is not a parameter: this route has none"),
        known => format!("query: {name} is not a parameter of this route; it has {}", known.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_document_names_the_parameters_of_a_route() {
        let document = json!({ "paths": {
            "/events/{id}": { "get": { "parameters": [
                { "in": "path", "name": "id" }, { "in": "query", "name": "after" }, { "in": "query", "name": "wait" },
            ] } },
            "/login": { "post": {} },
        } });
        let Parameters { known } = Parameters::of(&document);
        assert_eq!(known["GET /events/{id}"], ["after", "wait"]);
        assert_eq!(known["POST /login"], [""; 0]);
    }

    #[test]
    fn a_name_that_is_refused_is_repeated_safely() {
        let error = unknown("a\u{1b}[2J\"", &["after".into()]);
        assert_eq!(error.message, r#"query: "a\u{1b}[2J\"" is not a parameter of this route; it has after"#);
        assert!(unknown(&"x".repeat(10_000), &[]).message.len() < 200);
    }
}
