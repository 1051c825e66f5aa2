//! `[store]`: the database, if it is not a file in the data folder.

use std::path::PathBuf;

use figment::value::magic::RelativePathBuf;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::config::files::{self, FileError, show_path};
use crate::config::mistakes::InSection;
use crate::store::postgres::PostgresUrl;

/// `[store]`: where the state is kept.
#[derive(Debug, Clone)]
pub enum StorePlace {
    /// An SQLite file in the data folder.
    Folder,
    /// A PostgreSQL database.
    Postgres(Box<Database>),
}

/// A PostgreSQL database, and where its password is.
#[derive(Debug, Clone)]
pub struct Database {
    url: PostgresUrl,
    password_file: Option<PathBuf>,
}

/// The reason why the password of the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StorePasswordError {
    /// The file cannot be read or trusted.
    #[error("cannot use the password of the database in {}: {error}", show_path(path))]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        error: FileError,
    },
    /// The file does not exist, or is empty.
    #[error("the file with the password of the database, {}, does not exist or is empty", show_path(.0))]
    Missing(PathBuf),
}

impl Database {
    /// The URL, with the password from its file.
    ///
    /// # Errors
    /// [`StorePasswordError`].
    pub fn load(&self) -> Result<PostgresUrl, StorePasswordError> {
        let Some(path) = &self.password_file else { return Ok(self.url.clone()) };
        match files::read_secret(path) {
            Ok(Some(password)) if !password.is_empty() => Ok(self.url.clone().with_password(&password)),
            Ok(_) => Err(StorePasswordError::Missing(path.clone())),
            Err(error) => Err(StorePasswordError::File { path: path.clone(), error }),
        }
    }

    /// The URL. It is shown without its user and password.
    pub fn url(&self) -> &PostgresUrl {
        &self.url
    }

    /// Where the password is, for people.
    pub fn password_source(&self) -> String {
        match &self.password_file {
            Some(path) => show_path(path),
            None if self.url.has_password() => "in the URL".into(),
            None => "none".into(),
        }
    }
}

/// Whether a text that should be the URL of a database may contain a password.
pub(in crate::config) fn may_contain_password(url: &str) -> bool {
    let user = url.rsplit_once('@').map_or("", |(user, _)| user);
    let user = user.split_once("://").map_or(user, |(_, user)| user);
    let is_in_query = url.split_once('?').is_some_and(|(_, query)| query.contains("pass"));
    user.contains(':') || is_in_query || url.parse().is_ok_and(|url: PostgresUrl| url.has_password())
}

/// The section as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawStore {
    url: Option<SecretString>,
    pub(in crate::config) password_file: Option<RelativePathBuf>,
}

impl RawStore {
    /// Checks the section; `None`: there is a mistake.
    pub(in crate::config) fn check(self, wrong: &mut InSection<'_>) -> Option<StorePlace> {
        let password_file = self.password_file.map(|path| path.relative());
        let Some(url) = self.url else {
            if password_file.is_some() {
                wrong.add("url", "is missing, but password_file is set");
            }
            return Some(StorePlace::Folder);
        };
        let url = url.expose_secret().parse::<PostgresUrl>().map_err(|error| error.to_string());
        let url = wrong.keep("url", url)?;
        if url.has_password() && password_file.is_some() {
            wrong.add("password_file", "the password is in url already: keep one of them");
        }
        Some(StorePlace::Postgres(Box::new(Database { url, password_file })))
    }
}

#[cfg(test)]
mod tests {
    use figment::Figment;
    use figment::providers::Serialized;

    use super::*;
    use crate::config::document;
    use crate::config::mistakes::{Mistake, Mistakes};

    fn checked(toml: &str) -> Result<StorePlace, Vec<Mistake>> {
        let raw: RawStore = Figment::from(Serialized::defaults(document::parse(toml).0)).extract().unwrap();
        let mut wrong = Mistakes::default();
        let checked = raw.check(&mut wrong.section("store"));
        let wrong: Vec<_> = wrong.all(true).into_iter().cloned().collect();
        if wrong.is_empty() { Ok(checked.expect("no mistake")) } else { Err(wrong) }
    }

    fn mistake(toml: &str) -> (String, String) {
        let wrong = checked(toml).expect_err(toml);
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        (wrong[0].key.clone(), wrong[0].reason.clone())
    }

    #[test]
    fn without_a_url_the_store_is_in_the_data_folder() {
        assert!(matches!(checked("").unwrap(), StorePlace::Folder));
        assert_eq!(mistake("password_file = \"/p\"").0, "store.url");
    }

    #[test]
    fn a_bad_url_and_a_second_password_are_named_and_no_password_is_shown() {
        for (toml, key, word) in [
            ("url = \"mysql://u:hunter2@h/d\"", "store.url", "postgres://"),
            ("url = \"postgres://u:hunter2@h:x/d\"", "store.url", "port"),
            ("url = \"postgres://u:hunter2@h\"", "store.url", "names no database"),
            ("url = \"postgres://u:hunter2@h/d?sslmode=prefer\"", "store.url", "sslmode"),
            (
                "url = \"postgres://u:hunter2@h/d\"\npassword_file = \"/p\"",
                "store.password_file",
                "url already",
            ),
        ] {
            let (found, reason) = mistake(toml);
            assert_eq!(found, key, "{toml}");
            assert!(reason.contains(word) && !reason.contains("hunter2"), "{toml}: {reason}");
        }
    }

    #[test]
    fn several_hosts_and_unix_sockets_are_shown_without_user_and_password() {
        for (url, shown, source) in [
            ("postgres://u:hunter2@a,b:5433/d", "postgres://a:5432,b:5433/d", "in the URL"),
            ("postgres://u@%2Frun%2Fpostgresql/d", "postgres:///run/postgresql:5432/d", "none"),
            ("postgres://a/d?user=u&password=hunter2", "postgres://a:5432/d", "in the URL"),
        ] {
            let StorePlace::Postgres(database) = checked(&format!("url = \"{url}\"")).unwrap() else {
                panic!("{url}")
            };
            assert_eq!((&*database.url().to_string(), &*database.password_source()), (shown, source));
            assert!(!format!("{database:?}").contains("hunter2"), "{database:?}");
        }
    }

    #[test]
    fn a_url_that_may_contain_a_password_is_a_secret_even_if_it_is_malformed() {
        for secret in [
            "postgres://u:hunter2@a/d",
            "postgres://a/d?user=u&password=hunter2",
            "u:hunter2@a/d",
            "postgres://u:hunter2@a:port/d",
        ] {
            assert!(may_contain_password(secret), "{secret}");
        }
        for plain in
            ["postgres://u@a:5432,b/d", "postgres://a:5432/d?sslmode=disable", "postgres:///d?host=/run"]
        {
            assert!(!may_contain_password(plain), "{plain}");
        }
    }
}
