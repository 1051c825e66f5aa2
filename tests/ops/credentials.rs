//! The service's key as systemd hands it over (`LoadCredential=`): a file of root's, with an ACL for the daemon.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

use crate::support::daemon::{Daemon, Plan};

/// A plan whose key is as systemd makes it: an ACL shows as permissions of root's group. `None`: only root can
/// make it so.
fn with_credential(credentials: &str) -> Option<Plan> {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("NOT TESTED with a file of root's: that takes root");
        return None;
    }
    let plan = Daemon::on(&[]);
    let folder = plan.folder().join("credentials");
    fs::create_dir(&folder).unwrap();
    let key = folder.join("service.key");
    fs::write(&key, "1b".repeat(32)).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o440)).unwrap();
    let named = credentials.replace("{}", plan.folder().to_str().unwrap());
    Some(plan.with_env("CREDENTIALS_DIRECTORY", named).with_key_file("credentials/service.key"))
}

#[tokio::test]
async fn a_key_that_systemd_lets_only_the_daemon_read_is_taken() {
    if let Some(plan) = with_credential("{}/credentials") {
        assert_eq!(plan.start().await.rest().get("/health").await.text, "OK");
    }
}

#[tokio::test]
async fn a_key_that_a_group_can_read_is_refused_wherever_systemd_did_not_put_it() {
    for elsewhere in ["", "{}", "{}/other", "relative"] {
        let Some(plan) = with_credential(elsewhere) else { return };
        let (code, said) = plan.refusal().await;
        assert!(code == 64 && said.contains("others can read it"), "{elsewhere:?}: {code}: {said}");
    }
    let Some(plan) = with_credential("{}/credentials") else { return };
    let key = plan.folder().join("credentials/service.key");
    chown(&key, None, Some(65534)).unwrap();
    let (code, said) = plan.refusal().await;
    assert!(code == 64 && said.contains("others can read it"), "the group of others: {code}: {said}");
}
