//! The configuration as operators write it, and what they read if it is wrong.

mod mistakes;

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::config::ApiToken;

fn loaded(toml: &str, overrides: Overrides) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portico.toml");
    files::create_secret(&file, toml).unwrap();
    let data_dir = overrides.data_dir.clone().or_else(|| Some(folder.path().to_owned()));
    let key_file = overrides.key_file.clone().or_else(|| Some(folder.path().join("key")));
    load(&Overrides { config: Some(file), data_dir, key_file, ..overrides })
        .map_err(|error| error.to_string())
}

#[test]
fn an_empty_file_gives_the_documented_defaults() {
    let config = loaded("", Overrides::default()).unwrap();
    assert_eq!(config.auth.challenge_ttl.as_secs(), 300);
    assert_eq!(config.local.socket_mode, 0o600);
    assert!(config.local.listen.is_none());
    assert!(matches!(config.local.token, ApiToken::Generated(_)));
}

#[test]
fn a_flag_goes_before_the_file() {
    let flags = Overrides { listen: Some("127.0.0.1:1".into()), ..Overrides::default() };
    let config = loaded("[local]\nlisten = \"127.0.0.1:2\"\n", flags).unwrap();
    assert_eq!(config.local.listen.unwrap().port(), 1);
}

#[test]
fn a_relative_path_starts_from_the_folder_of_the_file_that_names_it() {
    let toml = "relays_file = \"my-relays.toml\"\n[service]\nsubkey_proof_file = \"../proof.json\"\n\
                [local]\nsocket = \"run/socket\"\ntoken_file = \"/etc/token\"\n\
                [webhook]\nurl = \"https://a.example\"\nsecret_file = \"hook\"\n";
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("portico.toml"), toml).unwrap();
    std::fs::write(at("my-relays.toml"), "").unwrap();
    let overrides = Overrides {
        config: Some(at("portico.toml")),
        data_dir: Some("data".into()),
        key_file: Some("key".into()),
        ..Overrides::default()
    };
    let config = load(&overrides).unwrap();
    assert_eq!(config.relay_source, relays::RelaySource::File(at("my-relays.toml")));
    assert_eq!(config.service.subkey_proof_file, Some(at("../proof.json")));
    assert_eq!(config.local.socket, at("run/socket"));
    assert_eq!(config.local.token.to_string(), "/etc/token");
    assert_eq!(config.webhook.unwrap().secret.to_string(), at("hook").display().to_string());
    // A flag is typed where one stands.
    assert_eq!((config.data_dir, config.service.key_file), ("data".into(), "key".into()));
}

#[test]
fn a_relative_path_starts_from_a_folder_whose_name_is_not_utf_8() {
    use std::os::unix::ffi::OsStrExt;

    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join(std::ffi::OsStr::from_bytes(b"c\xff"));
    std::fs::create_dir(&place).unwrap();
    let toml = "data_dir = \"d\"\nrelays_file = \"r\"\n[service]\nkey_file = \"k\"\n\
                [wallets.para_session]\npartner_id = \"p\"\napi_key_file = \"../a\"\n";
    std::fs::write(place.join("portico.toml"), toml).unwrap();
    std::fs::write(place.join("r"), "").unwrap();
    let overrides = Overrides { config: Some(place.join("portico.toml")), ..Overrides::default() };
    let config = load(&overrides).unwrap();
    assert_eq!(config.relay_source, relays::RelaySource::File(place.join("r")));
    assert_eq!((config.data_dir, config.service.key_file), (place.join("d"), place.join("k")));
    assert_eq!(config.wallets.para_session.unwrap().api_key_file, place.join("../a"));
}

/// The same with an empty path in the place of the one below `~`.
fn without_path(toml: &str) -> String {
    let (front, rest) = toml.split_once("\"~").unwrap();
    let (_, back) = rest.split_once('"').unwrap();
    format!("{front}\"\"{back}")
}

#[test]
fn a_path_that_is_empty_or_only_a_shell_understands_is_refused_wherever_it_stands() {
    let told = "begins with ~, which only a shell expands";
    for (toml, key) in [
        ("data_dir = \"~/portico\"", "data_dir"),
        ("relays_file = \"~/relays.toml\"", "relays_file"),
        ("[service]\nkey_file = \"~/service.key\"", "service.key_file"),
        ("[local]\nsocket = \"~/portico.sock\"", "local.socket"),
        ("[local]\ntoken_file = \"~\"", "local.token_file"),
        ("[tls]\nca_file = \"~/ca.pem\"", "tls.ca_file"),
        ("[webhook]\nurl = \"https://a.example\"\nsecret_file = \"~/secret\"", "webhook.secret_file"),
        (
            "[wallets.thirdweb]\ndomain = \"a.example\"\nadmin_key_file = \"~/key\"",
            "wallets.thirdweb.admin_key_file",
        ),
    ] {
        for (toml, told) in [(toml.to_owned(), told), (without_path(toml), "is empty: write a path")] {
            let error = loaded(&toml, Overrides::default()).unwrap_err();
            assert!(error.starts_with(&format!("{key}: {told}")), "{error}");
            assert!(error.contains("portico.toml, line "), "{error}");
        }
    }
    let typed = Overrides { data_dir: Some("~/portico".into()), ..Overrides::default() };
    let error = loaded("", typed).unwrap_err();
    assert!(error.starts_with(&format!("--data-dir or PORTICO_DATA_DIR: {told}")), "{error}");
    let named_so = "[local]\nsocket = \"run/~/socket\"\n[profile]\nname = \"~/shop\"\n";
    assert!(loaded(named_so, Overrides::default()).is_ok());
}

#[test]
fn what_would_last_no_time_at_all_is_refused() {
    for key in [
        "local.request_timeout",
        "auth.handshake_ttl",
        "auth.challenge_ttl",
        "auth.prompt_window",
        "auth.max_event_age",
        "tokens.max_wallet_lifetime",
        "tokens.max_issued_lifetime",
        "lookup.timeout",
    ] {
        let error = loaded(&format!("{key} = \"0s\""), Overrides::default()).unwrap_err();
        assert!(error.contains(&format!("{key}: must be from 1")), "{error}");
    }
    assert!(loaded("tokens.leeway = \"0s\"", Overrides::default()).is_ok());
}

#[test]
fn a_bad_value_that_a_flag_gives_is_not_blamed_on_the_file() {
    let flags = Overrides { listen: Some("x".into()), ..Overrides::default() };
    let error = loaded("[local]\nlisten = \"127.0.0.1:2\"\n", flags).unwrap_err();
    assert!(error.ends_with("(in --listen or PORTICO_LISTEN)"), "{error}");
}

#[test]
fn a_secret_in_a_file_that_others_can_read_is_refused_like_a_key_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portico.toml");
    let with_mode = |toml: &str, mode: u32| {
        std::fs::write(&file, toml).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let at = |name: &str| Some(folder.path().join(name));
        let overrides = Overrides {
            config: at("portico.toml"),
            data_dir: at("data"),
            key_file: at("key"),
            ..Overrides::default()
        };
        load(&overrides).map_err(|error| error.to_string())
    };
    for (key, toml) in [
        ("local.token", "[local]\ntoken = \"hunter2hunter2hunter2\"\n"),
        ("webhook.secret", "[webhook]\nurl = \"https://a.example\"\nsecret = \"hunter2hunter2hunter2\"\n"),
    ] {
        let error = with_mode(toml, 0o644).unwrap_err();
        assert!(
            error.contains(key) && error.contains("others can read it (mode 0644): run chmod 600"),
            "{error}"
        );
        assert!(with_mode(toml, 0o600).is_ok());
    }
    assert!(with_mode("[local]\n# token = \"hunter2\"\n", 0o644).is_ok(), "no secret in it");
}

#[test]
fn a_secret_beside_a_mistake_is_not_repeated_in_the_error() {
    for toml in ["token = \"hunter2", "token = 1234567890123456", "token = 12345678901234567890"] {
        let error = loaded(&format!("[local]\n{toml}\n"), Overrides::default()).unwrap_err();
        assert!(!error.contains("hunter2") && !error.contains("123456"), "{error}");
        assert!(error.contains("line 2") || error.contains("local.token"), "{error}");
    }
}

#[test]
fn another_machine_is_let_in_only_when_the_operator_says_so() {
    let toml = "[local]\nlisten = \"0.0.0.0:3000\"\nallow_remote = true\n";
    assert!(loaded(toml, Overrides::default()).is_ok());
}

#[test]
fn debug_output_never_shows_the_api_token() {
    let config = loaded("[local]\ntoken = \"hunter2hunter2\"\n", Overrides::default()).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}
