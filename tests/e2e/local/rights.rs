//! A caller on the Unix socket can do what its rights say, and nothing else.

use std::os::unix::fs::PermissionsExt;

use nostr_sdk::Keys;

use tokio::process::Command;

use crate::support::daemon::{Daemon, Plan};
use crate::support::program::{Finished, finished, portico, portico_for_all};

/// `nobody`, on most systems.
const SOMEBODY_ELSE: u32 = 65534;

/// One command for each right, which that right alone allows.
const COMMANDS: [(&str, &[&str]); 6] = [
    ("check", &["info"]),
    ("issue", &["issue"]),
    ("operate", &["keys", "list"]),
    ("operate", &["keys", "rotate"]),
    ("operate", &["relays", "list"]),
    ("operate", &["webhooks", "list"]),
];

async fn daemon(rows: &str) -> Daemon {
    let config = format!("[local]\nsocket_mode = \"0666\"\n{rows}");
    Daemon::on(&[]).with_config(&config).where_others_can_look().start().await
}

fn row(account: &str, may: &str) -> String {
    format!("[[local.allow]]\n{account} = {SOMEBODY_ELSE}\nmay = [{may}]\n")
}

/// `config check` with the same files as the daemon.
fn config_check(plan: &Plan) -> Command {
    let mut check = portico(plan.folder());
    let at = |name: &str| plan.folder().join(name);
    check
        .args(["config", "check", "--config"])
        .arg(at("portico.toml"))
        .arg("--relays")
        .arg(at("relays.toml"));
    check.arg("--key-file").arg(at("service.key")).arg("--data-dir").arg(at("data"));
    check.arg("--socket").arg(plan.socket());
    check
}

/// A command, run as another user of this machine. `None`: only root can do that.
async fn as_somebody_else(daemon: &Daemon, command: &[&str]) -> Option<Finished> {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("NOT TESTED with another uid: that takes root");
        return None;
    }
    let mut run = portico_for_all(daemon.folder());
    run.args(command);
    if command == ["issue"] {
        run.arg(Keys::generate().public_key().to_hex());
    }
    run.arg("--socket").arg(daemon.socket()).current_dir("/").uid(SOMEBODY_ELSE).gid(SOMEBODY_ELSE);
    Some(finished(run).await)
}

/// Holds what somebody may do to these rights.
async fn hold(daemon: &Daemon, rights: &[&str]) {
    for (right, command) in COMMANDS {
        let Some(ran) = as_somebody_else(daemon, command).await else { return };
        if rights.contains(&right) {
            assert_eq!(ran.code, 0, "{rights:?} {command:?}: {ran:?}");
        } else {
            assert_eq!((ran.code, ran.stdout.as_str()), (77, ""), "{rights:?} {command:?}: {ran:?}");
            assert!(ran.stderr.contains("missing_right") && ran.stderr.contains(right), "{ran:?}");
        }
    }
}

#[tokio::test]
async fn each_right_allows_what_it_names_and_nothing_else() {
    for right in ["check", "login", "issue", "operate"] {
        for account in ["uid", "gid"] {
            hold(&daemon(&row(account, &format!("\"{right}\""))).await, &[right]).await;
        }
    }
}

#[tokio::test]
async fn rows_for_a_user_and_its_group_add_up() {
    let rows =
        [row("uid", "\"check\""), row("gid", "\"issue\""), row("uid", "\"check\", \"login\"")].concat();
    hold(&daemon(&rows).await, &["check", "issue", "login"]).await;
    hold(&daemon(&row("uid", "\"all\"")).await, &["check", "issue", "login", "operate"]).await;
}

#[tokio::test]
async fn whoever_no_row_names_may_not_even_ask_for_public_documents() {
    let daemon = daemon("[[local.allow]]\nuid = 65533\nmay = [\"check\"]\n").await;
    if let Some(ran) = as_somebody_else(&daemon, &["info"]).await {
        assert_eq!(ran.code, 77, "{ran:?}");
        assert!(ran.stderr.contains("forbidden") && ran.stderr.contains("local.allow"), "{ran:?}");
    }
}

#[tokio::test]
async fn a_row_that_makes_no_sense_is_refused_at_the_start() {
    for (row, told) in [
        ("uid = 1", "may"),
        ("may = [\"check\"]", "set exactly one of uid and gid"),
        ("uid = 1\ngid = 1\nmay = [\"check\"]", "set exactly one of uid and gid"),
        ("uid = 1\nmay = []", "must name at least one right"),
        ("uid = 1\nmay = [\"root\"]", "\"root\" is not a right"),
        ("uid = \"no-such-user\"\nmay = [\"check\"]", "unknown user \"no-such-user\""),
        ("uid = 4294967295\nmay = [\"check\"]", "4294967295 stands for no user"),
        ("gid = \"4294967295\"\nmay = [\"check\"]", "4294967295 stands for no user"),
        ("uid = 1\nmay = [\"check\"]\nmust = 1", "must"),
    ] {
        let plan = Daemon::on(&[]).with_config(&format!("[[local.allow]]\n{row}\n"));
        let (code, stderr) = plan.refusal().await;
        assert_eq!(code, 64, "{row}: {stderr}");
        assert!(stderr.contains("local.allow") && stderr.contains(told), "{row}: {stderr}");
    }
}

/// Rows alone let nobody in: the operator is told what else keeps them out, before and while the daemon runs.
#[tokio::test]
async fn rows_whose_users_cannot_reach_the_socket_are_warned_of_with_what_mends_it() {
    let rows = row("uid", "\"check\"");
    for (mode, others_enter, told) in [
        ("0600", true, Some("local.socket_mode")),
        ("0666", false, Some("set local.socket to a path")),
        ("0666", true, None),
    ] {
        let plan = Daemon::on(&[]).with_config(&format!("[local]\nsocket_mode = \"{mode}\"\n{rows}"));
        let folder_mode = if others_enter { 0o755 } else { 0o700 };
        std::fs::set_permissions(plan.folder(), std::fs::Permissions::from_mode(folder_mode)).unwrap();
        let checked = finished(config_check(&plan)).await;
        assert_eq!(checked.code, 0, "{checked:?}");
        let daemon = plan.start().await;
        for said in [checked.stderr, daemon.log()] {
            let line = said.lines().find(|line| line.contains("keeps them out"));
            assert_eq!(line.is_some(), told.is_some(), "{mode}: {said}");
            if let (Some(line), Some(told)) = (line, told) {
                assert!(line.contains("uid 65534") && line.contains(told), "{line}");
            }
        }
    }
}

#[tokio::test]
async fn a_row_for_root_is_said_to_change_nothing() {
    let config = "[[local.allow]]\nuid = 0\nmay = [\"check\"]\n";
    let daemon = Daemon::on(&[]).with_config(config).start().await;
    assert!(
        daemon.log().contains("names root (uid 0), which has every right without a row"),
        "{}",
        daemon.log()
    );
}
