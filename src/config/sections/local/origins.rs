//! Checks the allowed `Host` and `Origin` headers: an entry that no browser can send would allow nobody.

use url::Url;

use crate::shown;

/// Checks an entry of `local.allowed_origins`.
pub(super) fn check_origin(origin: &str) -> Result<(), String> {
    if is_origin(origin) { Ok(()) } else { Err(no_origin(origin)) }
}

/// Checks an entry of `local.allowed_hosts`: `name` or `name:port`.
pub(super) fn check_host(host: &str) -> Result<(), &'static str> {
    let is_host =
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#@,\\".contains(&byte));
    // The error does not repeat it: people write whole URLs here, which may contain a secret.
    if is_host { Ok(()) } else { Err("is not a host like app.example or app.example:3000") }
}

/// The serialized origin (WHATWG HTML, "Origin"): scheme, host, and a port other than the scheme's default.
/// Not `null`: any page can send it from a sandboxed frame.
fn is_origin(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    if matches!(url.scheme(), "http" | "https") {
        return url.origin().ascii_serialization() == text;
    }
    // Apps and extensions have schemes of their own, like tauri://localhost.
    let plain = |c: char| c.is_ascii_graphic() && !c.is_ascii_uppercase() && !"/?#@\\".contains(c);
    text.split_once("://")
        .is_some_and(|(scheme, host)| scheme == url.scheme() && !host.is_empty() && host.chars().all(plain))
}

fn no_origin(text: &str) -> String {
    let is_web = |url: &Url| matches!(url.scheme(), "http" | "https");
    let origin = Url::parse(text).ok().filter(is_web).map(|url| url.origin().ascii_serialization());
    // Shown only if the host is certain: a rejected entry may contain a secret.
    match origin.filter(|origin| shown::refused(text).contains(origin.as_str())) {
        Some(origin) => {
            format!("is not an origin that browsers send: write {origin:?}, without a path and in lower case")
        }
        None => "is not an origin like https://app.example".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(text: &str) -> Result<(), String> {
        check_origin(text)
    }

    #[test]
    fn an_origin_is_taken_as_browsers_send_it_and_not_otherwise() {
        for origin in [
            "https://app.example",
            "https://app.example:8443",
            "http://localhost:5173",
            "http://[::1]:5173",
            "https://xn--bcher-kva.example",
            "tauri://localhost",
            "chrome-extension://abcdefghijklmnop",
        ] {
            assert_eq!(origins(origin), Ok(()), "{origin}");
        }
        for (wrong, right) in [
            ("https://App.example", "https://app.example"),
            ("HTTPS://app.example", "https://app.example"),
            ("https://app.example/", "https://app.example"),
            ("https://app.example/login?x#y", "https://app.example"),
            ("https://app.example:443", "https://app.example"),
            ("http://app.example:80", "http://app.example"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            (" https://app.example", "https://app.example"),
        ] {
            assert!(origins(wrong).unwrap_err().contains(&format!("write {right:?}")), "{wrong}");
        }
        for wrong in
            ["", "*", "app.example", "//app.example", "null", "NULL", "https://", "tauri://localhost/", "x"]
        {
            assert!(origins(wrong).unwrap_err().contains("is not an origin"), "{wrong}");
        }
    }

    #[test]
    fn a_secret_in_an_origin_is_not_repeated() {
        for wrong in [
            "https://user:hunter2@app.example",
            "tauri://user:hunter2@x",
            "user:hunter2@x",
            "https://[hunter2",
            "https://app.example:99999/hunter2",
            "https://hunter2/x@app.example",
            "hunter2",
        ] {
            assert!(!origins(wrong).unwrap_err().contains("hunter2"), "{wrong}");
        }
    }

    #[test]
    fn a_host_has_no_scheme_and_no_path() {
        for host in ["app.example", "app.example:3000", "Gate", "[fd00::1]:80", "fd00::1", "sdk-daemon:3000"]
        {
            assert_eq!(check_host(host), Ok(()), "{host}");
        }
        for host in ["", "https://app.example", "app.example/", "a b", "user@app.example", "bücher.example"]
        {
            assert!(check_host(host).is_err(), "{host}");
        }
        assert!(!check_host("https://u:hunter2@app.example").unwrap_err().contains("hunter2"));
    }
}
