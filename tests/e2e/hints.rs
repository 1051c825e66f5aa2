//! Errors and warnings of the command line tell operators what to do next.

use nostr_sdk::Keys;
use portico::config::{files, key};

use crate::support::daemon::Daemon;
use crate::support::program::{finished, portico};

#[tokio::test]
async fn a_daemon_whose_socket_is_taken_says_if_a_variable_chose_that_socket() {
    let daemon = Daemon::on(&[]).start().await;
    for by_variable in [true, false] {
        let mut second = portico(daemon.folder());
        second
            .arg("serve")
            .arg("--data-dir")
            .arg(daemon.folder().join("other"))
            .args(["--relays", "relays.toml"]);
        if by_variable {
            second.env("PORTICO_SOCKET", daemon.socket());
        } else {
            second.arg("--socket").arg(daemon.socket());
        }
        let second = finished(second).await;
        let hint = "(PORTICO_SOCKET names this socket: unset the variable to use the default)";
        assert!(second.code == 69 && second.stderr.contains("another daemon is listening on "), "{second:?}");
        assert_eq!(second.stderr.contains(hint), by_variable, "{second:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_none_is_told_by_the_name_of_its_option() {
    let daemon = Daemon::on(&[]).start().await;
    for offline in [&["--offline"][..], &[]] {
        let mut command = portico(daemon.folder());
        command.args(["verify", "--key", "zzz", "a.b.c", "--socket"]).arg(daemon.socket()).args(offline);
        let ended = finished(command).await;
        let told = "portico: --key: not a public key (64 hex digits or npub1…)\n";
        assert_eq!((ended.code, ended.stderr.as_str()), (64, told), "{ended:?}");
    }
}

#[tokio::test]
async fn a_key_file_that_is_missing_is_not_called_one_of_another_service() {
    let mut daemon = Daemon::on(&[]).start().await;
    daemon.terminate().await;
    key::save(&daemon.folder().join("other.key"), &Keys::generate()).unwrap();
    for (name, told) in
        [("no.key", "no.key does not exist"), ("other.key", "other.key does not contain its key")]
    {
        let mut command = portico(daemon.folder());
        command.args(["config", "check", "--key-file", name, "--data-dir"]).arg(daemon.folder().join("data"));
        let checked = finished(command).await;
        assert!(checked.code == 64 && checked.stderr.contains(told), "{checked:?}");
    }
}

#[tokio::test]
async fn a_list_of_relays_for_no_login_is_told_of_by_the_check_too() {
    let folder = tempfile::tempdir().unwrap();
    let told = "portico: r.toml: no relay is both read and written: logins are impossible\n";
    for (relays, warning) in [
        ("", told),
        ("[[relay]]\nurl = \"ws://127.0.0.1:1\"\nwrite = false\n", told),
        ("[[relay]]\nurl = \"ws://127.0.0.1:1\"\n", ""),
    ] {
        std::fs::write(folder.path().join("r.toml"), relays).unwrap();
        let mut command = portico(folder.path());
        command.args(["config", "check", "--relays", "r.toml"]);
        let checked = finished(command).await;
        assert_eq!((checked.code, checked.stderr.as_str()), (0, warning), "{relays:?}");
    }
}

#[tokio::test]
async fn a_token_in_the_file_that_can_be_guessed_is_told_by_its_key() {
    let folder = tempfile::tempdir().unwrap();
    files::create_secret(&folder.path().join("portico.toml"), "[local]\ntoken = \"guessable\"\n").unwrap();
    let mut command = portico(folder.path());
    command.args(["config", "check"]);
    let checked = finished(command).await;
    assert!(checked.stderr.contains("portico: local.token: the API token can be guessed"), "{checked:?}");
}

#[tokio::test]
async fn a_new_database_logs_no_step_of_its_schema() {
    let daemon = Daemon::on(&[]).start().await;
    assert!(!daemon.log().contains("store schema"), "{}", daemon.log());
}
