//! Who listens on a Unix socket: the command line looks before it says a word.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::Child;

use crate::support::program::{Finished, Log, finished, portico, portico_for_all};

/// `nobody`, on most systems.
const SOMEBODY_ELSE: u32 = 65534;

/// A daemon of somebody else, whose socket lies in this folder.
struct Stranger {
    folder: TempDir,
    socket: PathBuf,
    _daemon: Child,
}

/// `None`: only root can start one.
async fn stranger(socket_folder: &str, mode: u32, owner: u32) -> Option<Stranger> {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("NOT TESTED with another uid: that takes root");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let make = |name: &str, mode: u32, owner: u32| {
        fs::create_dir_all(at(name)).unwrap();
        chown(at(name), Some(owner), Some(owner)).unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    make("", 0o755, 0);
    make("home", 0o700, SOMEBODY_ELSE);
    make(socket_folder, mode, owner);
    let socket = at(socket_folder).join("portico.sock");
    fs::write(at("relays.toml"), "[[relay]]\nurl = \"ws://127.0.0.1:9\"\n").unwrap();
    let mut command = portico_for_all(folder.path());
    command.args(["serve", "--relays"]).arg(at("relays.toml")).arg("--socket").arg(&socket);
    command.arg("--data-dir").arg(at("home/data")).arg("--key-file").arg(at("home/service.key"));
    command.current_dir("/").env("HOME", at("home")).env("TMPDIR", at("home"));
    command.uid(SOMEBODY_ELSE).gid(SOMEBODY_ELSE).stdout(Stdio::null());
    let mut daemon = command.spawn().unwrap();
    let log = Log::of(daemon.stderr.take().unwrap());
    log.find("serving").await;
    Some(Stranger { folder, socket, _daemon: daemon })
}

async fn relays_list(home: &Path, socket: &Path, more: &[&str]) -> Finished {
    let mut command = portico(home);
    command.args(["relays", "list", "--json", "--socket"]).arg(socket).args(more);
    finished(command).await
}

#[tokio::test]
async fn another_user_who_listens_where_everybody_may_put_a_socket_is_not_believed() {
    let Some(stranger) = stranger("shared", 0o1777, 0).await else { return };
    let refused = relays_list(stranger.folder.path(), &stranger.socket, &[]).await;
    assert_eq!(refused.code, 69, "{refused:?}");
    assert!(refused.stdout.is_empty(), "{refused:?}");
    for said in ["uid 65534", "listens there", "--socket-owner 65534"] {
        assert!(refused.stderr.contains(said), "{said}: {refused:?}");
    }
    let told = relays_list(stranger.folder.path(), &stranger.socket, &["--socket-owner", "65534"]).await;
    assert_eq!(told.json()["relays"][0]["relay"], "ws://127.0.0.1:9");
    let wrong =
        relays_list(stranger.folder.path(), &stranger.socket, &["--socket-owner", "no-such-user"]).await;
    assert!(wrong.code == 64 && wrong.stderr.contains("no-such-user"), "{wrong:?}");
}

#[tokio::test]
async fn a_folder_that_somebody_made_where_everybody_may_is_no_better_nor_is_a_link() {
    let Some(stranger) = stranger("shared/portico", 0o755, SOMEBODY_ELSE).await else { return };
    let shared = stranger.folder.path().join("shared");
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777)).unwrap();
    let link = shared.join("link");
    std::os::unix::fs::symlink(&stranger.socket, &link).unwrap();
    for socket in [&stranger.socket, &link] {
        let refused = relays_list(stranger.folder.path(), socket, &[]).await;
        assert!(refused.code == 69 && refused.stderr.contains("uid 65534"), "{socket:?}: {refused:?}");
    }
}

#[tokio::test]
async fn a_socket_of_another_user_in_a_folder_of_roots_is_not_believed_for_its_owner() {
    let Some(stranger) = stranger("run", 0o755, SOMEBODY_ELSE).await else { return };
    chown(stranger.socket.parent().unwrap(), Some(0), Some(0)).unwrap();
    let refused = relays_list(stranger.folder.path(), &stranger.socket, &[]).await;
    assert!(refused.code == 69 && refused.stderr.contains("uid 65534"), "{refused:?}");
    assert!(refused.stdout.is_empty(), "{refused:?}");
    let told = relays_list(stranger.folder.path(), &stranger.socket, &["--socket-owner", "65534"]).await;
    assert_eq!(told.json()["relays"][0]["relay"], "ws://127.0.0.1:9");
}

#[tokio::test]
async fn the_daemon_of_a_service_user_is_believed_in_the_folder_that_root_gave_it() {
    let Some(stranger) = stranger("run", 0o755, SOMEBODY_ELSE).await else { return };
    let told = relays_list(stranger.folder.path(), &stranger.socket, &[]).await;
    assert_eq!(told.json()["relays"][0]["relay"], "ws://127.0.0.1:9", "without any flag");
}
