//! Every bound, reached with a small value: the caller gets an error, the metrics count it, and everything
//! that was accepted before continues.

mod local;
mod logins;
mod sessions;
mod tokens;

use crate::support::daemon::Daemon;
use crate::support::rest::{Answer, refused};

/// How often a bound was reached, by `/metrics`.
async fn reached(daemon: &Daemon, limit: &str) -> f64 {
    daemon.metric(&format!("portico_limit_reached_total{{limit=\"{limit}\"}}")).await
}

/// Refused until later: with a time to wait that is at most this, in seconds.
fn assert_told_to_wait(answer: &Answer, at_most: u64) {
    assert_eq!(answer.refusal(), refused(429, "limit_reached"));
    let wait: u64 = answer.header("retry-after").expect("Retry-After").parse().unwrap();
    assert!((1..=at_most).contains(&wait), "{wait}");
}

#[test]
fn every_bound_is_documented_with_its_default_and_no_other() {
    let text = include_str!("../../../docs/limits.md");
    let labels =
        text.lines().filter_map(|line| line.split('|').nth(3)?.trim().strip_prefix('`')?.strip_suffix('`'));
    let mut documented: Vec<_> = labels.filter(|label| *label != "limit").collect();
    let mut known: Vec<_> = portico::metrics::Limit::ALL.iter().map(|limit| limit.label()).collect();
    documented.sort_unstable();
    // Two bounds of one kind have one label.
    documented.dedup();
    known.sort_unstable();
    known.dedup();
    assert_eq!(documented, known);

    // A section that is off without its keys is commented out.
    let configuration = include_str!("../../../docs/configuration.md").replace("\n# ", "\n");
    for row in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let (section, key) = cells[1].rsplit_once('.').unwrap();
        let toml = configuration.split_once(&format!("\n[{section}]")).unwrap().1;
        let line = toml.lines().find(|line| line.starts_with(&format!("{key} = "))).expect(key);
        let default = line.split_once(" = ").unwrap().1.split_whitespace().next().unwrap();
        assert_eq!(default, cells[2], "{}", cells[1]);
    }
}
