//! Parameters in the query that a route does not have are refused: a misspelt one must not be overlooked.
//!
//! Which there are, the document of the API says.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use url::form_urlencoded;

use super::envelope::ApiError;
use super::{openapi, public};
use crate::quoted::quoted;

/// For each path and method, the names of its parameters.
static KNOWN: LazyLock<HashMap<String, Vec<String>>> = LazyLock::new(|| {
    let document = openapi::document();
    let mut known = HashMap::new();
    for (path, operations) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in operations.as_object().into_iter().flatten() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let in_query = parameters.filter(|parameter| parameter["in"] == "query");
            let names = in_query.filter_map(|parameter| parameter["name"].as_str().map(str::to_owned));
            known.insert(key(&method.to_uppercase(), path), names.collect());
        }
    }
    known
});

fn key(method: &str, path: &str) -> String {
    format!("{method} {path}")
}

/// Refuses a parameter that the route does not have, unless the route is `off`.
///
/// # Errors
/// 400 `bad_request`, with its name.
pub(super) fn check(request: &Request, off: &[&str]) -> Result<(), ApiError> {
    let Some(query) = request.uri().query().filter(|query| !query.is_empty()) else { return Ok(()) };
    let path = request.uri().path();
    // Behind Envoy's path comes the user's query. Documents are read by other people's programs, which add what
    // keeps caches away.
    if path.starts_with("/auth/envoy/") || public::is_document(path) {
        return Ok(());
    }
    let Some(route) = request.extensions().get::<MatchedPath>() else { return Ok(()) };
    if off.contains(&route.as_str()) {
        return Ok(());
    }
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    let Some(known) = KNOWN.get(&key(method.as_str(), route.as_str())) else { return Ok(()) };
    match form_urlencoded::parse(query.as_bytes()).find(|(name, _)| !known.iter().any(|known| known == name))
    {
        Some((name, _)) => Err(unknown(&name, known)),
        None => Ok(()),
    }
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
    use super::*;

    #[test]
    fn the_document_names_the_parameters_of_a_route() {
        assert_eq!(KNOWN["GET /events/{stream_id}"], ["after", "wait"]);
        assert_eq!(KNOWN["POST /login"], [""; 0]);
    }

    #[test]
    fn a_name_that_is_refused_is_repeated_safely() {
        let error = unknown("a\u{1b}[2J\"", &["after".into()]);
        assert_eq!(error.message, r#"query: "a\u{1b}[2J\"" is not a parameter of this route; it has after"#);
        assert!(unknown(&"x".repeat(10_000), &[]).message.len() < 200);
    }
}
