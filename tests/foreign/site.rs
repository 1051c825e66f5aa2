//! A whole site: a daemon, a gateway as operators get it, and an app behind it.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::unistd::{Group, User, geteuid};
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::process::Child;

use crate::app::App;
use crate::gateways::{Gateway, More, Places};
use crate::support::beginning::Member;
use crate::support::daemon::{Daemon, Plan};
use crate::support::program::Log;
use crate::support::relay::TestRelay;
use crate::support::rest::Rest;
use crate::support::soon;
use crate::with_sessions;

/// What Debian's nginx runs as; the others here, too.
const WWW_DATA: &str = "www-data";

/// The names of the cookies, as the documentation has them.
pub(crate) const ACCESS: &str = "__Host-access";
pub(crate) const WALLET: &str = "__Host-wallet";

/// A daemon and an app with a gateway between them and users. All of it ends when this is dropped.
pub(crate) struct Site {
    pub(crate) daemon: Daemon,
    folder: TempDir,
    _relay: TestRelay,
    _app: Child,
    _gateway: Child,
    _log: Log,
}

impl Site {
    /// The site as operators get it.
    pub(crate) async fn of(gateway: Gateway, app: App) -> Self {
        Self::with(gateway, app, More::default()).await
    }

    /// The same with these lines more.
    pub(crate) async fn with(gateway: Gateway, app: App, more: More<'_>) -> Self {
        let relay = TestRelay::start().await;
        let daemon = reachable(&relay).start_subscribed(&[&relay]).await;
        let folder = tempfile::tempdir().unwrap();
        let socket = |name: &str| folder.path().join(name);
        let (portico, at_app, at_gateway) = (daemon.socket(), socket("app.sock"), socket("gateway.sock"));
        let places = Places { folder: folder.path(), gateway: &at_gateway, portico: &portico, app: &at_app };
        let app = app.start(&at_app, &portico).await;
        let mut command = gateway.command(&places, more);
        command.stdout(Stdio::null());
        if let Some(user) = User::from_name(WWW_DATA).unwrap().filter(|_| geteuid().is_root()) {
            std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
            chown(folder.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        let mut running = command.spawn().expect("the gateways are installed (see .ci/run)");
        let log = Log::of(running.stderr.take().unwrap());
        soon("the gateway", until_it_listens(&at_gateway, &mut running)).await;
        Self { daemon, folder, _relay: relay, _app: app, _gateway: running, _log: log }
    }

    /// Where the gateway listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("gateway.sock")
    }

    /// Where the app listens.
    pub(crate) fn app_socket(&self) -> PathBuf {
        self.folder.path().join("app.sock")
    }

    /// A client that shows nothing.
    pub(crate) fn stranger(&self) -> Rest {
        Rest::unix(self.socket()).with("host", "app.example")
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

    /// A browser that asks for a page, with these cookies.
    pub(crate) fn browser(&self, cookies: &[(&str, &str)]) -> Rest {
        let cookies: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        let browser = self.stranger().with("accept", accept);
        if cookies.is_empty() { browser } else { browser.with("cookie", &cookies.join("; ")) }
    }
}

/// The daemon, as `deploy/README.md` and `docs/gateways.md` have it for gateways.
fn reachable(relay: &TestRelay) -> Plan {
    let cookies =
        format!("[forward]\naccess_token_cookie = \"{ACCESS}\"\ncredential_cookie = \"{WALLET}\"\n");
    let local = if geteuid().is_root() {
        let gid = Group::from_name(WWW_DATA).unwrap().expect("nginx is installed (see .ci/run)").gid;
        format!(
            "[local]\nsocket_mode = \"0660\"\nsocket_group = \"{WWW_DATA}\"\n\
             [[local.allow]]\ngid = {gid}\nmay = [\"check\"]\n"
        )
    } else {
        eprintln!("NOT TESTED with a gateway as another user: that takes root");
        String::new()
    };
    with_sessions(relay, &format!("{local}{cookies}")).where_others_can_look()
}

/// Not every gateway says when it listens.
pub(crate) async fn until_it_listens(socket: &Path, gateway: &mut Child) {
    let mut again = tokio::time::interval(Duration::from_millis(10));
    while UnixStream::connect(socket).await.is_err() {
        assert!(gateway.try_wait().unwrap().is_none(), "the gateway has ended");
        again.tick().await;
    }
}
