//! How the demo looks: lines for people, or one JSON object a step for programs.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::ScanError;
use super::text::{duration, invitation, key, rows, summary};
use crate::cli::qr;
use crate::demo::wallet::ChallengeSeen;
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
            let what = "one login, start to finish, on this machine alone";
            self.line(format_args!("\n  {}  {what}\n", self.styled(BOLD, "Portico demo")));
        }
    }

    /// A step that held.
    pub(super) fn step(&mut self, told: &Told) {
        self.steps += 1;
        if matches!(told.step, StepName::Scanned | StepName::Challenged | StepName::Approved) {
            self.login += told.took;
        }
        if self.json {
            return self.object(told);
        }
        if told.step == StepName::AlteredToken {
            self.line("\n  And what an attacker would try:\n");
        }
        self.mark(self.styled(GREEN, "✓"), told.step, &duration(told.took), &summary(told));
        match &told.scene {
            Scene::Login { url, .. } => {
                let code = qr::render(url);
                let code = code.lines().map(|line| format!("      {line}\n")).collect::<String>();
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

    /// The step that did not hold.
    pub(super) fn failed(&self, error: &StoryError) {
        let why = error.trouble.to_string();
        if self.json {
            self.object(&json!({ "step": error.step, "error": why }));
        } else {
            self.mark(self.styled(RED, "✗"), error.step, "", &why);
        }
    }

    /// The whole story held.
    pub(super) fn end(&self) {
        if !self.json {
            let (steps, login) = (self.steps, duration(self.login));
            self.line(format_args!("\n  All {steps} steps held; the login itself took {}.", login.trim()));
        }
    }

    /// What there is to try.
    pub(super) fn invite(&self, stage: &Stage) {
        if self.json {
            let (socket, token_file) = (stage.socket(), stage.token_file());
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
            "\n  Paste a portal:// URL here and press Enter: the simulated wallet scans it and says yes.\n  \
             Ctrl-C ends the demo and removes all of it.\n"
        ));
    }

    /// What came of a URL that was pasted.
    pub(super) fn scanned(&self, result: Result<(), ScanError>) {
        let error = result.err().map(|error| error.to_string());
        match error {
            _ if self.json => self.object(&json!({ "step": "pasted", "error": error })),
            None => self.line(format_args!(
                "  {} scanned: if the URL is open, the user is asked",
                self.styled(GREEN, "✓")
            )),
            Some(error) => self.line(format_args!("  {} not scanned: {error}", self.styled(RED, "✗"))),
        }
    }

    /// A challenge has reached the wallet, which says yes.
    pub(super) fn asked(&self, seen: &ChallengeSeen) {
        if self.json {
            self.object(&json!({ "step": "asked", "service": seen.service }));
        } else {
            let (mark, service) = (self.styled(GREEN, "✓"), key(&seen.service));
            self.line(format_args!("  {mark} asked by {service}, and approved"));
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

    /// Whoever closed the other end does not want to know more; that is no reason to end in the middle.
    fn line(&self, text: impl Display) {
        let _ = writeln!(std::io::stdout(), "{text}");
    }
}
