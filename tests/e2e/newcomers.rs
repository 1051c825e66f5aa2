//! What costs a new user time: mistakes that everybody makes, and what is said to them.

use std::path::Path;

use hyper::Method;
use nostr_sdk::PublicKey;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::cli::at;
use crate::sessions::SESSIONS;
use crate::support::beginning::Member;
use crate::support::daemon::Daemon;
use crate::support::phone::Phone;
use crate::support::program::{Finished, finished, portico};
use crate::support::relay::TestRelay;
use crate::support::rest::{Answer, refused};
use crate::support::soon;

/// `portico config check` of this file.
async fn check(folder: &Path, toml: &str) -> Finished {
    let file = folder.join("portico.toml");
    std::fs::write(&file, toml).unwrap();
    let mut command = portico(folder);
    command.args(["config", "check", "--json", "--config"]).arg(file);
    finished(command).await
}

fn error(answer: &Answer) -> String {
    answer.json()["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_form_in_place_of_json_and_an_access_token_in_place_of_a_login_token_are_told_so() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::on(&[&relay]).with_config(SESSIONS).start_subscribed(&[&relay]).await;
    let rest = daemon.rest();
    for form in ["static_token=hello", "{\"static_token\":", "hello"] {
        let answer = rest.send(Method::POST, "/login", form).await;
        assert_eq!(error(&answer), "the body must be JSON", "{form}");
    }
    let member = Member::of(&daemon).await;
    let key = member.phone.key();
    let question = json!({ "pubkey": key, "token": member.access_token() });
    let answer = rest.post("/jwt/verify", question).await;
    assert_eq!(answer.refusal(), refused(400, "unsupported_algorithm"));
    assert!(error(&answer).contains("use /oauth/introspect or /auth/verify"), "{}", error(&answer));
}

#[tokio::test]
async fn a_token_with_bearer_quotes_or_a_line_break_around_it_is_told_so_wherever_it_is_given() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::on(&[&relay]).with_config(SESSIONS).start_subscribed(&[&relay]).await;
    let (rest, member) = (daemon.rest(), Member::of(&daemon).await);
    let service = daemon.public_key().await;
    for (before, behind, named) in
        [("Bearer ", "", "begins with \"Bearer\""), ("\"", "\"", "quotes"), ("", "\n", "line break")]
    {
        let wrap = |token: &str| format!("{before}{token}{behind}");
        let (credential, token) = (wrap(&member.credential), wrap(member.access_token()));
        for (path, body, status, code) in [
            ("/jwt/verify", json!({ "pubkey": service, "token": credential }), 400, "malformed_token"),
            ("/jwt/revoke", json!({ "token": credential }), 400, "malformed_token"),
            ("/auth/login", json!({ "credential": credential }), 401, "malformed_token"),
            ("/auth/refresh", json!({ "credential": credential }), 401, "malformed_token"),
            (
                "/auth/verify",
                json!({ "access_token": token, "credential": member.credential }),
                401,
                "invalid_token",
            ),
            (
                "/auth/verify",
                json!({ "access_token": member.access_token(), "credential": credential }),
                401,
                "malformed_token",
            ),
            ("/auth/logout", json!({ "access_token": token }), 401, "invalid_token"),
        ] {
            let answer = rest.post(path, body).await;
            assert_eq!(answer.refusal(), (status, code.to_owned()), "{path}");
            assert!(error(&answer).contains(named), "{path}: {answer:?}");
            assert!(!error(&answer).contains("eyJ"), "{path} repeats the token");
        }
        let many = json!([{ "pubkey": service, "token": credential }]);
        let answers = rest.post("/jwt/verify", many).await.data();
        assert!(answers[0]["error"].as_str().unwrap().contains(named), "{answers}");
        let mut offline = portico(daemon.folder());
        offline.args(["verify", "--offline"]);
        for mut command in [at(&daemon, &["verify"]), offline] {
            command.args(["--key", &service]).arg(&credential);
            let told = finished(command).await;
            assert!(told.code == 1 && told.stderr.contains(named), "{told:?}");
        }
    }
    // What is wrong in another way is not blamed on what stands around it.
    let expired = member.phone.token(&PublicKey::parse(&service).unwrap(), 1_000, 10);
    let told = error(&rest.post("/jwt/verify", json!({ "pubkey": service, "token": expired })).await);
    assert!(!told.contains("alone"), "{told}");
    rest.post("/auth/verify", member.both()).await.data();
}

#[tokio::test]
async fn a_mistake_in_the_file_names_file_line_and_key_and_what_is_expected() {
    let folder = tempfile::tempdir().unwrap();
    for (line, expected) in [
        ("[sessions]\nenabled = yes", "enabled: yes must be written true, without quotes (in "),
        (
            "[sessions]\n\nenabled = \"yes\"",
            "sessions.enabled: must be true or false, without quotes, but is text",
        ),
        ("[auth]\nchallenge_ttl = 5m", "challenge_ttl: write a duration in quotes: \"5m\" (in "),
        ("[auth]\nchallenge_ttl = 300", "auth.challenge_ttl: must be a duration in quotes, like"),
        (
            "[service]\nnip05_names = 3",
            "service.nip05_names: must be a list in square brackets, or text with commas",
        ),
        ("[local]\nlisten = 127.0.0.1:3000", "listen: write text in quotes"),
        (
            "[local]\nallow_gids = [\"no-such-group\"]",
            "local.allow_gids (entry 1): unknown group \"no-such-group\"",
        ),
        (
            "[local]\nallow_uids = [\"no-such-user\"]",
            "local.allow_uids (entry 1): unknown user \"no-such-user\"",
        ),
        ("[local]\nallow_gids = [true]", "local.allow_gids (entry 1): must be a number, or a name in quotes"),
    ] {
        let told = check(folder.path(), &format!("{line}\n")).await;
        assert_eq!(told.code, 64, "{told:?}");
        assert!(told.stderr.contains(expected), "{line}: {}", told.stderr);
        assert!(told.stderr.contains("portico.toml"), "{}", told.stderr);
        let number = line.matches('\n').count() + 1;
        assert!(told.stderr.contains(&format!("line {number}")), "{line}: {}", told.stderr);
    }
}

#[tokio::test]
async fn groups_and_users_may_be_given_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let toml = "[local]\nallow_uids = [\"root\", 1000]\nallow_gids = [\"root\", 33, \"34\"]\n";
    let shown = check(folder.path(), toml).await.json();
    assert_eq!(shown["local"]["allow_uids"], json!([0, 1000]));
    assert_eq!(shown["local"]["allow_gids"], json!([0, 33, 34]));
}

#[tokio::test]
async fn times_are_shown_as_the_configuration_takes_them_back() {
    let folder = tempfile::tempdir().unwrap();
    let shown = check(folder.path(), "").await.json();
    assert_eq!(shown["history"]["keep_audit"], "365days");
    assert_eq!(shown["tokens"]["max_issued_lifetime"], "366days");
    assert_eq!(shown["local"]["request_timeout"], "30s");
    let mut toml = String::new();
    for section in ["history", "tokens", "auth"] {
        toml.push_str(&format!("[{section}]\n"));
        for (key, value) in shown[section].as_object().unwrap() {
            toml.push_str(&format!("{key} = {value}\n"));
        }
    }
    let again = check(folder.path(), &toml).await.json();
    for section in ["history", "tokens", "auth"] {
        assert_eq!(again[section], shown[section]);
    }
}

#[tokio::test]
async fn a_list_begins_with_the_names_of_its_columns_when_asked_to_and_else_stays_as_programs_know_it() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::on(&[&relay]).with_config(SESSIONS).start_subscribed(&[&relay]).await;
    let member = Member::of(&daemon).await;
    for (args, first) in [
        (&["users", "list"][..], "ID"),
        (&["sessions", "list", member.id()], "ID"),
        (&["audit"], "NUMBER"),
        (&["relays", "list"], "RELAY"),
        (&["keys", "list"], "KEY"),
        (&["webhooks", "list"], "EVENT"),
    ] {
        let plain = finished(at(&daemon, args)).await;
        assert!(!plain.stdout.contains(first), "{plain:?}");
        let headed = finished(at(&daemon, &[args, &["--header"]].concat())).await;
        let header = headed.stdout.lines().find(|line| line.starts_with(first));
        assert!(header.is_some_and(|line| line.to_uppercase() == line), "{headed:?}");
        assert_eq!(headed.stdout.lines().count(), plain.stdout.lines().count() + 1);
        let mut below = headed.stdout.lines().skip_while(|line| !line.starts_with(first));
        let names = columns(below.next().unwrap());
        for row in below {
            // A space before each name and a cell below it: none reaches into the next.
            for at in &names {
                let cell = row.get(*at - 2..).unwrap_or_default();
                assert!(cell.is_empty() || cell.starts_with("  "), "{at}: {headed:?}");
            }
            for word in ["last login ", "  by ", "  made ", "  from ", " attempts", "sent "] {
                assert!(!row.contains(word), "the header says {word:?}: {headed:?}");
            }
        }
        let both = finished(at(&daemon, &[args, &["--header", "--json"]].concat())).await;
        assert_eq!(both.code, 64, "JSON has no header: {both:?}");
    }
}

/// Where the columns after the first begin.
fn columns(header: &str) -> Vec<usize> {
    let begins = |(at, _): &(usize, &str)| !header[*at + 2..].starts_with(' ');
    header.match_indices("  ").filter(begins).map(|(at, _)| at + 2).collect()
}

#[tokio::test]
async fn the_audit_is_shown_up_to_a_moment_and_from_one_on() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::on(&[&relay]).with_config(SESSIONS).start_subscribed(&[&relay]).await;
    Member::of(&daemon).await;
    for (args, count) in [
        (&["--until", "1h"][..], 0),
        (&["--until", "2999-01-01T00:00:00Z"], 1),
        (&["--until", "2020-01-01T00:00:00Z"], 0),
        (&["--since", "1h", "--until", "0s"], 1),
    ] {
        let shown = finished(at(&daemon, &[&["audit", "--json"], args].concat())).await;
        assert_eq!((shown.code, shown.stdout.lines().count()), (0, count), "{args:?}: {shown:?}");
    }
    assert_eq!(finished(at(&daemon, &["audit", "--until", "soon"])).await.code, 64);
}

/// What a phone reads from the rows of a terminal. The margin below them is as light as what is lit.
fn scanned(rows: &[String]) -> String {
    const SCALE: usize = 4;
    let halves = |row: &String, lit: [char; 2]| row.chars().map(|c| lit.contains(&c)).collect::<Vec<_>>();
    let mut modules: Vec<Vec<bool>> =
        rows.iter().flat_map(|row| [halves(row, ['█', '▀']), halves(row, ['█', '▄'])]).collect();
    modules.extend(vec![vec![true; modules[0].len()]; 2]);
    let (width, height) = (modules[0].len() * SCALE, modules.len() * SCALE);
    let light = |x: usize, y: usize| if modules[y / SCALE][x / SCALE] { 255 } else { 0 };
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, light);
    let grids = image.detect_grids();
    grids.first().expect("a code is seen").decode().expect("it can be read").1
}

#[tokio::test]
async fn the_code_of_a_login_with_many_relays_fits_a_terminal_of_24_rows_and_leads_to_a_relay_that_is_ready()
{
    let relay = TestRelay::start().await;
    let plan = Daemon::on(&[&relay]);
    let mut list = String::new();
    for name in ["relay.nostr.example", "relay.damus.example", "nos.example"] {
        list.push_str(&format!("[[relay]]\nurl = \"wss://{name}\"\n"));
    }
    list.push_str(&format!("[[relay]]\nurl = \"{}\"\n", relay.url()));
    std::fs::write(plan.folder().join("relays.toml"), list).unwrap();
    let daemon = plan.start_subscribed(&[&relay]).await;
    let mut login = at(&daemon, &["login"]).spawn().unwrap();
    let mut said = BufReader::new(login.stderr.take().unwrap()).lines();
    let is_code = |line: &str| line.contains(['█', '▀', '▄']);
    let mut rows = Vec::new();
    soon("the code", async {
        while rows.len() < 23 {
            let line = said.next_line().await.unwrap().unwrap();
            if is_code(&line) {
                rows.push(line);
            } else {
                assert!(rows.is_empty(), "the code is torn by {line:?}");
            }
        }
    })
    .await;
    assert!(rows.iter().all(|row| row.chars().count() <= 80));
    let mut phone = Phone::new();
    phone.scan(&scanned(&rows)).await;
    let asked = phone.challenge().await;
    phone.approve(&asked).await;
    // The last row, which had no line feed before the answer came.
    let rest = soon("the rest", async {
        let mut rest = Vec::new();
        while let Some(line) = said.next_line().await.unwrap() {
            rest.push(line);
        }
        rest
    })
    .await;
    rows.extend(rest.iter().filter(|line| is_code(line)).cloned());
    assert!(rows.len() <= 24, "{} rows", rows.len());
    assert!(rest.iter().any(|line| line.starts_with("Scanned by")), "a line of its own: {rest:?}");
    let login = soon("its end", login.wait_with_output()).await.unwrap();
    assert!(String::from_utf8(login.stdout).unwrap().starts_with("approved"));
}
