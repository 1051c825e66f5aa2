//! What an operator can do about a receiver that does not take its events.

use serde_json::{Value, json};

use crate::receiver::{Came, Mood, Receiver, indexes};
use crate::something_happens;
use crate::support::daemon::Daemon;
use crate::support::program::{Finished, finished, portico};
use crate::support::relay::TestRelay;
use crate::support::rest::refused;
use crate::support::soon;

async fn webhooks(daemon: &Daemon, args: &[&str]) -> Finished {
    let mut command = portico(daemon.folder());
    command.arg("webhooks").args(args).arg("--json").arg("--socket").arg(daemon.socket());
    finished(command).await
}

#[tokio::test]
async fn what_was_given_up_is_listed_and_delivered_once_the_operator_says_so() {
    let (relay, receiver) = (TestRelay::start().await, Receiver::start(Mood::Answers(503)).await);
    let config = receiver.config() + "give_up_after = \"0s\"\n";
    let daemon = Daemon::on(&[&relay]).with_config(&config).start().await;
    let stream = something_happens(&daemon).await;
    daemon.until_logged("gave up").await;
    let other = something_happens(&daemon).await;
    receiver.until_came(&other, 1).await;

    let listed = soon("the second to be given up", async {
        loop {
            let listed = webhooks(&daemon, &["list"]).await.json();
            if listed["failed"] == 2 {
                return listed;
            }
        }
    })
    .await;
    assert_eq!((&listed["enabled"], &listed["waiting"]), (&json!(true), &json!(0)));
    let counted = async { while daemon.metric("portico_webhook_failed").await != 2.0 {} };
    soon("the metrics to tell of both", counted).await;
    let one = webhooks(&daemon, &["list", &stream]).await.json();
    let one = one["deliveries"].as_array().unwrap();
    assert_eq!(one.len(), 1);
    assert_eq!((&one[0]["state"], &one[0]["last_error"]), (&json!("failed"), &json!("http_503")));

    receiver.now(Mood::Takes);
    assert_eq!(webhooks(&daemon, &["drop", &other]).await.json()["dropped"], 1);
    assert_eq!(webhooks(&daemon, &["retry"]).await.json()["retried"], 1);
    let count = |came: &[Came]| came.iter().filter(|one| one.body["stream_id"] == stream).count();
    let came = receiver.until("a delivery after the operator's word", |came| count(came) >= 2).await;
    assert_eq!(indexes(&came, &stream), [1]);
}

#[tokio::test]
async fn everything_is_dropped_only_when_that_is_asked_for() {
    let (relay, receiver) = (TestRelay::start().await, Receiver::start(Mood::Answers(503)).await);
    let daemon = Daemon::on(&[&relay]).with_config(&receiver.config()).start().await;
    let stream = something_happens(&daemon).await;
    for args in [&["drop"][..], &["drop", &stream, "--all"]] {
        let refused = webhooks(&daemon, args).await;
        assert!(refused.code == 64 && refused.stderr.contains("--all"), "{args:?}: {refused:?}");
    }
    assert_eq!(webhooks(&daemon, &["list"]).await.json()["waiting"], 1);
    assert_eq!(webhooks(&daemon, &["drop", "--all"]).await.json()["dropped"], 1);
}

#[tokio::test]
async fn a_stream_that_is_none_is_named_and_without_a_webhook_nothing_is_owed() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::on(&[&relay]).start().await;
    something_happens(&daemon).await;
    let listed = daemon.rest().get("/webhooks").await.data();
    assert_eq!(listed, json!({ "enabled": false, "waiting": 0, "failed": 0, "deliveries": [] }));
    let nonsense = daemon.rest().post("/webhooks/retry", json!({ "stream_id": "x" })).await;
    assert_eq!(nonsense.refusal(), refused(404, "no_such_stream"));
    assert_eq!(webhooks(&daemon, &["list", "no/stream"]).await.code, 64);
    assert_eq!(webhooks(&daemon, &["drop", "x"]).await.code, 1);
    let mut gone = portico(daemon.folder());
    gone.args(["webhooks", "list", "--socket", "/nonexistent/socket"]);
    assert_eq!(finished(gone).await.code, 69);
}

#[tokio::test]
async fn the_configuration_is_shown_without_its_secrets() {
    let (relay, receiver) = (TestRelay::start().await, Receiver::start(Mood::Takes).await);
    let plan = Daemon::on(&[&relay]).with_config(&receiver.config().replace("/hook", "/hook?key=hunter2"));
    let mut command = portico(plan.folder());
    command.args(["config", "check", "--json", "--config"]).arg(plan.folder().join("portico.toml"));
    let shown = finished(command).await;
    let webhook: &Value = &shown.json()["webhook"];
    assert!(webhook["url"].as_str().unwrap().ends_with("/hook?[redacted]"), "{webhook}");
    assert!(!shown.stdout.contains("hunter2") && !shown.stdout.contains(crate::receiver::SECRET));
}

#[tokio::test]
async fn the_log_counts_attempts_as_the_list_does_and_warns_of_the_first_and_from_the_fifth_on() {
    let (relay, receiver) = (TestRelay::start().await, Receiver::start(Mood::Answers(503)).await);
    let daemon = Daemon::on(&[&relay]).with_config(&receiver.config()).start().await;
    something_happens(&daemon).await;
    daemon.until_logged("\"attempts\":6").await;
    let log = daemon.log();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let failed = lines.filter(|line| line["message"] == "event not delivered yet").take(6);
    let failed = failed.inspect(|line| {
        assert_eq!(
            (&line["error"], &line["reason"]),
            (&json!("http_503"), &json!("the receiver answered with status 503"))
        );
    });
    let told: Vec<_> = failed.map(|line| format!("{} {}", line["attempts"], line["level"])).collect();
    let (info, warn) = (r#""INFO""#, r#""WARN""#);
    let levels = [warn, info, info, info, warn, warn];
    let expected: Vec<_> = levels.iter().zip(1..).map(|(level, n)| format!("{n} {level}")).collect();
    assert_eq!(told, expected);
    assert!(daemon.metric("portico_webhook_attempts_total{result=\"retried\"}").await >= 6.0);
}
