//! nginx with `deploy/nginx.conf`: the file that operators copy, with addresses of the test's own.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Stdio;

use nix::unistd::{Group, User, geteuid};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::app::App;
use crate::support::beginning::Member;
use crate::support::daemon::{Daemon, Plan};
use crate::support::program::{Log, command_of};
use crate::support::relay::TestRelay;
use crate::support::rest::Rest;
use crate::with_sessions;

/// What Debian's nginx runs as.
const WWW_DATA: &str = "www-data";

/// A daemon and an app with nginx before them. All of it ends when this is dropped.
pub(crate) struct Site {
    pub(crate) daemon: Daemon,
    folder: TempDir,
    _relay: TestRelay,
    _app: App,
    _nginx: Child,
    _log: Log,
}

impl Site {
    /// The site as operators get it.
    pub(crate) async fn start() -> Self {
        Self::with("", "").await
    }

    /// The site with these lines more around the server, and in it.
    pub(crate) async fn with(in_http: &str, in_server: &str) -> Self {
        let relay = TestRelay::start().await;
        let daemon = reachable_for_nginx(&relay).start_subscribed(&[&relay]).await;
        let folder = tempfile::tempdir().unwrap();
        let app = App::on(&folder.path().join("app.sock"));
        let server =
            server(&daemon, folder.path()).replace("server_name", &format!("{in_server} server_name"));
        std::fs::write(folder.path().join("nginx.conf"), around(&format!("{in_http}\n{server}"))).unwrap();
        let mut nginx = command(folder.path()).spawn().expect("nginx is installed (see .ci/run)");
        let log = Log::of(nginx.stderr.take().unwrap());
        // It says so once its socket is there.
        log.find("event method").await;
        Self { daemon, folder, _relay: relay, _app: app, _nginx: nginx, _log: log }
    }

    /// A client that shows nothing.
    pub(crate) fn stranger(&self) -> Rest {
        Rest::unix(self.folder.path().join("nginx.sock"))
    }

    /// A client that shows this access token and this credential.
    pub(crate) fn client(&self, access_token: &str, credential: &str) -> Rest {
        self.stranger()
            .with("authorization", &format!("Bearer {access_token}"))
            .with("x-wallet-session", credential)
    }

    /// A client that shows both layers of this user.
    pub(crate) fn client_of(&self, member: &Member) -> Rest {
        self.client(member.access_token(), &member.credential)
    }
}

/// The daemon, as `deploy/README.md` has it for nginx.
fn reachable_for_nginx(relay: &TestRelay) -> Plan {
    let local = if geteuid().is_root() {
        let gid = Group::from_name(WWW_DATA).unwrap().expect("nginx is installed (see .ci/run)").gid;
        format!("[local]\nsocket_mode = \"0660\"\nsocket_group = \"{WWW_DATA}\"\nallow_gids = [{gid}]\n")
    } else {
        eprintln!("NOT TESTED with nginx as another user: that takes root");
        String::new()
    };
    with_sessions(relay, &local).where_others_can_look()
}

/// `deploy/nginx.conf`, each address in it replaced.
fn server(daemon: &Daemon, folder: &Path) -> String {
    let unix = |path: &Path| format!("unix:{}", path.display());
    let listen = format!("listen {};", unix(&folder.join("nginx.sock")));
    let mut text = include_str!("../../deploy/nginx.conf").to_owned();
    for (theirs, ours) in [
        ("server unix:/run/portico.sock;", &*format!("server {};", unix(&daemon.socket()))),
        ("server 127.0.0.1:8000;", &*format!("server {};", unix(&folder.join("app.sock")))),
        ("listen 443 ssl;", &*listen),
        ("listen [::]:443 ssl;", ""),
        ("ssl_certificate /etc/letsencrypt/live/app.example/fullchain.pem;", ""),
        ("ssl_certificate_key /etc/letsencrypt/live/app.example/privkey.pem;", ""),
    ] {
        assert_eq!(text.matches(theirs).count(), 1, "deploy/nginx.conf: {theirs}");
        text = text.replace(theirs, ours);
    }
    text
}

/// What stands around a site in `/etc/nginx/nginx.conf`. One process, so that it ends with the test.
fn around(site: &str) -> String {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {kind};\n"))
        .concat();
    format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr notice;\nevents {{}}\n\
         http {{\naccess_log off;\n{temporary}{site}\n}}\n"
    )
}

fn command(folder: &Path) -> Command {
    let mut command = command_of(Path::new("/usr/sbin/nginx"), folder);
    command.arg("-p").arg(folder).arg("-c").arg("nginx.conf").args(["-e", "stderr"]);
    command.stdout(Stdio::null());
    if let Some(user) = User::from_name(WWW_DATA).unwrap().filter(|_| geteuid().is_root()) {
        std::fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
        chown(folder, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}
