//! Rejects lists in place of sections: the library would read the entries of a list as the values of a section's keys.

use figment::Figment;
use figment::value::{Dict, Value};

use super::mistakes::Mistakes;

/// Notes each list that stands in the place of a section.
pub(super) fn check(layers: &Figment, wrong: &mut Mistakes) {
    let Ok(written) = layers.extract::<Dict>() else { return };
    for (name, value) in &written {
        // A list of relays gets an error that names its own file.
        if value.as_array().is_some() && !["relay", "relays"].contains(&name.as_str()) {
            wrong.add(name, in_place_of_section(name));
        }
    }
    for (name, value) in written.get("wallets").and_then(Value::as_dict).into_iter().flatten() {
        if value.as_array().is_some() {
            let name = format!("wallets.{name}");
            wrong.add(name.clone(), in_place_of_section(&name));
        }
    }
    check_rows(&written, "", wrong);
}

fn in_place_of_section(name: &str) -> String {
    format!("must be a section: write [{name}], with one bracket, and only once")
}

/// No key has a list of lists.
fn check_rows(section: &Dict, above: &str, wrong: &mut Mistakes) {
    for (name, value) in section {
        let key = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        match value {
            Value::Dict(_, below) => check_rows(below, &key, wrong),
            Value::Array(_, list) => {
                for (at, _) in list.iter().enumerate().filter(|(_, entry)| entry.as_array().is_some()) {
                    wrong.add(format!("{key}.{at}"), "must not be a list");
                }
            }
            _ => {}
        }
    }
}
