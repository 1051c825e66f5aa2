//! The output of the demo: lines for people, or one JSON object per step for programs.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::order::HELP;
use super::text::{duration, invitation, key, rows, summary};
use crate::cli::qr;
use crate::config::duration::show;
use crate::config::files::show_path;
use crate::demo::wallet::{ChallengeSeen, Wallet, WalletAnswer};
use crate::demo::{Scene, Stage, StepName, StoryError, Told};

/// Where the story is shown: standard output.
#[derive(Debug)]
pub(super) struct Screen {
    json: bool,
    colour: bool,
    steps: usize,
    login: Duration,
}

/// SGR codes (ECMA-48 §8.3.117).
const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";

impl Screen {
    pub(super) fn new(json: bool) -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { json, colour, steps: 0, login: Duration::ZERO }
    }

    pub(super) fn title(&self) {
        if !self.json {
            let what = "one complete login, on this machine alone";
            self.line(format_args!("\n  {}  {what}\n", self.styled(BOLD, "Portico demo")));
        }
    }

    /// A step that succeeded.
    pub(super) fn step(&mut self, told: &Told) {
        self.steps += 1;
        if matches!(told.step, StepName::Scanned | StepName::Challenged | StepName::Approved) {
            self.login += told.took;
        }
        if self.json {
            return self.object(told);
        }
        if told.step == StepName::AlteredToken {
            self.line("\n  And three attacks:\n");
        }
        self.mark(self.styled(GREEN, "✓"), told.step, &duration(told.took), &summary(told));
        match &told.scene {
            Scene::Login { url, .. } => {
                const INDENT: usize = 6;
                let room = qr::Room::of(std::io::stdout()).indented(INDENT);
                let picture = qr::picture(url, room, |_| true);
                let lines = picture.code.lines().map(|line| format!("{:INDENT$}{line}\n", ""));
                let code = lines.chain(picture.hint.map(|hint| format!("\n  {hint}\n"))).collect::<String>();
                self.line(format_args!("\n{code}\n  {url}\n"));
            }
            Scene::Claims(session) => {
                for (name, value) in rows(session) {
                    self.line(format_args!("      {}{value}", self.styled(DIM, &format!("{name:<13}"))));
                }
            }
            _ => {}
        }
    }

    /// The step that failed.
    pub(super) fn failed(&self, error: &StoryError) {
        let why = error.trouble.to_string();
        if self.json {
            self.object(&json!({ "step": error.step, "error": why }));
        } else {
            self.mark(self.styled(RED, "✗"), error.step, "", &why);
        }
    }

    /// All steps succeeded.
    pub(super) fn end(&self) {
        if !self.json {
            let (steps, login) = (self.steps, duration(self.login));
            self.line(format_args!(
                "\n  All {steps} steps succeeded; the login itself took {}.",
                login.trim()
            ));
        }
    }

    /// Commands to try.
    pub(super) fn invite(&self, stage: &Stage) {
        if self.json {
            let (socket, token_file) = (show_path(&stage.socket()), show_path(&stage.token_file()));
            let listen = stage.daemon().and_then(|daemon| daemon.listen());
            return self.object(
                &json!({ "step": "up", "socket": socket, "listen": listen, "token_file": token_file }),
            );
        }
        self.line(format_args!("\n  {}\n", self.styled(BOLD, "It is still running. In another terminal:")));
        for command in invitation(stage) {
            self.line(format_args!("    {command}"));
        }
        self.line(format_args!(
            "\n  Paste a portal:// URL here and press Enter: the simulated wallet scans it and approves.\n  \
             Words before the URL: no (declines), slow or slow 20s (answers later), ignore (does not\n  \
             answer; the request expires after {}), as bob (is another user). All together: as bob slow no URL\n  \
             Ctrl-C ends the demo and removes all its files.\n",
            show(stage.challenge_ttl())
        ));
    }

    /// The result of a typed line: the URL was scanned, or the reason why not.
    pub(super) fn scanned(&self, result: Result<(), &str>) {
        match result {
            _ if self.json => self.object(&json!({ "step": "pasted", "error": result.err() })),
            Ok(()) => self.line(format_args!(
                "  {} scanned: if the URL is open, the user is asked",
                self.styled(GREEN, "✓")
            )),
            Err(error) => self.line(format_args!("  {} not scanned: {error}", self.styled(RED, "✗"))),
        }
    }

    /// The help.
    pub(super) fn help(&self) {
        if self.json {
            self.object(&json!({ "step": "help", "help": HELP }));
        } else {
            self.line(format_args!("  {HELP}"));
        }
    }

    /// A challenge reached a wallet, and its user answers like this.
    pub(super) fn asked(
        &self,
        wallet: &Wallet,
        who: Option<&str>,
        seen: &ChallengeSeen,
        answer: &WalletAnswer,
    ) {
        let says = answered(answer);
        if self.json {
            let user = wallet.user_key();
            let asked =
                json!({ "step": "asked", "service": seen.service, "user": user, "who": who, "answer": says });
            return self.object(&asked);
        }
        let (mark, service) = (self.styled(GREEN, "✓"), key(&seen.service));
        let who = who.map_or_else(String::new, |name| format!("{name} was "));
        self.line(format_args!("  {mark} {who}asked by {service}, and {says}"));
    }

    /// A URL was scanned, and no challenge followed.
    pub(super) fn not_asked(&self) {
        let why = "no challenge came: the URL was used or has expired, or it is for a handshake alone, or the \
                   service has asked this user too often (auth.max_prompts_per_user, auth.max_open_per_user); \
                   try: as bob URL";
        if self.json {
            self.object(&json!({ "step": "not_asked", "error": why }));
        } else {
            self.line(format_args!("  {} {why}", self.styled(RED, "✗")));
        }
    }

    fn mark(&self, mark: String, step: StepName, took: &str, detail: &str) {
        let title = self.styled(BOLD, &format!("{:<19}", step.title()));
        self.line(format_args!("  {mark} {title} {}  {detail}", self.styled(DIM, &format!("{took:>8}"))));
    }

    fn styled(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Fields in the order of the type: the step comes first.
    fn object(&self, object: &impl Serialize) {
        self.line(serde_json::to_string(object).unwrap_or_default());
    }

    /// A closed output does not end the demo in the middle.
    fn line(&self, text: impl Display) {
        let _ = writeln!(std::io::stdout(), "{text}");
    }
}

/// The user's answer, in words.
fn answered(answer: &WalletAnswer) -> String {
    match answer {
        WalletAnswer::Approve | WalletAnswer::Custom(_) => "approved".into(),
        WalletAnswer::Decline(_) => "declined".into(),
        WalletAnswer::Ignore => "does not answer".into(),
        WalletAnswer::After(delay, then) => format!("thinks for {}, then {}", show(*delay), answered(then)),
    }
}
