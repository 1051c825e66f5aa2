//! What operators read if the configuration is wrong, as they see it.

use super::*;

/// What the operator reads about this text, with `portico.toml` in place of its path.
fn told(toml: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portico.toml");
    files::create_secret(&file, toml).unwrap();
    let at = |name: &str| Some(folder.path().join(name));
    let overrides =
        Overrides { config: Some(file), data_dir: at("data"), key_file: at("key"), ..Overrides::default() };
    let error = load(&overrides).expect_err(toml).to_string();
    error.replace(&format!("{}/", folder.path().display()), "")
}

/// What is written, and what the operator reads.
const BAD_VALUES: &[(&str, &str)] = &[
    (
        "[local]\nlisten = \"0.0.0.0:3000\"",
        "local.listen: other machines can reach 0.0.0.0:3000: this requires local.allow_remote = true (in portico.toml, line 2)",
    ),
    (
        "[local]\nlisten = \"localhost\"",
        "local.listen: \"localhost\" is not IP-ADDRESS:PORT, like 127.0.0.1:3000 (Portico does not look up names) (in portico.toml, line 2)",
    ),
    (
        "[local]\nsocket_mode = \"0066\"",
        "local.socket_mode: must be octal digits like \"0660\", from \"0600\" to \"0777\": the owner reads and writes (in portico.toml, line 2)",
    ),
    (
        "[local]\nsocket_mode = \"+660\"",
        "local.socket_mode: must be octal digits like \"0660\", from \"0600\" to \"0777\": the owner reads and writes (in portico.toml, line 2)",
    ),
    (
        "[local]\nsocket_mode = 660",
        "local.socket_mode: must be octal digits in quotes, like \"0660\", but is a number (in portico.toml, line 2)",
    ),
    (
        "[local]\nsocket_mode = 0o660",
        "local.socket_mode: must be octal digits in quotes, like \"0660\", but is a number (in portico.toml, line 2)",
    ),
    (
        "[local]\nsocket_mode = true",
        "local.socket_mode: must be octal digits in quotes, like \"0660\", but is true or false (in portico.toml, line 2)",
    ),
    (
        "[local]\nsocket_group = \"no-such-group\"",
        "local.socket_group: unknown group \"no-such-group\": this machine has no such group (in portico.toml, line 2)",
    ),
    (
        "[local]\ntoken = \"a\"\ntoken_file = \"b\"",
        "local.token: set token or token_file, not both (in portico.toml, line 2)",
    ),
    (
        "[local]\ntoken = \" \"",
        "local.token: it is empty, so anybody would have access (in portico.toml, line 2)",
    ),
    (
        "[local]\nallowed_origins = [\"https://a.example\", \"https://App.example\"]",
        "local.allowed_origins (entry 2): is not an origin that browsers send: write \"https://app.example\", without a path and in lower case (in portico.toml, line 2)",
    ),
    (
        "[local]\nallowed_hosts = [\n\"a.example\",\n\"https://app.example\"]",
        "local.allowed_hosts (entry 2): is not a host like app.example or app.example:3000 (in portico.toml, line 4)",
    ),
    (
        "[local]\nallowed_hosts = [\"a.example\", 3]",
        "local.allowed_hosts (entry 2): must be text in quotes, but is a number (in portico.toml, line 2)",
    ),
    (
        "[service]\nnip05_names = [\"_\", \"a@b\"]",
        "service.nip05_names (entry 2): \"a@b\" is not a NIP-05 name: use a-z, 0-9, -, _ and . (in portico.toml, line 2)",
    ),
    (
        "[webhook]\nurl = \"https://a.example\"\nsecret = \"short\"",
        "webhook.secret: must be at least 16 bytes long (in portico.toml, line 3)",
    ),
    (
        "[webhook]\nurl = \"https://a.example\"",
        "webhook.secret: is missing: set secret or secret_file (in portico.toml, line 1)",
    ),
    (
        "[history]\nkeep = \"59m\"",
        "history.keep: must be at least 1h, or 0s to keep everything (in portico.toml, line 2)",
    ),
    ("[auth]\nmax_open = 0", "auth.max_open: must be from 1 to 1000000000 (in portico.toml, line 2)"),
    (
        "[auth]\nmax_open = -1",
        "auth.max_open: must be a whole number from 1 to 1000000000, without quotes, but is -1 (in portico.toml, line 2)",
    ),
    (
        "[auth]\nmax_open = \"5\"",
        "auth.max_open: must be a whole number from 1 to 1000000000, without quotes, but is text (in portico.toml, line 2)",
    ),
    (
        "[auth]\nchallenge_ttl = \"soon\"",
        "auth.challenge_ttl: must be a duration in quotes, like \"90s\", \"5m\" or \"30days\", but is \"soon\" (in portico.toml, line 2)",
    ),
    (
        "[auth]\nchallenge_ttl = \"5M\"",
        "auth.challenge_ttl: write minutes as m; months are not supported (in portico.toml, line 2)",
    ),
    (
        "[auth]\nchallenge_ttl = 90",
        "auth.challenge_ttl: must be a duration in quotes, like \"90s\", \"5m\" or \"30days\", but is a number (in portico.toml, line 2)",
    ),
    (
        "[log]\nlevel = \"loud\"",
        "log.level: \"loud\" is neither a log level (off, error, warn, info, debug, trace) nor a filter like \"portico::relay=debug,warn\" (in portico.toml, line 2)",
    ),
    (
        "[log]\nformat = \"xml\"",
        "log.format: must be \"text\" or \"json\", but is \"xml\" (in portico.toml, line 2)",
    ),
    (
        "[sessions]\nchecks = [\"both\"]",
        "sessions.checks: must be \"both\", \"access_token\" or \"credential\", but is a list (in portico.toml, line 2)",
    ),
    (
        "[sessions]\nsign_up = true",
        "sessions.sign_up: must be \"open\" or \"listed\", but is true or false (in portico.toml, line 2)",
    ),
    (
        "[access]\nalgorithm = \"es256\"",
        "access.algorithm: must be \"ES256\", \"EdDSA\" or \"ES256K\", but is \"es256\" (in portico.toml, line 2)",
    ),
    (
        "[local]\nsocket = 3",
        "local.socket: must be text in quotes, but is a number (in portico.toml, line 2)",
    ),
    (
        "[local]\nallow_gids = \"x\"",
        "local.allow_gids: must be a list in square brackets, like [1, 2] or [\"a\", \"b\"], but is text (in portico.toml, line 2)",
    ),
    (
        "[local]\nallow_uids = [0, true]",
        "local.allow_uids (entry 2): must be a number, or a name in quotes (in portico.toml, line 2)",
    ),
    (
        "[local]\nallow_uids = [0, \"no-such-user\"]",
        "local.allow_uids (entry 2): unknown user \"no-such-user\": this machine has no such user (in portico.toml, line 2)",
    ),
    (
        "[tls]\nca_file = \"/none.pem\"",
        "tls.ca_file: cannot read /none.pem: the file does not exist (in portico.toml, line 2)",
    ),
];

#[test]
fn a_bad_value_is_told_with_its_key_what_is_allowed_and_its_line() {
    for (toml, error) in BAD_VALUES {
        assert_eq!(told(toml), *error, "{toml:?}");
    }
}

#[test]
fn a_row_is_told_by_its_place_from_1_and_its_line() {
    for (rows, error) in [
        (
            "[local.allow]\nuid = 1",
            "local.allow: must be a list: write [[local.allow]], with two brackets, for each entry (in portico.toml, line 1)",
        ),
        (
            "[[local.allow]]\nuid = 0\nmay = [\"check\"]\n[[local.allow]]\ngid = 0",
            "local.allow.may (entry 2): is missing (in portico.toml, line 4)",
        ),
        (
            "[[local.allow]]\nuid = 0\ngid = 0\nmay = [\"all\"]",
            "local.allow.gid (entry 1): set exactly one of uid and gid: write a row for each (in portico.toml, line 3)",
        ),
        (
            "[[local.allow]]\nmay = [\"all\"]",
            "local.allow.uid (entry 1): set exactly one of uid and gid (in portico.toml, line 1)",
        ),
        (
            "[[local.allow]]\nuid = 0\nmay = [\"checks\"]",
            "local.allow.may (entry 1): \"checks\" is not a right: there are check, login, issue, operate and all (in portico.toml, line 3)",
        ),
        (
            "[[local.allow]]\nuid = \"no-such-user\"\nmay = [\"all\"]",
            "local.allow.uid (entry 1): unknown user \"no-such-user\": this machine has no such user (in portico.toml, line 2)",
        ),
        (
            "[[local.allow]]\nuid = 0\nmays = [\"all\"]",
            "local.allow.mays (entry 1): unknown key: did you mean may? (in portico.toml, line 3)",
        ),
        (
            "[local]\nallow = [\n{ uid = 0, may = [\"all\"] },\n3,\n]",
            "local.allow (entry 2): must be a section, but is a number (in portico.toml, line 4)",
        ),
        (
            "[wallets.jwks]\nissuer = \"i\"\naudience = \"a\"\njwks_url = \"https://a.example\"\nalgorithms = [\"ES256\", \"HS256\"]",
            "wallets.jwks.algorithms (entry 2): must be \"RS256\", \"RS384\", \"RS512\", \"PS256\", \"PS384\", \"PS512\", \"ES256\", \"ES384\" or \"EdDSA\", but is \"HS256\" (in portico.toml, line 5)",
        ),
    ] {
        assert_eq!(told(rows), error, "{rows:?}");
    }
}

#[test]
fn a_misspelt_name_is_answered_with_the_known_one() {
    for (toml, error) in [
        (
            "[wallets.thirdwb]\ndomain = \"x\"",
            "wallets.thirdwb: unknown section: did you mean [wallets.thirdweb]? (in portico.toml, line 1)",
        ),
        ("\"a\\nb\\u001b[31m\" = 1", "ab[31m: unknown key; known keys: data_dir, relays_file, service,"),
        (
            "[nip98]\npublic_url = \"x\"",
            "nip98: unknown section: did you mean [wallets.nip98]? (in portico.toml, line 1)",
        ),
        (
            "[local]\nmax_prompts_per_user = 3",
            "local.max_prompts_per_user: unknown key: did you mean max_prompts_per_user below [auth]? (in portico.toml, line 2)",
        ),
        (
            "relays_file = \"/nowhere/r.toml\"",
            "relays_file: cannot read /nowhere/r.toml: the file does not exist (in portico.toml, line 1)",
        ),
        (
            "[sesions]\nenabled = true",
            "sesions: unknown section: did you mean [sessions]? (in portico.toml, line 1)",
        ),
        (
            "[Local]\nlisten = \"x\"",
            "Local: unknown section: did you mean [local]? (in portico.toml, line 1)",
        ),
        (
            "[[sessions]]\nenabled = true",
            "sessions: must be a section: write [sessions], with one bracket, and only once (in portico.toml, line 1)",
        ),
        (
            "[auth]\nchalenge_ttl = \"1m\"",
            "auth.chalenge_ttl: unknown key: did you mean challenge_ttl? (in portico.toml, line 2)",
        ),
        (
            "[log]\nnonsense = 1",
            "log.nonsense: unknown key; known keys: level, format (in portico.toml, line 2)",
        ),
        (
            "[wallets.jwks]\nisuer = \"i\"\naudience = \"a\"\njwks_url = \"https://a.example\"",
            "wallets.jwks.isuer: unknown key: did you mean issuer? (in portico.toml, line 2)",
        ),
    ] {
        let told = told(toml);
        assert!(told == error || error.ends_with(',') && told.starts_with(error), "{toml:?}: {told:?}");
    }
    for toml in [
        "relays = [\"wss://a.example\"]",
        "relays = \"wss://a.example\"",
        "[[relays]]\nurl = \"wss://a.example\"",
        "[relays]\nurl = \"wss://a.example\"",
        "[[relay]]\nurl = \"wss://a.example\"",
        "[relay]\nurl = \"wss://a.example\"",
    ] {
        assert!(told(toml).contains(": the list of relays has its own file, relays.toml"), "{toml:?}");
    }
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_file() {
    let toml = "[auth]\n\
        max_open = 0\n\
        challenge_ttl = 5m\n\
        max_event_age = \"soon\"\n\
        [sessions]\n\
        enabled = yes\n\
        checks = \"none\"\n\
        [webhook]\n\
        url = \"ftp://a.example\"\n\
        scret = \"0123456789abcdef\"\n\
        [wallets.jwks]\n\
        issuer = \"\"\n\
        max_stale = 1\n\
        audience = \"a\"\n\
        jwks_url = \"https://a.example\"\n\
        [local]\n\
        allow_uids = [\"no-such-user\", 0, \"nor-this-one\"]\n\
        socket_mode = 660\n\
        [log]\n\
        level = \"loud\"\n\
        level = \"info\"\n";
    let told = told(toml);
    let lines: Vec<_> = told.lines().collect();
    let expected = [
        "the configuration has 14 mistakes:",
        "  auth.max_open: must be from 1 to 1000000000 (in portico.toml, line 2)",
        "  challenge_ttl: write a duration in quotes: \"5m\" (in portico.toml, line 3)",
        "  auth.max_event_age: must be a duration in quotes, like \"90s\", \"5m\" or \"30days\", but is \"soon\" (in portico.toml, line 4)",
        "  enabled: yes must be written true, without quotes (in portico.toml, line 6)",
        "  sessions.checks: must be \"both\", \"access_token\" or \"credential\", but is \"none\" (in portico.toml, line 7)",
        "  webhook.url: must begin with https:// or http:// (in portico.toml, line 9)",
        "  webhook.scret: unknown key: did you mean secret? (in portico.toml, line 10)",
        "  wallets.jwks.issuer: must not be empty (in portico.toml, line 12)",
        "  wallets.jwks.max_stale: must be a duration in quotes, like \"90s\", \"5m\" or \"30days\", but is a number (in portico.toml, line 13)",
        "  local.allow_uids (entry 1): unknown user \"no-such-user\": this machine has no such user (in portico.toml, line 17)",
        "  local.allow_uids (entry 3): unknown user \"nor-this-one\": this machine has no such user (in portico.toml, line 17)",
        "  local.socket_mode: must be octal digits in quotes, like \"0660\", but is a number (in portico.toml, line 18)",
        "  log.level: \"loud\" is neither a log level (off, error, warn, info, debug, trace) nor a filter like \"portico::relay=debug,warn\" (in portico.toml, line 20)",
        "  line 20 already sets level: remove one of them (in portico.toml, line 21)",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn every_key_that_must_be_there_is_named_when_it_is_missing() {
    let error = told("[wallets.jwks]\n[wallets.para_session]\n[wallets.nip98]\n");
    for key in ["jwks.issuer", "jwks.audience", "jwks.jwks_url"] {
        assert!(error.contains(&format!("  wallets.{key}: is missing (in portico.toml, line 1)")), "{error}");
    }
    for key in ["para_session.api_key_file", "para_session.partner_id"] {
        assert!(error.contains(&format!("  wallets.{key}: is missing (in portico.toml, line 2)")), "{error}");
    }
    assert!(error.ends_with("  wallets.nip98.public_url: is missing (in portico.toml, line 3)"), "{error}");
}

#[test]
fn a_line_that_leaves_the_sections_open_is_told_with_the_others_like_it() {
    let error = told("[auth\nmax_open = 0\nenabled\n[log]\nlevel = \"loud\"\n");
    assert_eq!(
        error,
        "the configuration has 2 mistakes:\n  \
         write a section as [name] (in portico.toml, line 1)\n  \
         expected key = value, or a [section] (in portico.toml, line 3)"
    );
}

#[test]
fn mistakes_in_both_files_are_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("portico.toml"), "relays_file = \"r.toml\"\n[auth]\nmax_open = 0\n").unwrap();
    std::fs::write(at("r.toml"), "[[relay]]\nurl = \"http://x\"\n").unwrap();
    let overrides = Overrides { config: Some(at("portico.toml")), ..Overrides::default() };
    let error = load(&overrides).unwrap_err().to_string();
    let (own, relays) = (error.find("auth.max_open").unwrap(), error.find("r.toml, line 2").unwrap());
    assert!(own < relays && error.starts_with("the configuration has 2 mistakes"), "{error}");
}
