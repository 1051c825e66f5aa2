//! From the layers (flag, environment, file, default) to a checked [`Config`].

use std::path::{Path, PathBuf};

use figment::value::magic::RelativePathBuf;
use figment::value::{Dict, Map};
use figment::{Figment, Metadata, Profile, Provider, Source};

use super::check::{Given, check};
use super::document::{self, Fault, line_of};
use super::error::Place;
use super::mistakes::Mistakes;
use super::moved::Moved;
use super::places::xdg;
use super::portal::PortalSettings;
use super::raw::Raw;
use super::sections::store::may_contain_password;
use super::shape::{Mask, Masked, Misfit};
use super::syntax::are_of_structure;
use super::{Config, ConfigError, RelaySource, environment, files, lists, paths, relays, shape, wording};
use crate::tls::Tls;

/// The flags of the command line, and the `PORTICO_…` variables of the same names.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Overrides {
    /// Configuration file [default: portico.toml here, else in $XDG_CONFIG_HOME/portico]
    #[arg(long, value_name = "FILE", env = "PORTICO_CONFIG")]
    pub config: Option<PathBuf>,
    /// List of relays [default: relays.toml here, else a built-in list]
    #[arg(long, value_name = "FILE", env = "PORTICO_RELAYS")]
    pub relays: Option<PathBuf>,
    /// Path of the Unix socket [default: $RUNTIME_DIRECTORY/portico.sock, else as in docs/configuration.md]
    #[arg(long, value_name = "PATH", env = "PORTICO_SOCKET")]
    pub socket: Option<PathBuf>,
    /// Also listen on TCP, for example 127.0.0.1:3000 [default: off]
    #[arg(long, value_name = "ADDR", env = "PORTICO_LISTEN")]
    pub listen: Option<String>,
    /// File with the API token for TCP [default: made at the first start, in the data folder]
    #[arg(long, value_name = "FILE", env = "PORTICO_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// File with the service's key, nsec1… or hex [default: made at the first start, under $XDG_CONFIG_HOME]
    #[arg(long, value_name = "FILE", env = "PORTICO_KEY_FILE")]
    pub key_file: Option<PathBuf>,
    /// Folder of the database [default: $STATE_DIRECTORY, else $XDG_DATA_HOME/portico]
    #[arg(long, value_name = "DIR", env = "PORTICO_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
}

/// Secrets that the file may contain.
const SECRETS: [&str; 2] = ["local.token", "webhook.secret"];

/// The key of a URL that may contain a password.
const STORE_URL: &str = "store.url";

/// Merges the layers and checks the result.
///
/// Keys without a flag are read from the environment as `PORTICO_SECTION__KEY`,
/// for example `PORTICO_AUTH__CHALLENGE_TTL=2m`.
///
/// # Errors
/// [`ConfigError`]: names all mistakes, each with its key, and its file or variable.
pub fn load(overrides: &Overrides) -> Result<Config, ConfigError> {
    let mut read = Read::of(overrides)?;
    let raw = std::mem::take(&mut read.raw);
    let relays_file = overrides.relays.clone().or(raw.relays_file.as_ref().map(RelativePathBuf::relative));
    let relays = relays::load(relays_file.as_deref(), &read.portal);
    let relays = relays.unwrap_or_else(|error| {
        match error {
            ConfigError::Unreadable { .. } if overrides.relays.is_none() && raw.relays_file.is_some() => {
                read.wrong.add("relays_file", error.to_string());
            }
            error => read.errors.push(error),
        }
        (Vec::new(), RelaySource::BuiltIn)
    });
    read.moved.note_relays(&read.portal, matches!(relays.1, RelaySource::Environment(_)));
    // The loader looks for files that nobody named in the working folder first; all other places are absolute paths.
    let file = read.written.as_ref().map(|written| written.path.clone());
    let is_here = |path: &&PathBuf| overrides.config.is_none() && path.is_relative();
    let mut found_here: Vec<PathBuf> = file.iter().filter(is_here).cloned().collect();
    if let (None, RelaySource::File(path)) = (relays_file, &relays.1) {
        found_here.push(path.clone());
    }
    let Read { portal, moved, wrong, .. } = &mut read;
    let given = Given { overrides, portal, moved, file, found_here, relays };
    let config = check(raw, given, wrong);
    read.finish(config, overrides)
}

/// Loads only `[tls]`, for commands that need nothing else of the configuration.
///
/// # Errors
/// [`ConfigError`], as of [`load`].
pub fn load_tls(overrides: &Overrides) -> Result<Tls, ConfigError> {
    let mut read = Read::of(overrides)?;
    let tls = std::mem::take(&mut read.raw.tls).check(&mut read.wrong.section("tls"));
    read.finish(tls, overrides)
}

/// All layers, merged but not yet checked, and the mistakes so far.
struct Read {
    written: Option<Written>,
    layers: Figment,
    raw: Raw,
    portal: PortalSettings,
    moved: Moved,
    wrong: Mistakes,
    errors: Vec<ConfigError>,
}

impl Read {
    fn of(overrides: &Overrides) -> Result<Self, ConfigError> {
        let mut errors = paths::check_flags(overrides);
        errors.extend(environment::check().err());
        // They decide which file is read.
        if let Some(error) = ConfigError::of_all(std::mem::take(&mut errors)) {
            return Err(error);
        }
        let mut written =
            config_file(overrides.config.as_deref()).map(|path| Written::read(&path)).transpose()?;
        let layers = |mask: &Mask| match &written {
            Some(written) => Figment::from(Masked { layer: written, mask, is_environment: false }),
            None => Figment::new(),
        };
        let layers = |mask: &Mask| {
            layers(mask).merge(Masked { layer: environment::layer(), mask, is_environment: true })
        };
        let whole = layers(&Mask::default());
        let (mut wrong, mut mask) = (Mistakes::default(), Mask::default());
        paths::check_keys(&whole, &mut wrong);
        lists::check(&whole, &mut wrong);
        wrong.all(true).iter().for_each(|mistake| mask.leave_out(&mistake.key));
        let (mut raw, misfits): (Raw, _) = shape::read(layers, mask);
        misfits.into_iter().for_each(|misfit| note(misfit, &whole, &mut wrong));
        if let Some(written) = &mut written {
            errors.extend(written.exposed());
            restore_paths(&mut raw, &written.path);
        }
        let portal = PortalSettings::in_environment().unwrap_or_else(|error| {
            errors.push(error);
            PortalSettings::default()
        });
        let moved = Moved::fill(&mut raw, &portal, overrides);
        Ok(Self { written, layers: whole, raw, portal, moved, wrong, errors })
    }

    /// The value, or all mistakes, each with its place.
    fn finish<T>(mut self, value: Option<T>, overrides: &Overrides) -> Result<T, ConfigError> {
        let faults = self.written.as_mut().map(|written| std::mem::take(&mut written.faults));
        let faults = faults.unwrap_or_default();
        let mut errors = Vec::new();
        for mistake in self.wrong.all(faults.is_empty()) {
            let place = self.place_of(&mistake.key, overrides);
            // The values in a line that TOML does not allow are uncertain.
            if !matches!(place, Place::File { line: Some(at), .. } if faults.iter().any(|(line, _)| *line == at))
            {
                let (key, reason) = (mistake.key.clone(), mistake.reason.clone());
                errors.push(ConfigError::Invalid { key, reason, place });
            }
        }
        if let Some(written) = &self.written {
            errors.extend(faults.into_iter().map(|fault| written.error(fault)));
        }
        errors.append(&mut self.errors);
        match (ConfigError::of_all(errors), value) {
            (None, Some(value)) => Ok(value),
            (Some(error), _) => Err(error),
            (None, None) => Err(ConfigError::Several(Vec::new())),
        }
    }

    /// Where the value of a key is written.
    fn place_of(&self, key: &str, overrides: &Overrides) -> Place {
        match key {
            key if let Some(variable) = self.moved.source(key) => Place::Variable(variable.to_owned()),
            "local.listen" if overrides.listen.is_some() => Place::Flag("--listen or PORTICO_LISTEN"),
            "local.socket" if overrides.socket.is_some() => Place::Flag("--socket or PORTICO_SOCKET"),
            key => place_in(&self.layers, key, self.written.as_ref()),
        }
    }
}

/// Notes a value that does not fit.
fn note(misfit: Misfit, layers: &Figment, wrong: &mut Mistakes) {
    use figment::error::Kind::{MissingField, UnknownField};

    let is_section = layers.find_value(&misfit.key).is_ok_and(|value| value.as_dict().is_some());
    let reason = wording::reason(&misfit, is_section);
    match misfit.kind {
        UnknownField(..) => wrong.add_unknown(misfit.key, reason),
        MissingField(..) => wrong.add_missing(misfit.key, reason),
        _ => wrong.add(misfit.key, reason),
    }
}

/// The place of a key in the layers, else of the section or list around it.
fn place_in(layers: &Figment, key: &str, written: Option<&Written>) -> Place {
    let mut name = key;
    let value = loop {
        if let Ok(value) = layers.find_value(name) {
            break value;
        }
        match name.rsplit_once('.') {
            Some((above, _)) => name = above,
            None => return Place::Nowhere,
        }
    };
    match layers.get_metadata(value.tag()).map(|metadata| &metadata.source) {
        Some(Some(Source::File(path))) => {
            Place::line(path, written.and_then(|written| line_of(&written.text, key)))
        }
        Some(None) if value.as_dict().is_none() => Place::Variable(environment::variable(name)),
        Some(None) if name == key => Place::Variable(format!("{}__…", environment::variable(name))),
        // A section may come from several variables.
        _ => Place::Nowhere,
    }
}

/// A relative path starts at the folder of the file. The layers keep that folder as text, and replace bytes that are
/// not UTF-8: this restores them.
fn restore_paths(raw: &mut Raw, file: &Path) {
    let Some(folder) = file.parent().filter(|folder| folder.to_str().is_none()) else { return };
    let replaced = PathBuf::from(folder.to_string_lossy().into_owned());
    let restored = |path: &Path| path.strip_prefix(&replaced).ok().map(|rest| folder.join(rest));
    let (service, local, wallets) = (&mut raw.service, &mut raw.local, &mut raw.wallets);
    let paths = [
        &mut raw.data_dir,
        &mut raw.relays_file,
        &mut service.key_file,
        &mut service.subkey_proof_file,
        &mut raw.tls.ca_file,
        &mut local.socket,
        &mut local.token_file,
        &mut raw.webhook.secret_file,
        &mut raw.store.password_file,
    ];
    for path in paths.into_iter().flatten() {
        if let Some(restored) = restored(&path.relative()) {
            *path = restored.into();
        }
    }
    let thirdweb = wallets.thirdweb.as_mut().and_then(|rules| rules.admin_key_file.as_mut());
    let sessions = [&mut wallets.para_session, &mut wallets.capsule_session].into_iter().flatten();
    let of_sessions =
        sessions.flat_map(|rules| [Some(&mut rules.api_key_file), rules.secret_key_file.as_mut()]);
    for path in of_sessions.flatten().chain(thirdweb) {
        if let Some(restored) = restored(path) {
            *path = restored;
        }
    }
}

fn config_file(named: Option<&Path>) -> Option<PathBuf> {
    if let Some(path) = named {
        return Some(path.to_owned());
    }
    let here = PathBuf::from("portico.toml");
    let home = xdg("XDG_CONFIG_HOME", ".config").map(|dir| dir.join("portico/portico.toml"));
    [Some(here), home].into_iter().flatten().find(|path| path.exists())
}

/// The configuration file, which was read once, so that the checked text is the one in force.
struct Written {
    path: PathBuf,
    text: String,
    dict: Dict,
    faults: Vec<Fault>,
    /// Whether it may contain secrets.
    as_secret: Option<files::Refused>,
}

impl Written {
    fn read(path: &Path) -> Result<Self, ConfigError> {
        let path = path.to_owned();
        let read = files::read_config(&path)
            .map_err(|error| ConfigError::Unreadable { path: path.clone(), error })?;
        let files::Text { text, as_secret } = read.ok_or_else(|| ConfigError::missing(&path))?;
        let (dict, faults) = document::parse(&text);
        let is_guess = are_of_structure(&text, &faults);
        let written = Self { path, text, dict, faults, as_secret: as_secret.err() };
        if !is_guess {
            return Ok(written);
        }
        let faults = written.faults.iter().map(|fault| written.error(fault.clone()));
        Err(ConfigError::of_all(faults.collect()).unwrap_or_else(|| ConfigError::missing(&written.path)))
    }

    fn error(&self, (line, reason): Fault) -> ConfigError {
        ConfigError::Line { reason, place: Place::line(&self.path, Some(line)) }
    }

    /// A secret in the file although others can read it.
    fn exposed(&mut self) -> Option<ConfigError> {
        let written = Figment::from(&*self);
        let key = secret_in(&written)?;
        let error = self.as_secret.take()?;
        Some(ConfigError::Exposed { key, path: self.path.clone(), error })
    }
}

/// The key of a secret in the file, if it contains one.
fn secret_in(written: &Figment) -> Option<&'static str> {
    let url = written.extract_inner::<String>(STORE_URL);
    let is_secret = url.is_ok_and(|url| may_contain_password(&url));
    SECRETS.into_iter().find(|key| written.contains(key)).or(is_secret.then_some(STORE_URL))
}

impl Provider for &Written {
    fn metadata(&self) -> Metadata {
        Metadata::from("TOML file", self.path.as_path())
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Map::from([(Profile::Default, self.dict.clone())]))
    }
}

#[cfg(test)]
mod tests;
