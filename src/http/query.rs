//! Refuses query parameters that a route does not have: Portico must not ignore a misspelt one.
//!
//! `openapi.json` has the parameters of each route.

use std::collections::HashMap;

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use serde_json::Value;
use url::form_urlencoded;

use super::envelope::ApiError;
use crate::quoted::quoted;

/// The query parameters of each route.
#[derive(Debug)]
pub(crate) struct Parameters {
    /// The names, for each method and path.
    known: HashMap<String, Vec<String>>,
}

impl Parameters {
    /// The parameters in an OpenAPI document.
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
        [] => format!("query: unknown parameter {name}; this route has no parameters"),
        known => format!("query: unknown parameter {name}; this route has {}", known.join(", ")),
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
        assert_eq!(error.message, r#"query: unknown parameter "a\u{1b}[2J\""; this route has after"#);
        assert!(unknown(&"x".repeat(10_000), &[]).message.len() < 200);
    }
}
