//! Where the database is: a `postgres://` URL, and what Portico adds to it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// How long one address may take to connect. Several may have to be tried.
const CONNECT: Duration = Duration::from_secs(3);

/// After this time without traffic, the system asks whether the server is still there.
const IDLE: Duration = Duration::from_secs(30);

/// How long the system waits for a server that acknowledges nothing.
const UNHEARD: Duration = Duration::from_secs(10);

/// The URL of a database: `postgres://user@host:5432,other/database`. A host that is a path, written `%2Frun%2Fpostgresql`
/// or `?host=/run/postgresql`, is the folder of a Unix socket. Over TCP, Portico requires TLS with a valid certificate
/// unless the URL says `sslmode=disable`.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    config: Config,
}

/// Why a URL of a database cannot be used. The text does not repeat the URL, which may contain a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidPostgresUrl(String);

impl PostgresUrl {
    /// The same with this password.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.config.password(password);
        self
    }

    /// Whether it contains a password.
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    /// What tokio-postgres needs to connect.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Whether connections use TLS.
    pub(super) fn needs_tls(&self) -> bool {
        self.config.get_ssl_mode() != SslMode::Disable
    }

    /// How many addresses may have to be tried, at the least.
    pub(super) fn hosts(&self) -> u32 {
        self.config.get_hosts().len() as u32
    }

    fn port(&self, host: usize) -> u16 {
        let ports = self.config.get_ports();
        ports.get(host).or(ports.first()).copied().unwrap_or(5432)
    }
}

impl FromStr for PostgresUrl {
    type Err = InvalidPostgresUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
            return Err(invalid("it must begin with postgres://"));
        }
        if text.split_once('?').is_some_and(|(_, parameters)| parameters.contains('@')) {
            // Without this, the end of a password would be read as the name of a parameter, and shown.
            return Err(invalid("write ? in a user or a password as %3F, and @ in a parameter as %40"));
        }
        let (text, mode) = without_ssl_mode(text);
        let mut config: Config = text.parse().map_err(|error| invalid(&reason(&error)))?;
        config.ssl_mode(ssl_mode(&config, mode.as_deref())?);
        if config.get_dbname().is_none_or(str::is_empty) {
            return Err(invalid("it names no database: postgres://user@host/database"));
        }
        // A standby answers reads with what may no longer be true.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_application_name().is_none() {
            config.application_name("portico");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(UNHEARD);
        }
        if config.get_keepalives_interval().is_none() {
            config.keepalives_idle(IDLE).keepalives_interval(UNHEARD / 3).keepalives_retries(3);
        }
        Ok(Self { config })
    }
}

/// The URL without its `sslmode`, and its `sslmode`: tokio-postgres does not know all of libpq's.
fn without_ssl_mode(text: &str) -> (String, Option<String>) {
    let after_user = text.find('@').unwrap_or(0);
    let Some(query) = text[after_user..].find('?').map(|at| after_user + at) else {
        return (text.to_owned(), None);
    };
    let (base, parameters) = (&text[..query], &text[query + 1..]);
    let (modes, others): (Vec<&str>, Vec<&str>) =
        parameters.split('&').partition(|parameter| parameter.starts_with("sslmode="));
    let mode = modes.last().and_then(|mode| mode.strip_prefix("sslmode=")).map(str::to_owned);
    let others = others.join("&");
    (if others.is_empty() { base.to_owned() } else { format!("{base}?{others}") }, mode)
}

/// TLS is all or nothing: a mode that falls back to plain text protects from nobody who can alter the traffic.
fn ssl_mode(config: &Config, written: Option<&str>) -> Result<SslMode, InvalidPostgresUrl> {
    let mut unix = config.get_hosts().iter().map(|host| matches!(host, Host::Unix(_)));
    if config.get_hosts().is_empty() {
        return Err(invalid("it names no host: postgres://user@host/database"));
    }
    if unix.clone().all(|unix| unix) {
        return Ok(SslMode::Disable);
    }
    match written {
        Some("disable") => Ok(SslMode::Disable),
        _ if unix.any(|unix| unix) => {
            Err(invalid("with hosts on TCP and Unix sockets together, it must say sslmode=disable"))
        }
        None | Some("require" | "verify-full") => Ok(SslMode::Require),
        Some(_) => Err(invalid("sslmode must be verify-full (the default) or disable")),
    }
}

fn invalid(reason: &str) -> InvalidPostgresUrl {
    InvalidPostgresUrl(format!("invalid PostgreSQL URL: {reason}"))
}

/// What tokio-postgres says: the name of a parameter at most.
fn reason(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// Hosts and database, without user, password and parameters.
impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        for (at, host) in self.config.get_hosts().iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            match host {
                Host::Tcp(name) => write!(f, "{comma}{name}:{}", self.port(at))?,
                Host::Unix(folder) => write!(f, "{comma}{}:{}", crate::shown::path(folder), self.port(at))?,
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> PostgresUrl {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn refused(text: &str) -> String {
        let error = text.parse::<PostgresUrl>().expect_err(text).to_string();
        assert!(!error.contains("secret"), "{error}");
        error
    }

    #[test]
    fn tcp_needs_tls_unless_the_url_says_otherwise_and_a_unix_socket_has_none() {
        for (text, tls) in [
            ("postgres://portico:secret@db.example/portico", true),
            ("postgresql://db.example:5433,other.example/portico?sslmode=verify-full", true),
            ("postgres://db.example/portico?sslmode=require&application_name=a", true),
            ("postgres://db.example/portico?application_name=a&sslmode=disable", false),
            ("postgres://portico@%2Frun%2Fpostgresql/portico", false),
            ("postgres:///portico?host=/run/postgresql", false),
            ("postgres://db.example,%2Frun%2Fpostgresql/portico?sslmode=disable", false),
        ] {
            assert_eq!(parsed(text).needs_tls(), tls, "{text}");
        }
    }

    #[test]
    fn every_connection_goes_to_a_server_that_can_be_written_and_none_waits_for_ever() {
        let url = parsed("postgres://a,b:5433,c/portico?target_session_attrs=any");
        assert_eq!(url.config().get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        assert!(
            url.config().get_connect_timeout().is_some() && url.config().get_tcp_user_timeout().is_some()
        );
        assert_eq!(url.hosts(), 3);
        assert_eq!(url.config().get_application_name(), Some("portico"));
    }

    #[test]
    fn a_bad_url_is_told_without_its_password() {
        for (text, word) in [
            ("mysql://user:secret@host/portico", "postgres://"),
            ("host=a password=secret dbname=portico", "postgres://"),
            ("postgres://user:secret@host", "names no database"),
            ("postgres://user:secret@/portico", "names no host"),
            ("postgres://user:secret@host:x/portico", "port"),
            ("postgres://user:secret@host/portico?sslmode=prefer", "verify-full"),
            ("postgres://user:secret@host/portico?shape=round", "shape"),
            ("postgres://user:secret@host,%2Frun/portico", "sslmode=disable"),
            ("postgres://user:a?secret=b@host/portico", "%3F"),
        ] {
            let error = refused(text);
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn it_is_shown_without_user_and_password() {
        let url =
            parsed("postgres://user:secret@a,b:5433/portico?application_name=x").with_password("secret too");
        assert_eq!(url.to_string(), "postgres://a:5432,b:5433/portico");
        assert!(!format!("{url:?}").contains("secret"));
        assert_eq!(url.config().get_password(), Some(&b"secret too"[..]));
    }
}
