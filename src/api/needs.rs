//! What each route needs. The table in `router.rs` has it in every row, and `guard.rs` reads it here.

use std::collections::HashMap;

use axum::extract::{MatchedPath, Request};
use axum::http::Method;

use super::effect::Effect;
use crate::rights::{Right, Rights};

/// What a caller needs for a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing, and every web page may read the answer: a public document that is the same for everybody.
    Document,
    /// Nothing.
    Nothing,
    /// Some right, or on TCP an API token that follows as a command. Each command then has its own need.
    Commands,
    /// This right.
    Right(Right),
    /// What the operator's page needs (`ui/door.rs`): its callers are browsers, and have no rights of their own.
    Page(PageNeeds),
}

/// What a route of the operator's page needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageNeeds {
    /// Nothing: a file of the page, the same for everybody.
    File,
    /// The page itself, before somebody is signed in.
    SignIn,
    /// Somebody who is signed in.
    Read,
    /// The same, and `ui.writes`.
    Write,
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// A row of the table.
    Row(Needs),
    /// An unknown route. Only callers with some right learn that it is unknown.
    Nowhere,
}

/// A row of the table: a method of a path, what it needs and what it does.
pub(super) type Row = (Method, Needs, Effect);

/// The table, as the guard reads it.
#[derive(Debug)]
pub(super) struct Table(HashMap<&'static str, Vec<Row>>);

impl Table {
    pub(super) fn of(rows: impl IntoIterator<Item = (&'static str, Row)>) -> Self {
        let mut table: HashMap<_, Vec<_>> = HashMap::new();
        for (path, row) in rows {
            table.entry(path).or_default().push(row);
        }
        Self(table)
    }

    /// What a request needs, by the route that the router found.
    pub(super) fn asked(&self, request: &Request) -> Asked {
        let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        match route.and_then(|route| self.0.get(route)) {
            Some(rows) => Self::asked_of(rows, request.method()),
            // Everybody may learn that a document does not exist.
            None if request.uri().path().starts_with("/.well-known/") => Asked::Row(Needs::Document),
            None => Asked::Nowhere,
        }
    }

    /// What a request does, and the route by which the log names it.
    pub(super) fn effect(&self, request: &Request) -> (Effect, &'static str) {
        let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        let listed = route.and_then(|route| self.0.get_key_value(route));
        listed.map_or((Effect::Answers, "none"), |(route, rows)| {
            let row = rows.iter().find(|(method, ..)| method == request.method());
            (row.map_or(Effect::Answers, |(.., effect)| *effect), *route)
        })
    }

    fn asked_of(rows: &[Row], method: &Method) -> Asked {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let row = rows.iter().find(|(of_row, ..)| of_row == method);
        match (row, rows) {
            (Some((_, needs, _)), _) => Asked::Row(*needs),
            // A method that the route does not take, or one of those that a row takes besides its own: as that row.
            (None, [(_, needs, _)]) => Asked::Row(*needs),
            // Whatever the method is, a browser asks, and the check of the page decides.
            (None, [(_, Needs::Page(_), _), ..]) => Asked::Row(Needs::Page(PageNeeds::SignIn)),
            (None, _) => Asked::Nowhere,
        }
    }
}

impl Asked {
    /// Whether every web page may read the answer.
    pub(super) fn is_document(self) -> bool {
        self == Self::Row(Needs::Document)
    }

    /// Whether anybody who reaches the TCP socket gets the answer.
    pub(super) fn is_public(self) -> bool {
        matches!(self, Self::Row(Needs::Document | Needs::Nothing))
    }

    /// The right that the caller lacks for it, if any.
    pub(super) fn missing(self, rights: Rights) -> Option<Right> {
        match self {
            Self::Row(Needs::Right(right)) => rights.missing(right.into()),
            Self::Row(Needs::Document | Needs::Nothing | Needs::Commands | Needs::Page(_))
            | Self::Nowhere => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::router;

    /// Every set of rights.
    fn sets() -> impl Iterator<Item = Rights> {
        (0..16u8).map(|bits| {
            let chosen = Right::ALL.into_iter().filter(|right| bits & right.bit() != 0);
            chosen.fold(Rights::NONE, |rights, right| rights.and(right.into()))
        })
    }

    #[test]
    fn every_route_is_open_to_whoever_has_its_right_and_to_nobody_else() {
        let Table(table) = router::table(true);
        assert!(table.len() > 40);
        for (path, rows) in &table {
            for (method, needs, _) in rows {
                let asked = Table::asked_of(rows, method);
                assert_eq!(asked, Asked::Row(*needs), "{method} {path}");
                for rights in sets() {
                    let missing = match needs {
                        Needs::Right(right) => (!rights.has(*right)).then_some(*right),
                        _ => None,
                    };
                    assert_eq!(asked.missing(rights), missing, "{method} {path} with {rights}");
                }
                assert_eq!(asked.is_public(), matches!(needs, Needs::Document | Needs::Nothing), "{path}");
            }
        }
    }

    /// Who adds a route that changes something has to say so: then it is logged, bounded and tested with the others.
    #[test]
    fn every_route_that_changes_the_service_says_so_and_no_other() {
        let Table(table) = router::table(true);
        for (path, rows) in &table {
            for (method, needs, effect) in rows {
                let right = match needs {
                    Needs::Right(right) => Some(*right),
                    Needs::Page(PageNeeds::SignIn) => Some(Right::Login),
                    Needs::Page(PageNeeds::Write) => Some(Right::Operate),
                    _ => None,
                };
                let is_right = match effect {
                    Effect::Answers => *method == Method::GET || right == Some(Right::Check),
                    Effect::Login => *method != Method::GET && right == Some(Right::Login),
                    Effect::Issues => *method != Method::GET && right == Some(Right::Issue),
                    Effect::Changes(_) => *method != Method::GET && right == Some(Right::Operate),
                };
                assert!(is_right, "{method} {path} needs {needs:?} and has {effect:?}");
            }
        }
    }

    #[test]
    fn no_route_is_public_but_these() {
        let Table(table) = router::table(true);
        let public =
            |rows: &Vec<Row>| rows.iter().any(|(method, ..)| Table::asked_of(rows, method).is_public());
        let mut paths: Vec<_> =
            table.iter().filter(|(_, rows)| public(rows)).map(|(path, _)| *path).collect();
        paths.sort_unstable();
        assert_eq!(
            paths,
            [
                "/.well-known/jwks.json",
                "/.well-known/nostr.json",
                "/.well-known/portico/secp256k1.json",
                "/health",
                "/openapi.json",
                "/ready",
                "/version",
                "/well-known/nostr.json",
            ]
        );
    }

    #[test]
    fn another_method_opens_no_route() {
        let rows = |rows: &[Row], method| Table::asked_of(rows, &method);
        let (check, operate) = (Needs::Right(Right::Check), Needs::Right(Right::Operate));
        let one = [(Method::GET, check, Effect::Answers)];
        let two = [one[0].clone(), (Method::DELETE, operate, Effect::Login)];
        assert_eq!(rows(&one, Method::HEAD), Asked::Row(check));
        assert_eq!(rows(&one, Method::PUT), Asked::Row(check), "as its only row");
        assert_eq!(rows(&two, Method::DELETE), Asked::Row(operate));
        assert_eq!(rows(&two, Method::PUT), Asked::Nowhere);
        let page = |method, needs| (method, Needs::Page(needs), Effect::Answers);
        let page = [page(Method::GET, PageNeeds::Read), page(Method::POST, PageNeeds::Write)];
        assert_eq!(rows(&page, Method::OPTIONS), Asked::Row(Needs::Page(PageNeeds::SignIn)));
        assert!(!Asked::Nowhere.is_public());
    }
}
