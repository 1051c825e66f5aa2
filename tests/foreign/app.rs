//! The apps behind the gateway: other people's web frameworks, which answer with what they were told.

use std::path::Path;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::support::program::command_of;
use crate::support::rest::Answer;
use crate::support::soon;
use crate::verifiers::installed;

/// Which app.
#[derive(Clone, Copy, Debug)]
pub(crate) enum App {
    /// Express 5, which ignores the case of paths, with the sign-in page of the documentation.
    Express,
    /// Python's wsgiref: to WSGI `X_Auth_User` and `X-Auth-User` are one.
    Wsgi,
    /// The same, which reads paths as servlets on Tomcat do: it drops path parameters (`;x=1`) before it resolves `..`.
    Servlets,
}

impl App {
    pub(crate) const ALL: [Self; 3] = [Self::Express, Self::Wsgi, Self::Servlets];

    /// Starts it on this socket, which every user of the machine may speak to. It asks Portico at `portico`.
    pub(crate) async fn start(self, socket: &Path, portico: &Path) -> Child {
        let (folder, python) = (installed(), installed().join("venv/bin/python"));
        let mut command = match self {
            Self::Express => {
                let mut node = command_of(Path::new("node"), &folder);
                node.args(["--input-type=module", "--eval", &express(portico)]);
                node
            }
            Self::Wsgi | Self::Servlets => {
                let mut command = command_of(&python, &folder);
                command.args(["-I", "-c", include_str!("apps/wsgi.py")]);
                command
            }
        };
        command.arg(socket);
        if let Self::Servlets = self {
            command.arg("servlets");
        }
        command.env("PATH", std::env::var_os("PATH").unwrap());
        let mut app = command.stderr(std::process::Stdio::inherit()).spawn().expect("see .ci/run");
        let mut lines = BufReader::new(app.stdout.take().unwrap()).lines();
        let ready = soon("the app", lines.next_line()).await.unwrap();
        assert_eq!(ready.as_deref(), Some("ready"), "{self:?}");
        app
    }
}

/// The example of the documentation, before what makes an app of it.
fn express(portico: &Path) -> String {
    let example = block("js", "app.get(\"/public/sign-in\"");
    let theirs = "\"/run/portico.sock\"";
    assert_eq!(example.matches(theirs).count(), 1, "docs/gateways.md: {theirs}");
    example.replace(theirs, &format!("{portico:?}")) + include_str!("apps/express.mjs")
}

/// The one block of docs/gateways.md in this language that contains this.
pub(crate) fn block(language: &str, contains: &str) -> String {
    let blocks = include_str!("../../docs/gateways.md").split("\n```");
    let mut found = blocks.filter(|block| block.starts_with(language) && block.contains(contains));
    let block = found.next().unwrap_or_else(|| panic!("docs/gateways.md: no {language} with {contains}"));
    assert!(found.next().is_none(), "docs/gateways.md: one {language} with {contains}");
    block.split_once('\n').unwrap().1.to_owned() + "\n"
}

/// What the app saw of a request that reached it.
pub(crate) fn seen(answer: &Answer) -> Value {
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    answer.json()
}

/// All that the app was told of the user, by any name that a CGI program would take for `X-Auth-…`. What is empty says
/// nothing.
pub(crate) fn told_of_user(answer: &Answer) -> Vec<(String, String)> {
    let headers = seen(answer)["headers"].take();
    let is_of_user = |name: &str| name.replace(|c: char| !c.is_alphanumeric(), "-").starts_with("x-auth-");
    let told = headers.as_object().unwrap().iter().filter(|(name, _)| is_of_user(name));
    let told = told.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
    let mut told: Vec<_> = told.filter(|(_, value)| !value.is_empty()).collect();
    told.sort();
    told
}
