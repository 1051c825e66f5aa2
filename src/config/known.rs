//! Finds the section of a key that stands in another one.

use figment::Figment;
use figment::error::Kind;
use figment::providers::Serialized;
use figment::value::{Dict, Value};

use super::raw::Raw;

/// What was probably meant by this name, which is known in exactly one other section.
pub(super) fn elsewhere(name: &str) -> Option<String> {
    let top = keys_of("").iter().map(|section| (*section).to_owned());
    let wallets = keys_of("wallets").iter().map(|section| format!("wallets.{section}"));
    let mut sections = top.chain(wallets).filter(|section| keys_of(section).contains(&name));
    let section = sections.next().filter(|_| sections.next().is_none())?;
    let whole = format!("{section}.{name}");
    let is_section = !keys_of(&whole).is_empty();
    Some(if is_section { format!("[{whole}]") } else { format!("{name} below [{section}]") })
}

/// The keys that this section may have; none: it is not a section.
fn keys_of(section: &str) -> &'static [&'static str] {
    /// No section has this key, so the error lists the known ones.
    const NO_KEY: &str = "?";

    let mut probe = Dict::from([(NO_KEY.to_owned(), Value::from(0))]);
    for name in section.rsplit('.').filter(|name| !name.is_empty()) {
        probe = Dict::from([(name.to_owned(), Value::from(probe))]);
    }
    match Figment::from(Serialized::defaults(probe)).extract::<Raw>().map_err(|error| error.kind) {
        Err(Kind::UnknownField(name, known)) if name == NO_KEY => known,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_one_other_section_is_found_there_and_one_of_several_is_not() {
        for (name, found) in [
            ("max_prompts_per_user", Some("max_prompts_per_user below [auth]")),
            ("max_open", None),
            ("socket", Some("socket below [local]")),
            ("nip98", Some("[wallets.nip98]")),
            ("public_url", None),
            ("timeout", None),
            ("nonsense", None),
        ] {
            assert_eq!(elsewhere(name).as_deref(), found, "{name}");
        }
    }
}
