//! Says in the operator's words what is wrong with the shape of a value. No text repeats a value that could be a secret.

use figment::error::{Actual, Kind};

use super::shape::Misfit;
use super::{bounds, known};
use crate::quoted::quoted;

/// What is wrong with this value. `is_section`: it is a section.
pub(super) fn reason(misfit: &Misfit, is_section: bool) -> String {
    let Misfit { key, kind } = misfit;
    match kind {
        kind if lists_relays(key, kind) => {
            "the list of relays has its own file, relays.toml, with one [[relay]] and its url for each".into()
        }
        Kind::UnknownField(name, known) => unknown(key, name, known, is_section),
        Kind::MissingField(_) => "is missing".into(),
        Kind::UnknownVariant(found, known) => {
            format!("must be {}, but is {}", crate::words::one_of(known), quoted(found))
        }
        Kind::InvalidType(Actual::Map, wanted) if wanted == "a sequence" => {
            format!("must be a list: write [[{key}]], with two brackets, for each entry")
        }
        // Without the value: it may be a secret that looks like a number.
        Kind::InvalidType(found, wanted) => {
            format!("must be {}, but is {}", described(key, wanted), kind_of(found))
        }
        Kind::InvalidValue(found, wanted) => {
            format!("must be {}, but is {}", described(key, wanted), shown(found))
        }
        kind => kind.to_string().replace('`', ""),
    }
}

fn unknown(key: &str, name: &str, known: &[&str], is_section: bool) -> String {
    let what = if is_section { "section" } else { "key" };
    let near = nearest(name, known).map(|near| match key.rsplit_once('.') {
        Some((above, _)) if is_section => format!("[{above}.{near}]"),
        None if is_section => format!("[{near}]"),
        _ => near.to_owned(),
    });
    match near.or_else(|| known::elsewhere(name)) {
        Some(meant) => format!("unknown {what}: did you mean {meant}?"),
        None => format!("unknown {what}; known keys: {}", known.join(", ")),
    }
}

/// The known name that was probably meant.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = name.to_lowercase().replace('-', "_");
    let distance = |known: &str| strsim::damerau_levenshtein(&plain, known);
    let near = known.iter().copied().min_by_key(|known| distance(known))?;
    let is_begun =
        near.len() >= 4 && plain.len() >= 4 && (plain.starts_with(near) || near.starts_with(&plain));
    (distance(near) <= (plain.len() / 4).max(1) || is_begun).then_some(near)
}

/// Whether somebody listed relays here; `[relays]` contains limits for relays.
fn lists_relays(key: &str, kind: &Kind) -> bool {
    match (key.split_once('.'), kind) {
        (None, Kind::UnknownField(..)) => key == "relay",
        (None, Kind::InvalidType(..)) => key == "relays",
        // An element of a list.
        (Some((section, field)), Kind::InvalidType(..)) => {
            section == "relays" && field.parse::<usize>().is_ok()
        }
        (Some((section, field)), Kind::UnknownField(..)) => {
            section == "relays" && ["url", "urls", "read", "write", "relay"].contains(&field)
        }
        _ => false,
    }
}

fn kind_of(found: &Actual) -> &'static str {
    match found {
        Actual::Bool(_) => "true or false",
        Actual::Unsigned(_) | Actual::Signed(_) => "a number",
        Actual::Float(_) => "a number with a fraction",
        Actual::Char(_) | Actual::Str(_) => "text",
        Actual::Seq => "a list",
        Actual::Map => "a section",
        _ => "something else",
    }
}

fn shown(found: &Actual) -> String {
    match found {
        Actual::Unsigned(number) => number.to_string(),
        Actual::Signed(number) => number.to_string(),
        Actual::Str(text) => quoted(text),
        other => kind_of(other).into(),
    }
}

/// What a value must be, from the library's name of its type.
fn described(key: &str, wanted: &str) -> String {
    match wanted {
        "usize" | "u64" | "u32" | "u16" | "u8" => {
            let range = bounds::range_of_count(key).unwrap_or_else(|| "of at least 0".into());
            format!("a whole number {range}, without quotes")
        }
        "a boolean" => "true or false, without quotes".into(),
        "a string" | "path string" => "text in quotes".into(),
        "a sequence" => "a list in square brackets, like [1, 2] or [\"a\", \"b\"]".into(),
        section if section.starts_with("struct ") || section == "a map" => "a section".into(),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_was_probably_meant_is_suggested_and_no_other() {
        let known = ["sessions", "service", "max_open", "max_open_per_user", "keep", "relays"];
        for (name, near) in [
            ("sesions", Some("sessions")),
            ("Sessions", Some("sessions")),
            ("session", Some("sessions")),
            ("max-open", Some("max_open")),
            ("max_oepn", Some("max_open")),
            ("kep", Some("keep")),
            ("nonsense", None),
            ("key", None),
            ("x", None),
        ] {
            assert_eq!(nearest(name, &known), near, "{name}");
        }
    }
}
