//! `docs/api.md`, against the document of the API, which other tests compare with the program.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{quoted, rows, text};

/// Words in the descriptions of answers that look like codes.
const NO_CODES: [&str; 3] = ["admin_key_file", "error_description", "sign_in"];

fn openapi() -> Value {
    serde_json::from_str(&text("src/api/openapi.json")).unwrap()
}

/// `GET /users/{id}` and so on, of every row that begins with routes.
fn documented_routes(page: &str) -> BTreeSet<String> {
    let firsts: Vec<_> = rows(page).map(|row| row[0].to_owned()).collect();
    let requests = firsts.iter().flat_map(|cell| quoted(cell));
    let routes = requests.filter_map(|request| {
        let (method, rest) = request.split_once(" /")?;
        let path = rest.split([' ', '?']).next()?;
        Some(format!("{method} /{path}"))
    });
    routes.collect()
}

#[test]
fn every_route_is_documented_and_no_other() {
    let document = openapi();
    let mut actual = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            actual.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    assert_eq!(documented_routes(&text("docs/api.md")), actual);
}

#[test]
fn every_error_code_is_documented() {
    let (page, document) = (text("docs/api.md"), openapi());
    let known: BTreeSet<_> = rows(&page).flatten().flat_map(quoted).collect();
    let is_code =
        |word: &&str| word.contains('_') && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    for (name, response) in document["components"]["responses"].as_object().unwrap() {
        let description = response["description"].as_str().unwrap();
        for code in quoted(description).filter(is_code).filter(|word| !NO_CODES.contains(word)) {
            assert!(known.contains(code), "{code}, of {name}");
        }
    }
    for schema in ["TokenErrorCode", "AccessErrorCode"] {
        for code in document["components"]["schemas"][schema]["enum"].as_array().unwrap() {
            assert!(known.contains(code.as_str().unwrap()), "{code}, of {schema}");
        }
    }
}

#[test]
fn every_event_and_its_codes_are_documented() {
    let (page, document) = (text("docs/api.md"), openapi());
    let firsts: BTreeSet<_> = rows(&page).map(|row| row[0]).flat_map(quoted).collect();
    let schemas = &document["components"]["schemas"];
    let events = schemas["Event"]["oneOf"].as_array().unwrap().iter().map(|event| {
        let name = event["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        schemas[name]["properties"]["type"]["const"].as_str().unwrap()
    });
    let codes = schemas["ErrorEvent"]["properties"]["code"]["enum"].as_array().unwrap();
    let words: Vec<_> = events.chain(codes.iter().map(|code| code.as_str().unwrap())).collect();
    assert!(words.len() > 10, "{words:?}");
    for word in words {
        assert!(firsts.contains(word), "{word}");
    }
}
