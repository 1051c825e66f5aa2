//! Files that decide something: refused when somebody else can change them, with the command that mends it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Stdio;

use crate::support::daemon::Daemon;
use crate::support::program::{Finished, finished, portico};

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

async fn run(folder: &Path, args: &[&str]) -> Finished {
    let mut command = portico(folder);
    command.args(args);
    finished(command).await
}

#[tokio::test]
async fn a_configuration_or_list_of_relays_that_others_can_change_is_refused_by_every_command() {
    for name in ["portico.toml", "relays.toml"] {
        let plan = Daemon::offline();
        let file = plan.folder().join(name);
        for mode in [0o666, 0o620, 0o602] {
            allow(&file, mode);
            let mend = format!("run chmod go-w {}", file.display());
            let (code, said) = plan.refusal().await;
            assert!(code == 64 && said.contains(&mend), "{name} {mode:o}: {code}: {said}");
            let checked = run(plan.folder(), &["config", "check"]).await;
            assert!(checked.code == 64 && checked.stderr.contains("chmod go-w"), "{name}: {checked:?}");
        }
        assert!(!plan.folder().join("data").exists(), "nothing was made");
        allow(&file, 0o644);
        plan.start().await;
    }
}

#[tokio::test]
async fn a_configuration_that_another_user_put_where_root_works_makes_them_no_operator() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("NOT TESTED with another uid: that takes root");
        return;
    }
    for name in ["portico.toml", "relays.toml", "service.key"] {
        let plan = Daemon::offline();
        fs::write(plan.folder().join("service.key"), "1b".repeat(32)).unwrap();
        allow(&plan.folder().join("service.key"), 0o600);
        let file = plan.folder().join(name);
        chown(&file, Some(65534), Some(65534)).unwrap();
        let (code, said) = plan.refusal().await;
        assert!(code == 64 && said.contains("uid 65534"), "{name}: {code}: {said}");
        assert!(said.contains(&format!("run chown 0 {}", file.display())), "{name}: {said}");
    }
}

#[tokio::test]
async fn a_folder_above_a_file_in_which_others_can_exchange_it_is_refused() {
    let plan = Daemon::offline();
    allow(plan.folder(), 0o777);
    let (code, said) = plan.refusal().await;
    assert!(code != 0 && said.contains(&format!("run chmod go-w {}", plan.folder().display())), "{said}");
    allow(plan.folder(), 0o1777);
    plan.start().await;
}

#[tokio::test]
async fn a_data_folder_or_database_that_others_can_change_is_not_served() {
    let mut daemon = Daemon::offline().start().await;
    daemon.terminate().await;
    let (data, database) = (daemon.folder().join("data"), daemon.database());
    for (path, mode, good) in [(&data, 0o770, 0o700), (&data, 0o1777, 0o700), (&database, 0o660, 0o600)] {
        allow(path, mode);
        let (code, said) = daemon.refusal_to_restart().await;
        let mend = format!("run chmod go-w {}", path.display());
        assert!(code == 64 && said.contains(&mend), "{}: {code}: {said}", path.display());
        allow(path, good);
    }
    if nix::unistd::geteuid().is_root() {
        chown(&database, Some(65534), None).unwrap();
        let (code, said) = daemon.refusal_to_restart().await;
        assert!(code == 64 && said.contains("uid 65534"), "{code}: {said}");
        chown(&database, Some(0), None).unwrap();
    }
    daemon.restart().await;
}

#[tokio::test]
async fn a_backup_never_goes_where_others_could_catch_it_nor_comes_from_a_file_that_others_can_change() {
    let mut daemon = Daemon::offline().start().await;
    let folder = daemon.folder().to_owned();
    let backup = async |verb: &str, file: &Path| {
        let mut command = portico(&folder);
        command.arg(verb).arg(file).arg("--data-dir").arg(folder.join("data"));
        command.arg("--key-file").arg(folder.join("service.key"));
        finished(command).await
    };
    let shared = daemon.folder().join("shared");
    fs::create_dir(&shared).unwrap();
    allow(&shared, 0o777);
    let refused = backup("backup", &shared.join("b")).await;
    assert!(refused.code == 64 && refused.stderr.contains("run chmod go-w"), "{refused:?}");
    assert_eq!(fs::read_dir(&shared).unwrap().count(), 0, "not even for a moment");
    allow(&shared, 0o1777);
    let file = shared.join("b");
    assert_eq!(backup("backup", &file).await.code, 0);
    assert_eq!(fs::read_dir(&shared).unwrap().count(), 1, "the backup and nothing else");
    if nix::unistd::geteuid().is_root() {
        let theirs = daemon.folder().join("theirs");
        fs::create_dir(&theirs).unwrap();
        chown(&theirs, Some(65534), None).unwrap();
        let refused = backup("backup", &theirs.join("b")).await;
        assert!(refused.code == 64 && refused.stderr.contains("uid 65534"), "{refused:?}");
    }
    daemon.terminate().await;
    allow(&file, 0o606);
    let refused = backup("restore", &file).await;
    assert!(refused.code == 64 && refused.stderr.contains("run chmod go-w"), "{refused:?}");
    allow(&file, 0o600);
    assert_eq!(backup("restore", &file).await.code, 0);
}

#[tokio::test]
async fn a_daemon_whose_socket_is_taken_makes_nothing() {
    let first = Daemon::offline().start().await;
    let second = Daemon::offline().with_env("PORTICO_SOCKET", first.socket().display());
    let mut command = portico(second.folder());
    command.args(["serve", "--data-dir", "data", "--key-file", "key", "--socket"]).arg(first.socket());
    let refused = finished(command).await;
    assert!(refused.code == 69 && refused.stderr.contains("another daemon is listening"), "{refused:?}");
    assert!(!second.folder().join("data").exists() && !second.folder().join("key").exists());
}

#[tokio::test]
async fn what_lay_in_the_working_folder_is_named_when_it_is_used() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("portico.toml"), "").unwrap();
    fs::write(folder.path().join("relays.toml"), "[[relay]]\nurl = \"ws://127.0.0.1:9\"\n").unwrap();
    // A key that cannot be used ends it.
    fs::write(folder.path().join("key"), "no key").unwrap();
    allow(&folder.path().join("key"), 0o600);
    let ended = run(folder.path(), &["serve", "--key-file", "key", "--socket", "s"]).await;
    assert_eq!(ended.code, 64, "{ended:?}");
    for name in ["portico.toml", "relays.toml"] {
        let path = folder.path().join(name).display().to_string();
        let told = |line: &str| line.contains("found in the working folder") && line.contains(&path);
        assert!(ended.stderr.lines().any(told), "{name}: {ended:?}");
    }
}

#[tokio::test]
async fn the_exit_code_is_the_same_whatever_becomes_of_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let full = || Stdio::from(fs::File::options().write(true).open("/dev/full").unwrap());
    let code = async |args: &[&str], out: bool, err: bool| {
        let mut command = portico(folder.path());
        command.args(args);
        if out {
            command.stdout(full());
        }
        if err {
            command.stderr(full());
        }
        command.status().await.unwrap().code()
    };
    for asked in ["--version", "--help", "help"] {
        assert_eq!(code(&[asked], true, false).await, Some(70), "{asked}: the result is lost");
        assert_eq!(code(&[asked], false, true).await, Some(0), "{asked}");
    }
    let list = ["users", "list", "--socket", "/nonexistent"];
    let misspelt = ["config", "check", "--config", "/nonexistent"];
    for (args, expected) in [(&list[..], 69), (&misspelt, 64), (&["serve", "--no-such-flag"], 64)] {
        assert_eq!(code(args, false, true).await, Some(expected), "{args:?}");
        assert_eq!(code(args, true, true).await, Some(expected), "{args:?}");
    }
    assert_eq!(code(&["config", "check"], true, true).await, Some(70), "what was asked for is lost");
    let mut unheard = portico(folder.path());
    unheard.args(["config", "check"]).stdout(Stdio::piped());
    let mut child = unheard.spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().await.unwrap().code(), Some(0), "a reader who has seen enough");
}

#[tokio::test]
async fn a_daemon_whose_log_is_full_serves_and_ends_as_ever() {
    let plan = Daemon::offline();
    let socket = plan.socket();
    let mut command = plan.command();
    command.stderr(fs::File::options().write(true).open("/dev/full").unwrap());
    let mut child = command.spawn().unwrap();
    crate::support::soon("the socket", async {
        while tokio::net::UnixStream::connect(&socket).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let told = crate::support::rest::Rest::unix(socket).get("/health").await;
    assert_eq!(told.text, "OK");
    let pid = nix::unistd::Pid::from_raw(child.id().unwrap() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert!(child.wait().await.unwrap().success());
}

#[tokio::test]
async fn a_path_that_is_not_utf_8_is_shown_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join(OsStr::from_bytes(b"\xff"));
    for json in [&["--json"][..], &[]] {
        let mut command = portico(folder.path());
        command.args(["config", "check"]).args(json).arg("--data-dir").arg(&data);
        let told = finished(command).await;
        assert!(told.code == 0 && told.stdout.contains("xff"), "{told:?}");
    }
}

#[tokio::test]
async fn folders_come_from_lists_of_the_service_manager_and_never_from_relative_variables() {
    let folder = tempfile::tempdir().unwrap();
    let shown = async |name: &'static str, value: &str| {
        let mut command = portico(folder.path());
        command.args(["config", "check", "--json"]).env(name, value);
        finished(command).await.json()
    };
    assert_eq!(shown("STATE_DIRECTORY", "/a:/b").await["data_dir"], "/a");
    assert_eq!(shown("RUNTIME_DIRECTORY", "/run/a:/run/b").await["socket"], "/run/a/portico.sock");
    let home = folder.path().display().to_string();
    for name in
        ["XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "STATE_DIRECTORY", "RUNTIME_DIRECTORY"]
    {
        let shown = shown(name, "rel").await;
        assert_eq!(shown["data_dir"], format!("{home}/.local/share/portico"), "{name}");
        assert_eq!(shown["key_file"], format!("{home}/.config/portico/service.key"), "{name}");
        assert!(!shown["socket"].as_str().unwrap().contains("rel"), "{name}");
    }
}

/// Everything below a folder, by its path.
fn all_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        found.push(path.display().to_string());
        if path.is_dir() {
            found.extend(all_below(&path));
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn a_data_folder_that_would_lie_in_somebody_elses_folder_is_refused_and_nothing_is_made_there() {
    let plan = Daemon::offline();
    let (open, theirs) = (plan.folder().join("open"), plan.folder().join("theirs"));
    for folder in [&open, &theirs] {
        fs::create_dir(folder).unwrap();
    }
    allow(&open, 0o777);
    let mut places = vec![&open];
    if nix::unistd::geteuid().is_root() {
        chown(&theirs, Some(65534), Some(65534)).unwrap();
        places.push(&theirs);
    }
    let backup = plan.folder().join("backup");
    fs::write(&backup, "").unwrap();
    for place in places {
        let before = all_below(plan.folder());
        let data = place.join("d/e");
        for verb in [&["serve", "--socket", "s"][..], &["restore", backup.to_str().unwrap()]] {
            let mut command = portico(plan.folder());
            command.args(verb).arg("--data-dir").arg(&data);
            let refused = finished(command).await;
            assert!(refused.code == 64 && refused.stderr.contains("run ch"), "{verb:?}: {refused:?}");
            assert_eq!(all_below(plan.folder()), before, "{verb:?}");
        }
        // A home folder.
        let mut command = portico(plan.folder());
        command.args(["serve", "--socket", "s"]).env("HOME", place);
        let refused = finished(command).await;
        assert!(refused.code == 64 && refused.stderr.contains("run ch"), "{refused:?}");
        assert_eq!(all_below(plan.folder()), before);
    }
}

#[tokio::test]
async fn a_restore_that_is_refused_leaves_the_folder_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("empty")).unwrap();
    fs::write(at("garbage"), "no database").unwrap();
    let before = all_below(folder.path());
    for data in ["empty", "new/folder"] {
        for (file, code) in [("garbage", 1), ("missing", 64)] {
            let refused = run(folder.path(), &["restore", file, "--data-dir", data]).await;
            assert_eq!(refused.code, code, "{refused:?}");
            assert_eq!(all_below(folder.path()), before, "{file} into {data}");
        }
    }
}

/// What is wrong with a file that the configuration names.
const WRONGS: [&str; 3] = ["missing", "readable", "foreign"];

/// Makes a file wrong in this way; `false`: only root can.
fn spoil(file: &Path, text: &str, wrong: &str) -> bool {
    if wrong != "missing" {
        fs::write(file, text).unwrap();
    }
    match wrong {
        "readable" => allow(file, 0o644),
        "foreign" if nix::unistd::geteuid().is_root() => {
            allow(file, 0o600);
            chown(file, Some(65534), Some(65534)).unwrap();
        }
        "foreign" => return false,
        _ => {}
    }
    true
}

#[tokio::test]
async fn a_bad_file_of_secrets_ends_the_start_with_64_before_anything_is_made_or_connected() {
    const SECRET: &str = "1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b";
    for (config, args) in [
        ("[webhook]\nurl = \"http://127.0.0.1:9\"\nsecret_file = \"f\"\n", &[][..]),
        (
            "[sessions]\nenabled = true\n[wallets.thirdweb]\ndomain = \"a.example\"\nadmin_key_file = \"f\"\n",
            &[],
        ),
        (
            "[sessions]\nenabled = true\n[wallets.para_session]\npartner_id = \"p\"\napi_key_file = \"f\"\n",
            &[],
        ),
        ("", &["--listen", "127.0.0.1:0", "--token-file", "f"]),
    ] {
        for wrong in WRONGS {
            let plan = Daemon::offline().with_config(config);
            let file = plan.folder().join("f");
            if !spoil(&file, SECRET, wrong) {
                continue;
            }
            let before = all_below(plan.folder());
            let mut command = plan.command();
            command.args(args);
            let refused = finished(command).await;
            let named = refused.stderr.contains(" f:") || refused.stderr.contains("/f");
            assert!(refused.code == 64 && named, "{config} {wrong}: {refused:?}");
            assert!(!refused.stderr.contains("worker has died"), "{refused:?}");
            assert_eq!(all_below(plan.folder()), before, "{config} {wrong}");
            let checked = run(plan.folder(), &[&["config", "check"][..], args].concat()).await;
            assert_eq!(checked.code, 64, "{config} {wrong}: {checked:?}");
        }
    }
}

#[tokio::test]
async fn a_proof_without_its_key_gets_no_new_key() {
    let proof = "{\"main_key\":\"x\"}";
    for text in [None, Some("garbage"), Some(proof)] {
        let plan = Daemon::offline().with_config("[service]\nsubkey_proof_file = \"proof\"\n");
        if let Some(text) = text {
            fs::write(plan.folder().join("proof"), text).unwrap();
        }
        let before = all_below(plan.folder());
        let (code, said) = plan.refusal().await;
        assert!(code == 64 && said.contains("proof"), "{text:?}: {code}: {said}");
        assert_eq!(all_below(plan.folder()), before, "{text:?}");
        let checked = run(plan.folder(), &["config", "check"]).await;
        assert!(checked.code == 64 && checked.stderr.contains("proof"), "{text:?}: {checked:?}");
    }
    // A genuine one, whose subkey is not there.
    let plan = Daemon::offline().with_config("[service]\nsubkey_proof_file = \"proof\"\n");
    assert_eq!(run(plan.folder(), &["keygen", "main"]).await.code, 0);
    let keygen = ["keygen", "sub", "--subkey-of", "main", "--proof", "proof"];
    let made = run(plan.folder(), &keygen).await;
    assert_eq!(made.code, 0, "{made:?}");
    let (code, said) = plan.refusal().await;
    assert!(code == 64 && said.contains("it is the proof of a key, but "), "{code}: {said}");
    assert!(!plan.folder().join("service.key").exists() && !plan.folder().join("data").exists());
}

#[tokio::test]
async fn data_that_cannot_be_read_get_no_new_key() {
    for name in ["access-keys.json", "portico.db"] {
        let plan = Daemon::offline();
        let data = plan.folder().join("data");
        fs::create_dir(&data).unwrap();
        allow(&data, 0o700);
        let file = data.join(name);
        fs::write(&file, "damaged ".repeat(600)).unwrap();
        allow(&file, 0o600);
        let (code, said) = plan.refusal().await;
        assert!(code != 0 && said.contains(name), "{name}: {code}: {said}");
        assert!(!plan.folder().join("service.key").exists(), "{name}");
        assert!(!data.join("service.pub").exists(), "{name}");
    }
}

#[tokio::test]
async fn root_restores_for_the_user_whose_folder_it_is_and_takes_their_key_file_for_good() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("NOT TESTED with another uid: that takes root");
        return;
    }
    let mut daemon = Daemon::offline().start().await;
    daemon.terminate().await;
    let (data, key) = (daemon.folder().join("data"), daemon.folder().join("service.key"));
    let command = |verb: &str| {
        let mut command = portico(daemon.folder());
        command.arg(verb).arg(daemon.folder().join("b")).arg("--data-dir").arg(&data);
        command.arg("--key-file").arg(&key);
        command
    };
    assert_eq!(finished(command("backup")).await.code, 0);
    for file in
        fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()).chain([data.clone(), key.clone()])
    {
        chown(&file, Some(65534), Some(65534)).unwrap();
    }
    for service_is_known in [true, false] {
        if !service_is_known {
            fs::remove_file(data.join("service.pub")).unwrap();
        }
        let restored = finished(command("restore")).await;
        assert!(
            restored.code == 0 && !restored.stderr.contains("Before you start the daemon"),
            "{restored:?}"
        );
    }
}

#[tokio::test]
async fn a_socket_path_to_which_nobody_could_connect_is_refused_with_its_bound() {
    let plan = Daemon::offline();
    let before = all_below(plan.folder());
    let longest = |length: usize| {
        let folder = plan.folder().join("r");
        folder.join("s".repeat(length - folder.as_os_str().len() - 1))
    };
    for verb in [&["serve"][..], &["config", "check"]] {
        let mut command = portico(plan.folder());
        command.args(verb).arg("--socket").arg(longest(108));
        let refused = finished(command).await;
        let named = refused.stderr.contains("at most 107 bytes") && refused.stderr.contains("--socket");
        assert!(refused.code == 64 && named, "{verb:?}: {refused:?}");
        assert_eq!(all_below(plan.folder()), before, "{verb:?}");
    }
    // The longest that there may be, in a folder of as long a name as can be.
    let deep = plan.folder().join("f".repeat(107 - plan.folder().as_os_str().len() - 3));
    for socket in [longest(107), deep.join("s")] {
        let command = plan.command();
        let mut args: Vec<_> = command.as_std().get_args().map(OsStr::to_owned).collect();
        let place = args.iter().position(|arg| arg == "--socket").unwrap() + 1;
        args[place] = socket.clone().into_os_string();
        let mut serving = portico(plan.folder());
        serving.args(args).stderr(Stdio::piped());
        let mut child = serving.spawn().unwrap();
        crate::support::soon("the socket", async {
            while tokio::net::UnixStream::connect(&socket).await.is_err() {
                assert!(child.try_wait().unwrap().is_none(), "it ended");
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(crate::support::rest::Rest::unix(socket).get("/health").await.text, "OK");
        child.kill().await.unwrap();
    }
}

#[tokio::test]
async fn a_variable_that_is_not_utf_8_is_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    for name in
        ["PORTICO_SERVICE__KEY_FILE", "PORTICO_PROFILE__NAME", "PORTICO_LISTEN", "PORTAL__AUTH__AUTH_TOKEN"]
    {
        let mut command = portico(folder.path());
        command.args(["config", "check"]).env(name, OsStr::from_bytes(b"k\xff"));
        let refused = finished(command).await;
        let said = format!("portico: {name}: the value must be UTF-8");
        assert!(refused.code == 64 && refused.stderr.contains(&said), "{name}: {refused:?}");
    }
}

#[tokio::test]
async fn an_empty_variable_counts_as_not_set() {
    let folder = tempfile::tempdir().unwrap();
    let shown = run(folder.path(), &["config", "check", "--json"]).await.json();
    for name in ["CONFIG", "RELAYS", "SOCKET", "KEY_FILE", "DATA_DIR", "TOKEN_FILE", "LISTEN"] {
        let mut command = portico(folder.path());
        command.args(["config", "check", "--json"]).env(format!("PORTICO_{name}"), "");
        assert_eq!(finished(command).await.json(), shown, "{name}");
    }
    let missing = run(folder.path(), &["config", "check", "--config", "nowhere"]).await;
    assert!(missing.code == 64 && missing.stderr.contains("the file does not exist"), "{missing:?}");
}

#[tokio::test]
async fn a_time_in_capital_m_is_refused_by_its_key() {
    let plan = Daemon::offline().with_config("[auth]\nhandshake_ttl = \"5M\"\n");
    let (code, said) = plan.refusal().await;
    assert!(code == 64 && said.contains("auth.handshake_ttl: write minutes as m"), "{code}: {said}");
}
