//! The gateways, each with the file of `deploy/` that operators copy and addresses of the test's own.

use std::path::Path;

use tokio::process::Command;

use crate::support::program::command_of;

/// Which gateway: all of Debian's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gateway {
    Nginx,
    Caddy,
    Haproxy,
}

/// Where everything listens: all of it Unix sockets.
pub(crate) struct Places<'a> {
    /// A folder that the gateway may write.
    pub(crate) folder: &'a Path,
    pub(crate) gateway: &'a Path,
    pub(crate) portico: &'a Path,
    pub(crate) app: &'a Path,
}

/// Lines of the operator's own: around the site, and in it. For nginx.
#[derive(Clone, Copy, Default)]
pub(crate) struct More<'a> {
    pub(crate) around: &'a str,
    pub(crate) within: &'a str,
}

impl Gateway {
    /// Writes its configuration; the command that runs it.
    pub(crate) fn command(self, places: &Places<'_>, more: More<'_>) -> Command {
        let write = |name: &str, text: String| std::fs::write(places.folder.join(name), text).unwrap();
        let run = |program: &str| command_of(Path::new(program), places.folder);
        match self {
            Self::Nginx => {
                write("nginx.conf", nginx(places, more));
                let mut command = run("/usr/sbin/nginx");
                command.arg("-p").arg(places.folder).args(["-c", "nginx.conf", "-e", "stderr"]);
                command
            }
            Self::Caddy => {
                write("Caddyfile", caddy(places));
                let mut command = run("/usr/bin/caddy");
                command.args(["run", "--config", "Caddyfile", "--adapter", "caddyfile"]);
                command
            }
            Self::Haproxy => {
                write("haproxy.lua", lua(places));
                write("haproxy.cfg", haproxy(places));
                let mut command = run("/usr/sbin/haproxy");
                command.args(["-db", "-f", "haproxy.cfg"]);
                command
            }
        }
    }
}

/// A text in which each of these, so often, is another.
fn with(file: &str, text: &str, replacements: &[(&str, usize, String)]) -> String {
    replacements.iter().fold(text.to_owned(), |text, (theirs, times, ours)| {
        assert_eq!(text.matches(theirs).count(), *times, "deploy/{file}: {theirs}");
        text.replace(theirs, ours)
    })
}

fn nginx(places: &Places<'_>, more: More<'_>) -> String {
    let unix = |path: &Path| format!("unix:{}", path.display());
    let site = with(
        "nginx.conf",
        include_str!("../../deploy/nginx.conf"),
        &[
            ("server unix:/run/portico.sock;", 1, format!("server {};", unix(places.portico))),
            ("server 127.0.0.1:8000;", 1, format!("server {};", unix(places.app))),
            ("listen 443 ssl;", 1, format!("listen {};", unix(places.gateway))),
            ("listen [::]:443 ssl;", 1, String::new()),
            ("ssl_certificate /etc/letsencrypt/live/app.example/fullchain.pem;", 1, String::new()),
            ("ssl_certificate_key /etc/letsencrypt/live/app.example/privkey.pem;", 1, String::new()),
            ("server_name", 1, format!("{} server_name", more.within)),
        ],
    );
    // What stands around a site in `/etc/nginx/nginx.conf`. One process, so that it ends with the test.
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {kind};\n"))
        .concat();
    format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr notice;\nevents {{}}\n\
         http {{\naccess_log off;\n{temporary}{}\n{site}\n}}\n",
        more.around
    )
}

fn caddy(places: &Places<'_>) -> String {
    let unix = |path: &Path| format!("unix/{}", path.display());
    let site = with(
        "Caddyfile",
        include_str!("../../deploy/Caddyfile"),
        &[
            ("unix//run/portico.sock", 1, unix(places.portico)),
            ("reverse_proxy 127.0.0.1:8000", 3, format!("reverse_proxy {}", unix(places.app))),
            ("\napp.example {", 1, format!("\nhttp:// {{\n\tbind {}", unix(places.gateway))),
        ],
    );
    format!("{{\n\tadmin off\n\tauto_https off\n}}\n{site}")
}

fn lua(places: &Places<'_>) -> String {
    let socket = [("\"/run/portico.sock\"", 1, format!("{:?}", places.portico))];
    with("haproxy.lua", include_str!("../../deploy/haproxy.lua"), &socket)
}

fn haproxy(places: &Places<'_>) -> String {
    with(
        "haproxy.cfg",
        include_str!("../../deploy/haproxy.cfg"),
        &[
            ("/etc/haproxy/haproxy.lua", 1, places.folder.join("haproxy.lua").display().to_string()),
            (
                "bind :443 ssl crt /etc/haproxy/app.example.pem",
                1,
                format!("bind {} mode 666", places.gateway.display()),
            ),
            ("server app 127.0.0.1:8000", 1, format!("server app unix@{}", places.app.display())),
        ],
    )
}
