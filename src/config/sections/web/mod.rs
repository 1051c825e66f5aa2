//! `[web]`: the sign-in page, and the web apps that send people there.

mod app;
mod looks;
mod subnet;

use std::net::SocketAddr;

use figment::value::magic::RelativePathBuf;
use serde::Deserialize;
use url::Url;

use crate::config::bounds::{MANY, Number, PLACES};
use crate::config::mistakes::InSection;
use crate::config::sections::written::one_or_more;
use crate::config::{AuthLimits, SessionRules};
use app::{RawWebApp, check_apps};
use looks::{check_accent, check_logo, check_name};

pub use app::WebApp;
pub use looks::{Accent, Logo};
pub use subnet::{NotASubnet, Subnet};

/// The section as it is written.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawWeb {
    pub(in crate::config) listen: Option<String>,
    pub(in crate::config) public_url: Option<String>,
    #[serde(deserialize_with = "one_or_more")]
    pub(in crate::config) proxies: Vec<String>,
    pub(in crate::config) name: Option<String>,
    pub(in crate::config) logo_file: Option<RelativePathBuf>,
    pub(in crate::config) accent: String,
    pub(in crate::config) wallet_url: Option<String>,
    pub(in crate::config) app: Vec<RawWebApp>,
    pub(in crate::config) max_connections: usize,
    pub(in crate::config) max_open: usize,
    pub(in crate::config) max_open_per_app: usize,
    pub(in crate::config) max_open_per_address: usize,
    pub(in crate::config) max_open_per_browser: usize,
}

impl Default for RawWeb {
    fn default() -> Self {
        Self {
            listen: None,
            public_url: None,
            proxies: Vec::new(),
            name: None,
            logo_file: None,
            accent: "#1a56db".into(),
            wallet_url: None,
            app: Vec::new(),
            max_connections: 4_096,
            max_open: 10_000,
            max_open_per_app: 10_000,
            max_open_per_address: 100,
            max_open_per_browser: 10,
        }
    }
}

/// `[web]`: the sign-in page.
#[derive(Debug, Clone)]
pub struct SignInPages {
    /// Address of its own TCP socket.
    pub listen: SocketAddr,
    /// The origin under which browsers reach it, through a proxy that adds TLS.
    pub public_url: PublicOrigin,
    /// The proxies that report the address of a browser in `X-Forwarded-For`.
    pub proxies: Vec<Subnet>,
    /// The name of the service at the top of the page.
    pub name: Option<String>,
    /// The picture at the top of the page.
    pub logo: Option<Logo>,
    /// The colour of buttons, on which white text can be read.
    pub accent: Accent,
    /// Where people without a wallet get one.
    pub wallet_url: Option<Url>,
    /// The web apps.
    pub apps: Vec<WebApp>,
    /// Connections at once. Default 4,096.
    pub max_connections: usize,
    /// Codes that can be scanned at once. Default 10,000.
    pub max_open: usize,
    /// … for one app. Default 10,000.
    pub max_open_per_app: usize,
    /// … of one IP address. Default 100.
    pub max_open_per_address: usize,
    /// … of one browser. Default 10.
    pub max_open_per_browser: usize,
}

/// The scheme, host and port that browsers use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicOrigin {
    origin: String,
    host: String,
}

impl PublicOrigin {
    /// As in the `Origin` header.
    pub fn as_str(&self) -> &str {
        &self.origin
    }

    /// As in the `Host` header.
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl RawWeb {
    pub(in crate::config) fn numbers(&self) -> Vec<Number> {
        vec![
            Number::count("max_connections", self.max_connections, 1..=PLACES),
            Number::count("max_open", self.max_open, 1..=MANY),
            Number::count("max_open_per_app", self.max_open_per_app, 1..=MANY),
            Number::count("max_open_per_address", self.max_open_per_address, 1..=MANY),
            Number::count("max_open_per_browser", self.max_open_per_browser, 1..=MANY),
        ]
    }

    /// Checks the section; `None`: the page is off, or there is a mistake.
    pub(in crate::config) fn check(
        self,
        sessions: &SessionRules,
        auth: &AuthLimits,
        wrong: &mut InSection<'_>,
    ) -> Option<SignInPages> {
        let listen = self.listen?;
        let listen = wrong.keep("listen", check_listen(&listen, !self.proxies.is_empty()));
        let proxies = wrong.keep_each("proxies", &self.proxies, |proxy| {
            proxy.parse().map_err(|error: NotASubnet| format!("is {error}"))
        });
        if self.public_url.is_none() {
            wrong.add_missing("public_url", "the address that browsers see, like https://login.example");
        }
        let public_url = self.public_url.and_then(|url| wrong.keep("public_url", check_public_url(&url)));
        if self.max_open > auth.max_open / 2 {
            let reason = format!(
                "must be at most half of auth.max_open ({}), so that visitors of the page cannot take all of it",
                auth.max_open
            );
            wrong.add("max_open", reason);
        }
        if let Some(name) = &self.name {
            wrong.keep("name", check_name(name));
        }
        let logo = self.logo_file.map(|path| wrong.keep("logo_file", check_logo(&path.relative())));
        let accent = wrong.keep("accent", check_accent(&self.accent));
        let wallet_url = self.wallet_url.map(|url| wrong.keep("wallet_url", check_wallet_url(&url)));
        let apps = check_apps(self.app, sessions, wrong);
        Some(SignInPages {
            listen: listen?,
            public_url: public_url?,
            proxies,
            name: self.name,
            logo: logo.flatten(),
            accent: accent?,
            wallet_url: wallet_url.flatten(),
            apps,
            max_connections: self.max_connections,
            max_open: self.max_open,
            max_open_per_app: self.max_open_per_app,
            max_open_per_address: self.max_open_per_address,
            max_open_per_browser: self.max_open_per_browser,
        })
    }
}

/// Only a proxy adds TLS, so nobody else may reach the socket.
fn check_listen(text: &str, has_proxies: bool) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| {
        format!("{text:?} is not IP-ADDRESS:PORT, like 127.0.0.1:8480 (Portico does not look up names)")
    })?;
    if address.ip().is_loopback() || has_proxies {
        return Ok(address);
    }
    Err(format!("other machines can reach {address}: list the proxy that adds TLS in web.proxies"))
}

fn check_public_url(text: &str) -> Result<PublicOrigin, &'static str> {
    let url = Url::parse(text).map_err(|_| "must be an address like https://login.example")?;
    let origin = url.origin().ascii_serialization();
    if origin != text.strip_suffix('/').unwrap_or(text) {
        return Err("must be an address like https://login.example, without a path and in lower case");
    }
    if !is_safe(&url) {
        return Err(
            "must begin with https: browsers keep the page's cookie only there (http only for localhost)",
        );
    }
    let host = origin.split_once("://").map_or("", |(_, host)| host).to_owned();
    Ok(PublicOrigin { origin, host })
}

/// Whether nobody on the way can read it: over TLS, or on this machine.
fn is_safe(url: &Url) -> bool {
    let is_here = || match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || url.scheme() == "http" && is_here()
}

fn check_wallet_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).ok().filter(|url| url.scheme() == "https" && url.has_host());
    url.ok_or("must be a URL like https://wallet.example/get")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_address_is_an_origin_over_tls() {
        let host = |url: &str| check_public_url(url).map(|origin| origin.host().to_owned());
        assert_eq!(host("https://login.example").unwrap(), "login.example");
        assert_eq!(host("https://login.example:8443/").unwrap(), "login.example:8443");
        assert_eq!(host("http://localhost:3000").unwrap(), "localhost:3000");
        for wrong in
            ["http://login.example", "https://login.example/x", "login.example", "https://u:p@x.example", ""]
        {
            assert!(host(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn other_machines_reach_the_page_only_through_a_listed_proxy() {
        assert!(check_listen("127.0.0.1:0", false).is_ok());
        assert!(check_listen("0.0.0.0:8480", true).is_ok());
        assert!(check_listen("0.0.0.0:8480", false).unwrap_err().contains("web.proxies"));
        assert!(check_listen("localhost:1", true).is_err());
    }
}
