//! Where files and sockets are unless the configuration names a place.

use std::env;
use std::path::PathBuf;

/// The default path of the Unix socket, the same for the daemon and its command-line clients.
pub fn default_socket() -> PathBuf {
    if let Some(dir) = managed_dir("RUNTIME_DIRECTORY") {
        return dir.join("portico.sock");
    }
    if let Some(dir) = absolute_dir("XDG_RUNTIME_DIR") {
        return dir.join("portico/portico.sock");
    }
    PathBuf::from(format!("/tmp/portico-{}/portico.sock", nix::unistd::geteuid()))
}

/// The default folder of `portico.toml` and the service's key.
pub fn default_folder() -> Option<PathBuf> {
    xdg("XDG_CONFIG_HOME", ".config").map(|dir| dir.join("portico"))
}

/// A folder of the XDG Base Directory Specification, else its default below the home folder.
pub(super) fn xdg(variable: &str, below_home: &str) -> Option<PathBuf> {
    absolute_dir(variable).or_else(|| absolute_dir("HOME").map(|home| home.join(below_home)))
}

/// The folder that a variable names. A relative path is ignored, as the XDG Base Directory Specification requires: its
/// meaning would depend on the working folder.
fn absolute_dir(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|dir| dir.is_absolute())
}

/// The folder that a service manager made for us. A list is separated with colons (systemd.exec(5),
/// `StateDirectory=`); the first is the main one.
pub(super) fn managed_dir(variable: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os(variable)?).find(|dir| dir.is_absolute())
}

/// The reason why there is no default below the home folder.
pub(super) fn homeless(flag: &str) -> String {
    format!("HOME is not set: set it, or give {flag}")
}
