//! `portico demo`, as its first user meets it: the built program, run whole.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// A deadline for what should take a second, on a machine that is busy.
const SOON: Duration = Duration::from_secs(60);

const STEPS: [&str; 11] = [
    "relay",
    "daemon",
    "login",
    "scanned",
    "challenged",
    "approved",
    "claims",
    "verified",
    "altered_token",
    "strangers_token",
    "strangers_approval",
];

fn portico(temporary: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portico"));
    command.args(arguments).env("TMPDIR", temporary).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn once(temporary: &Path, arguments: &[&str]) -> (Output, String) {
    let output = timeout(SOON, portico(temporary, arguments).output()).await.unwrap().unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    (output, text)
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

/// Reads up to the line that holds `text`, and returns that.
async fn line_with(lines: &mut Lines<BufReader<ChildStdout>>, text: &str) -> String {
    let find = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("the demo ended early");
            if line.contains(text) {
                break line;
            }
        }
    };
    timeout(SOON, find).await.unwrap()
}

/// Ends the demo as a service manager would; returns its exit code.
async fn terminate(mut demo: Child) -> Option<i32> {
    let pid = Pid::from_raw(demo.id().unwrap().try_into().unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
    timeout(SOON, demo.wait()).await.unwrap().unwrap().code()
}

#[tokio::test]
async fn the_whole_story_holds_and_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let (output, text) = once(temporary.path(), &["demo", "--once"]).await;
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_eq!(text.matches('✓').count(), STEPS.len(), "{text}");
    for word in ["portal://npub1", "HTTP 400 invalid_signature", "HTTP 400 unknown_wallet", "declined"] {
        assert!(text.contains(word), "{word} is missing in {text}");
    }
    assert!(!text.contains('\x1b'), "a pipe gets no colours");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "nothing to warn of");
    assert!(is_empty(temporary.path()));
}

#[tokio::test]
async fn programs_get_one_object_a_step_whatever_is_configured_on_the_machine() {
    let temporary = tempfile::tempdir().unwrap();
    std::fs::write(temporary.path().join("portico.toml"), "this is no configuration").unwrap();
    let mut command = portico(temporary.path(), &["demo", "--once", "--json"]);
    command.current_dir(temporary.path()).env("PORTICO_LOCAL__LISTEN", "nonsense");
    let output = timeout(SOON, command.output()).await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    let steps: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(names, STEPS);
    assert!(steps.iter().all(|step| step["ms"].is_f64()));
    let [scanned, verified] = [3, 7].map(|step| &steps[step]["user_key"]);
    assert_eq!(scanned, verified);
    assert_eq!(steps[6]["audience"], steps[1]["public_key"]);
}

#[tokio::test]
async fn a_step_that_does_not_hold_is_named_and_leaves_nothing_behind_either() {
    let temporary = tempfile::tempdir().unwrap();
    // The path of a Unix socket has at most 107 bytes (unix(7)).
    let deep = temporary.path().join("d".repeat(120));
    std::fs::create_dir(&deep).unwrap();
    let (output, text) = once(&deep, &["demo", "--once"]).await;
    assert_eq!(output.status.code(), Some(1));
    let last = text.lines().last().unwrap();
    assert!(last.contains("✗ daemon ready"), "{text}");
    assert!(is_empty(&deep));
}

#[tokio::test]
async fn a_pasted_url_logs_the_wallet_in_and_sigterm_ends_the_demo_without_a_trace() {
    let temporary = tempfile::tempdir().unwrap();
    let mut demo = portico(temporary.path(), &["demo", "--json"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut shown = BufReader::new(demo.stdout.take().unwrap()).lines();
    let up: Value = serde_json::from_str(&line_with(&mut shown, r#""up""#).await).unwrap();
    let socket = up["socket"].as_str().unwrap();

    let mut login = portico(temporary.path(), &["login", "--json", "--socket", socket]).spawn().unwrap();
    let mut said = BufReader::new(login.stderr.take().unwrap()).lines();
    let url = timeout(SOON, said.next_line()).await.unwrap().unwrap().unwrap();
    let pasted = format!("this is no URL\n\n  {url}\n");
    demo.stdin.as_mut().unwrap().write_all(pasted.as_bytes()).await.unwrap();
    assert!(line_with(&mut shown, "pasted").await.contains("is neither a portal:// URL"));
    assert!(line_with(&mut shown, "pasted").await.contains(r#""error":null"#));
    let login = timeout(SOON, login.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(login.status.code(), Some(0));
    assert!(String::from_utf8(login.stdout).unwrap().contains("approved"));

    assert!(!is_empty(temporary.path()));
    assert_eq!(terminate(demo).await, Some(0));
    assert!(is_empty(temporary.path()));
}

#[tokio::test]
async fn people_are_told_what_to_try_and_that_goes_on_when_there_is_no_input() {
    let temporary = tempfile::tempdir().unwrap();
    let mut demo = portico(temporary.path(), &["demo"]).spawn().unwrap();
    let mut shown = BufReader::new(demo.stdout.take().unwrap()).lines();
    let health = line_with(&mut shown, "/health").await;
    line_with(&mut shown, "Paste a portal:// URL").await;
    line_with(&mut shown, "Ctrl-C").await;
    let socket = health.split_whitespace().nth(3).unwrap();
    assert!(Path::new(socket).exists(), "{health}");
    assert_eq!(terminate(demo).await, Some(0));
    assert!(is_empty(temporary.path()));
}

/// A demo that stays up, for a person who types.
struct Typed {
    demo: Child,
    shown: Lines<BufReader<ChildStdout>>,
    socket: String,
    temporary: tempfile::TempDir,
}

impl Typed {
    async fn start() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let mut demo = portico(temporary.path(), &["demo", "--json"]).stdin(Stdio::piped()).spawn().unwrap();
        let mut shown = BufReader::new(demo.stdout.take().unwrap()).lines();
        let up: Value = serde_json::from_str(&line_with(&mut shown, r#""up""#).await).unwrap();
        let socket = up["socket"].as_str().unwrap().to_owned();
        Self { demo, shown, socket, temporary }
    }

    /// A login that waits: its end, and its URL.
    async fn login(&self) -> (Child, String) {
        let arguments = ["login", "--json", "--socket", &self.socket];
        let mut login = portico(self.temporary.path(), &arguments).spawn().unwrap();
        let mut said = BufReader::new(login.stderr.take().unwrap()).lines();
        let url = timeout(SOON, said.next_line()).await.unwrap().unwrap().unwrap();
        // What it goes on to say must not break it.
        tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
        (login, url)
    }

    async fn types(&mut self, line: &str) {
        self.demo.stdin.as_mut().unwrap().write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn shows(&mut self, step: &str) -> Value {
        let line = line_with(&mut self.shown, &format!("\"step\":\"{step}\"")).await;
        serde_json::from_str(&line).unwrap()
    }

    /// Opens a login and types its URL behind these words: what the screen says, and how the login ends.
    async fn plays(&mut self, words: &str) -> (Value, Output) {
        let (login, url) = self.login().await;
        self.types(&format!("{words} {url}")).await;
        let asked = self.shows("asked").await;
        (asked, timeout(SOON, login.wait_with_output()).await.unwrap().unwrap())
    }
}

fn outcome(login: &Output) -> (Option<i32>, Value) {
    (login.status.code(), serde_json::from_slice(&login.stdout).unwrap())
}

#[tokio::test]
async fn the_simulated_user_declines_hesitates_and_is_somebody_else_at_the_word_of_the_person_before_the_screen()
 {
    let mut typed = Typed::start().await;
    let (asked, login) = typed.plays("").await;
    let (code, own) = outcome(&login);
    assert_eq!((code, &asked["answer"]), (Some(0), &Value::from("approved")));

    let (asked, login) = typed.plays("no").await;
    let (code, event) = outcome(&login);
    assert_eq!((code, &event["status"]["status"]), (Some(1), &Value::from("declined")));
    assert_eq!(asked["answer"], "declined");

    let (asked, login) = typed.plays("slow 100ms").await;
    assert_eq!(asked["answer"], "thinks for 100ms, then approved");
    assert_eq!(outcome(&login).1["status"]["status"], "approved", "the no held for one question");

    let mut bobs = Vec::new();
    for words in ["as bob", "as bob no", "as bob"] {
        let (asked, login) = typed.plays(words).await;
        let (_, event) = outcome(&login);
        assert_eq!((&asked["who"], &asked["user"]), (&Value::from("bob"), &event["user_key"]));
        assert_ne!(event["user_key"], own["user_key"]);
        bobs.push((event["user_key"].clone(), event["status"]["status"].clone()));
    }
    assert!(bobs.iter().all(|(user, _)| *user == bobs[0].0), "the same name is the same user: {bobs:?}");
    assert_eq!(
        bobs.iter().map(|(_, status)| status).collect::<Vec<_>>(),
        ["approved", "declined", "approved"]
    );
    assert_eq!(terminate(typed.demo).await, Some(0));
}

#[tokio::test]
async fn a_user_who_does_not_answer_leaves_the_login_open_and_holds_up_nobody() {
    let mut typed = Typed::start().await;
    let mut open = Vec::new();
    // More than a service has open for one user by default.
    for _ in 0..4 {
        let (login, url) = typed.login().await;
        typed.types(&format!("ignore {url}")).await;
        assert_eq!(typed.shows("asked").await["answer"], "does not answer");
        open.push(login);
    }
    let (_, login) = typed.plays("").await;
    assert_eq!(outcome(&login).1["status"]["status"], "approved");
    for login in &mut open {
        assert!(login.try_wait().unwrap().is_none(), "it waits");
    }
    assert_eq!(terminate(typed.demo).await, Some(0));
}

#[tokio::test]
async fn somebody_who_plays_for_a_while_is_not_stopped_by_the_limit_on_prompts() {
    let mut typed = Typed::start().await;
    // The limit is 10 by default.
    for round in 0..12 {
        let (_, login) = typed.plays(if round % 2 == 0 { "no" } else { "yes" }).await;
        assert_eq!(login.status.code(), Some(1 - round % 2), "round {round}: {login:?}");
    }
    assert_eq!(terminate(typed.demo).await, Some(0));
}

#[tokio::test]
async fn a_word_that_is_unknown_and_a_url_that_leads_nowhere_are_answered_with_what_helps() {
    let mut typed = Typed::start().await;
    for (line, helps) in [
        ("maybe portal://x", "\"maybe\" is neither a portal:// URL nor a known word"),
        ("no", "URL is missing"),
        ("as portal://x", "as bob URL"),
        ("https://example.org", "not a portal:// URL"),
    ] {
        typed.types(line).await;
        let error = typed.shows("pasted").await["error"].clone();
        assert!(error.as_str().unwrap().contains(helps), "{line}: {error}");
    }
    typed.types("help").await;
    assert!(typed.shows("help").await["help"].as_str().unwrap().contains("as NAME URL"));

    let (login, url) = typed.login().await;
    typed.types(&url).await;
    typed.shows("asked").await;
    assert_eq!(timeout(SOON, login.wait_with_output()).await.unwrap().unwrap().status.code(), Some(0));
    typed.types(&url).await;
    let told = typed.shows("not_asked").await;
    assert!(told["error"].as_str().unwrap().contains("was used"), "{told}");
    let (_, login) = typed.plays("").await;
    assert_eq!(login.status.code(), Some(0), "it goes on after that");
    assert_eq!(terminate(typed.demo).await, Some(0));
}
