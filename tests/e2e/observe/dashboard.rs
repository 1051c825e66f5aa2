//! `deploy/grafana-dashboard.json` and `deploy/alerts.yaml` ask for metrics, labels and values that there are.

use std::collections::{BTreeMap, BTreeSet};

use portico::events::FailureCode;
use serde_json::{Value, json};

use crate::support::beginning::Member;
use crate::support::daemon::Daemon;
use crate::support::relay::TestRelay;

const DASHBOARD: &str = include_str!("../../../deploy/grafana-dashboard.json");
const ALERTS: &str = include_str!("../../../deploy/alerts.yaml");

/// The labels of each metric, with their values.
type Exported = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// A metric in an expression, and what its labels are compared with.
#[derive(Debug, PartialEq, Eq)]
struct Selector {
    name: String,
    matchers: Vec<(String, String)>,
}

/// Labels that Prometheus itself adds.
const OF_PROMETHEUS: [&str; 2] = ["job", "instance"];

/// Every metric of ours in a PromQL expression.
fn selectors(expression: &str) -> Vec<Selector> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(c) = rest.chars().next() {
        let name: &str = &rest[..rest.find(|c| !is_of_name(c)).unwrap_or(rest.len())];
        rest = &rest[name.len().max(if name.is_empty() { c.len_utf8() } else { 0 })..];
        if c == '"' {
            rest = rest.split_once('"').unwrap().1;
        }
        if !["portico_", "process_"].iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        let (inside, after) = match rest.strip_prefix('{') {
            // A value may have braces in it, so the end is a brace behind a value.
            Some(inside) => inside.split_once("\"}").unwrap_or_else(|| panic!("{expression}")),
            None => ("", rest),
        };
        found.push(Selector { name: name.to_owned(), matchers: matchers(inside) });
        rest = after;
    }
    found
}

fn matchers(inside: &str) -> Vec<(String, String)> {
    let pairs = inside.split("\",").filter(|pair| !pair.trim().is_empty());
    let pairs = pairs.map(|pair| pair.trim().split_once('"').expect(inside));
    let left = |text: &str| text.trim_end_matches(['=', '!', '~']).to_owned();
    pairs.map(|(name, value)| (left(name), value.trim_end_matches('"').to_owned())).collect()
}

/// What a daemon exports, by the names that queries use.
fn exported(text: &str) -> Exported {
    let mut exported = Exported::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let known = exported.entry(name.to_owned()).or_default();
        for (label, value) in matchers(labels.strip_suffix('}').unwrap_or_default()) {
            known.entry(label).or_default().insert(value);
        }
    }
    exported
}

/// Whether a label can have this value, although no series of the test has it.
fn can_be(label: &str, value: &str) -> bool {
    let is_outcome =
        |word: &str| ["approved", "declined"].contains(&word) || FailureCode::of_word(word).is_some();
    let is_ours = |word: &str| match label {
        "outcome" => is_outcome(word) || word == "scanned",
        _ => false,
    };
    value.is_empty() || value.starts_with('$') || value.split('|').all(is_ours)
}

fn assert_there(exported: &Exported, expression: &str) {
    for Selector { name, matchers } in selectors(expression) {
        let labels = exported.get(&name).unwrap_or_else(|| panic!("no metric {name}, in {expression}"));
        for (label, value) in matchers.iter().filter(|(label, _)| !OF_PROMETHEUS.contains(&label.as_str())) {
            // `preferred` and `/events/…` are left out where they are, so no series need have them.
            let values =
                labels.get(label).unwrap_or_else(|| panic!("no label {label} of {name}, in {expression}"));
            let is_known = value.split('|').all(|word| values.contains(word)) || can_be(label, value);
            assert!(is_known, "{label} of {name} is never {value:?}, but one of {values:?}, in {expression}");
        }
    }
}

/// Every expression of the dashboard, wherever it is.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(text) if ["expr", "query", "definition"].contains(&name.as_str()) => {
                        found.push(text.into())
                    }
                    _ => expressions(value, found),
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

/// A daemon on which everything has happened once.
async fn busy(relay: &TestRelay) -> Daemon {
    let secret = "0123456789abcdef0123456789abcdef";
    let webhook = format!("[webhook]\nurl = \"http://127.0.0.1:9/hook\"\nsecret = \"{secret}\"\n");
    let plan = Daemon::on(&[relay]).with_config(&format!("[sessions]\nenabled = true\n{webhook}")).with_tcp();
    let daemon = plan.start_subscribed(&[relay]).await;
    let member = Member::of(&daemon).await;
    let rest = daemon.rest();
    rest.post("/auth/verify", member.both()).await.data();
    rest.verify(daemon.public_key().await, "x").await.refusal();
    rest.post("/auth/logout", member.both()).await.data();
    rest.post("/auth/verify", member.both()).await.refusal();
    let (_, stream) = rest.login(json!({})).await;
    rest.events(&stream).await;
    daemon.rest_over_tcp().get("/info").await.data();
    daemon
}

#[tokio::test]
async fn the_dashboard_and_the_alerts_name_only_metrics_labels_and_values_that_there_are() {
    let relay = TestRelay::start().await;
    let daemon = busy(&relay).await;
    // A relay answers the first ping when it likes.
    let mut exported = exported(&daemon.rest().get("/metrics").await.text);
    let ready = exported["portico_relay_ready"].clone();
    exported.entry("portico_relay_latency_seconds".into()).or_insert(ready);

    let mut in_dashboard = Vec::new();
    expressions(&serde_json::from_str(DASHBOARD).unwrap(), &mut in_dashboard);
    assert!(in_dashboard.iter().map(|expression| selectors(expression).len()).sum::<usize>() > 40);
    in_dashboard.iter().for_each(|expression| assert_there(&exported, expression));

    let rules = ALERTS.split("- alert: ").skip(1);
    let mut alerts = 0;
    for rule in rules {
        let (_, rest) = rule.split_once("expr: ").expect(rule);
        let (expression, _) =
            rest.split_once("\n        for:").or(rest.split_once("\n        labels:")).expect(rule);
        assert_there(&exported, expression.trim_start_matches("|\n"));
        assert!(expression.contains("up{") || !selectors(expression).is_empty(), "{rule}");
        alerts += 1;
    }
    assert!(alerts >= 10, "{alerts}");
}

#[test]
fn operations_says_what_to_do_about_every_alert() {
    let page = include_str!("../../../docs/operations.md");
    let names = ALERTS.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    for name in names {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn metrics_are_found_in_expressions() {
    let found = selectors(
        r#"sum by (le) (rate(portico_a_bucket{job="portico_no",x!~"a|b"}[5m])) > 2 * process_b or up"#,
    );
    let selector = |name: &str, matchers: &[(&str, &str)]| Selector {
        name: name.into(),
        matchers: matchers.iter().map(|(label, value)| ((*label).into(), (*value).into())).collect(),
    };
    let expected =
        [selector("portico_a_bucket", &[("job", "portico_no"), ("x", "a|b")]), selector("process_b", &[])];
    assert_eq!(found, expected);
    let exported = exported("portico_a{x=\"1\"} 5\nportico_a{x=\"2\"} 5\nprocess_b 1");
    assert_there(&exported, "portico_a{x=~\"1|2\"} + process_b");
    for wrong in ["portico_c", "portico_a{y=\"1\"}", "portico_a{x=\"3\"}"] {
        let judged = std::panic::catch_unwind(|| assert_there(&exported, wrong));
        assert!(judged.is_err(), "{wrong}");
    }
}
