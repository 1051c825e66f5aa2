//! `portico migrate-from-portal`: converts the configuration of Portal's daemon to Portico's.

mod written;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::terminal::{note, plain, say};
use super::{CommandResult, Exit, Failure};
use crate::config::{self, Overrides, PortalSettings, files};
use written::Written;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Portal's variables (PORTAL__SECTION__KEY) take precedence over the file, as for Portal's \
                        daemon. The command writes portico.toml (0600: it contains the API token and the webhook's \
                        secret), relays.toml, service.key (0600) and, for a service on a subkey, proof.json. It \
                        lists the settings without a counterpart. docs/moving-from-portal.md lists the differences."
)]
pub(super) struct Args {
    /// Portal's config.toml, usually ~/.portal-rest/config.toml
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Folder of the new files [default: $XDG_CONFIG_HOME/portico]
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    /// Replace existing files; each is kept as NAME.before-migration
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &Args) -> CommandResult {
    let unreadable = |error| Failure::usage(format!("cannot read {}: {error}", files::show_path(&args.file)));
    // The file decides the service's identity, and whom it trusts.
    let read = files::read_config(&args.file).map_err(unreadable)?;
    let read = read.ok_or_else(|| unreadable(io::Error::from(io::ErrorKind::NotFound).into()))?;
    let portal = PortalSettings::in_file(&read.text, &args.file).map_err(Failure::usage)?;
    let folder = match &args.into {
        Some(folder) => folder.clone(),
        None => config::default_folder().ok_or_else(|| Failure::usage("HOME is not set: give --into"))?,
    };
    let from = files::show_path(&args.file);
    let written = written::write(&portal, &plain(&from)).map_err(Failure::usage)?;
    let files = Files::of(&written, &folder);
    files.refuse_what_is_there(args.force)?;
    let made = missing_folders(&folder);
    let put = files::create_private_dir(&folder)
        .map_err(|error| unwritable(&folder, &error))
        .and_then(|_| files.put(&folder));
    if put.is_err() {
        // This removes only empty folders.
        made.iter().for_each(|folder| drop(fs::remove_dir(folder)));
    }
    put?;

    if let (Err(exposed), secrets @ [_, ..]) = (&read.as_secret, &portal.secrets_in_file()[..]) {
        note!(
            "portico: warning: {} in {}: {exposed}. Anybody who read the file has these secrets",
            secrets.join(", "),
            plain(&from),
        );
    }
    portal.variables.values().for_each(|name| say!("read         {name}"));
    files.0.iter().for_each(|file| say!("written      {}", files::show_path(&file.path)));
    for (key, reason) in &written.left_out {
        say!("left out     {}: {}", plain(key), plain(reason));
    }
    say!(
        "differs      Portico listens only on 127.0.0.1, and rejects a Host that is not listed: see [local]"
    );
    let config = files::show_path(&folder.join(CONFIG));
    say!("next         portico identity check --config {config}");
    say!("             then stop Portal's daemon, and portico serve --config {config}");
    Ok(Exit::Success)
}

/// This folder and its parents that do not exist; the innermost first.
fn missing_folders(folder: &Path) -> Vec<PathBuf> {
    let is_missing = |path: &&Path| !path.as_os_str().is_empty() && path.symlink_metadata().is_err();
    folder.ancestors().take_while(is_missing).map(Path::to_owned).collect()
}

const CONFIG: &str = "portico.toml";

/// The files to write.
struct Files(Vec<NewFile>);

struct NewFile {
    path: PathBuf,
    text: zeroize::Zeroizing<String>,
    mode: u32,
}

impl Files {
    fn of(written: &Written, folder: &Path) -> Self {
        let Written { config, relays, key, proof, .. } = written;
        let file = |name: &str, text: &str, mode| NewFile {
            path: folder.join(name),
            text: zeroize::Zeroizing::new(format!("{}\n", text.trim_end())),
            mode,
        };
        let relays = relays.as_ref().map(|text| file("relays.toml", text, 0o644));
        let proof = proof.as_ref().map(|text| file("proof.json", text, 0o600));
        let others = [Some(file(CONFIG, config, 0o600)), relays, proof];
        // The key first: `serve` would make a new key for a configuration without one, and so another service.
        Self([Some(file("service.key", key, 0o600))].into_iter().chain(others).flatten().collect())
    }

    fn refuse_what_is_there(&self, force: bool) -> Result<(), Failure> {
        for file in &self.0 {
            let (path, backup) = (&file.path, file.backup());
            if path.symlink_metadata().is_ok() && !force {
                let hint = "give another --into, or --force to replace it";
                return Err(Failure::usage(format!("{} already exists: {hint}", files::show_path(path))));
            }
            if force && path.symlink_metadata().is_ok() && backup.symlink_metadata().is_ok() {
                let why = "already exists: move it away first";
                return Err(Failure::usage(format!("{} {why}", files::show_path(&backup))));
            }
        }
        Ok(())
    }

    /// Writes all files to a folder beside, reads them as `serve` would, and only then moves them into place.
    fn put(&self, folder: &Path) -> Result<(), Failure> {
        let staged = tempfile::Builder::new()
            .prefix(".portico-migrate-")
            // Private, independent of the umask, because the files are read from there.
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(folder)
            .map_err(|error| unwritable(folder, &error))?;
        for file in &self.0 {
            file.write(&staged.path().join(file.name())).map_err(|error| unwritable(&file.path, &error))?;
        }
        check(&staged, folder)?;
        for file in &self.0 {
            if file.path.symlink_metadata().is_ok() {
                fs::rename(&file.path, file.backup()).map_err(|error| unwritable(&file.path, &error))?;
            }
            // Fails if somebody made the file meanwhile.
            fs::hard_link(staged.path().join(file.name()), &file.path)
                .map_err(|error| unwritable(&file.path, &error))?;
        }
        fs::File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| unwritable(folder, &error))
    }
}

impl NewFile {
    fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    fn backup(&self) -> PathBuf {
        self.path.with_file_name(format!("{}.before-migration", self.name()))
    }

    fn write(&self, to: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(self.mode).open(to)?;
        file.write_all(self.text.as_bytes())?;
        file.sync_all()
    }
}

/// Checks that `serve` would accept the files.
fn check(staged: &TempDir, folder: &Path) -> Result<(), Failure> {
    let overrides = Overrides {
        config: Some(staged.path().join(CONFIG)),
        data_dir: Some(staged.path().join("data")),
        ..Overrides::default()
    };
    config::load(&overrides).map(drop).map_err(|error| {
        let error = error.to_string().replace(&files::show_path(staged.path()), &files::show_path(folder));
        Failure::usage(format!("nothing was written, because Portico would reject it: {error}"))
    })
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Unavailable, format!("cannot write {}: {error}", files::show_path(path)))
}
