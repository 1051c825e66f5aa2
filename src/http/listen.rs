//! The sockets of the API. Nobody else can take their place, and Portico never takes one from a running daemon.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, chown};
use tokio::net::{TcpListener, UnixListener, UnixStream};

use super::handed_over::HandedOver;
use crate::config::files::{self, FileError, show_path};
use crate::config::{LONGEST_SOCKET_PATH, Local, names_socket};

/// Why a socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another daemon answers on it.
    #[error("another daemon is listening on {}{}", show_path(path), of_variable(*.by_variable))]
    #[expect(missing_docs, reason = "the names of the fields say it")]
    InUse {
        path: PathBuf,
        /// Whether `PORTICO_SOCKET` names the socket.
        by_variable: bool,
    },
    /// The path exists and is not a socket.
    #[error("{} exists and is not a socket", show_path(.0))]
    NotASocket(PathBuf),
    /// Other users could replace this socket with their own.
    #[error("the folder {} is not safe for a socket: {reason}", show_path(folder))]
    #[expect(missing_docs, reason = "the names of the fields say it")]
    UnsafeFolder { folder: PathBuf, reason: FileError },
    /// A socket from the service manager cannot be served.
    #[error("cannot serve socket {n} from the service manager (LISTEN_FDS): {error}")]
    #[expect(missing_docs, reason = "the names of the fields say it")]
    HandedOver {
        /// Which one, counted from 1.
        n: usize,
        error: io::Error,
    },
    /// A TCP socket from the service manager can be reached from other machines.
    #[error(
        "the service manager opened {0}, which other machines can reach; this needs local.allow_remote = true"
    )]
    Remote(SocketAddr),
    /// The operating system refused.
    #[error("cannot listen on {at}: {error}")]
    #[expect(missing_docs, reason = "the names of the fields say it")]
    Io { at: String, error: io::Error },
}

fn of_variable(is_named: bool) -> &'static str {
    if is_named { " (PORTICO_SOCKET names this socket: unset the variable to use the default)" } else { "" }
}

/// The sockets of the API.
#[derive(Debug)]
pub struct Sockets {
    pub(crate) unix: UnixSocket,
    pub(crate) tcp: Option<TcpListener>,
}

/// Opens the sockets that were not handed over.
///
/// # Errors
/// [`ListenError`].
pub async fn open_sockets(local: &Local, handed: HandedOver) -> Result<Sockets, ListenError> {
    let unix = match handed.unix {
        Some(socket) => adopt(socket)?,
        None => unix(local).await?,
    };
    let tcp = match (handed.tcp, local.listen) {
        (Some(socket), _) => Some(adopt_tcp(socket, local)?),
        (None, Some(address)) => Some(tcp(address).await?),
        (None, None) => None,
    };
    Ok(Sockets { unix, tcp })
}

impl Sockets {
    /// The path of the Unix socket, if it has one.
    pub fn path(&self) -> Option<PathBuf> {
        // The kernel knows one of ours by the name under which it was bound, before it was renamed.
        let made = self.unix.made.clone();
        made.or_else(|| self.unix.listener.local_addr().ok()?.as_pathname().map(Path::to_owned))
    }

    /// The address of the TCP socket, if there is one.
    pub fn address(&self) -> Option<SocketAddr> {
        self.tcp.as_ref()?.local_addr().ok()
    }
}

/// The Unix socket. If Portico created it, its file is removed together with this value.
#[derive(Debug)]
pub(crate) struct UnixSocket {
    pub(crate) listener: UnixListener,
    made: Option<PathBuf>,
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        if let Some(path) = &self.made {
            let _ = fs::remove_file(path);
        }
    }
}

/// The service manager decides about its file, mode and group. Portico decides who may call.
fn adopt(socket: std::os::unix::net::UnixListener) -> Result<UnixSocket, ListenError> {
    let failed = |error| ListenError::Io { at: "a Unix socket from the service manager".into(), error };
    Ok(UnixSocket { listener: UnixListener::from_std(socket).map_err(failed)?, made: None })
}

fn adopt_tcp(socket: std::net::TcpListener, local: &Local) -> Result<TcpListener, ListenError> {
    let failed = |error| ListenError::Io { at: "a TCP socket from the service manager".into(), error };
    let address = socket.local_addr().map_err(failed)?;
    if !address.ip().is_loopback() && !local.allow_remote {
        return Err(ListenError::Remote(address));
    }
    TcpListener::from_std(socket).map_err(failed)
}

/// Opens the Unix socket with its mode and group.
///
/// It is bound under a temporary name in a private folder beside the final path. It is moved to the path when its
/// permissions are right, so nobody else can connect in between.
async fn unix(local: &Local) -> Result<UnixSocket, ListenError> {
    if local.socket.as_os_str().len() > LONGEST_SOCKET_PATH {
        let reason = format!("its path is longer than {LONGEST_SOCKET_PATH} bytes: nobody could connect");
        let error = io::Error::new(io::ErrorKind::InvalidInput, reason);
        return Err(ListenError::Io { at: show_path(&local.socket), error });
    }
    let path = &local.socket;
    let failed = |error| ListenError::Io { at: show_path(path), error };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let check = || {
        files::check_place(folder)
            .map_err(|reason| ListenError::UnsafeFolder { folder: folder.to_owned(), reason })
    };
    check()?;
    if !files::create_private_dir(folder).map_err(failed)?.is_empty() {
        check()?;
    }
    clear_stale(path).await?;
    let private = tempfile::Builder::new().prefix(".portico-").tempdir_in(folder).map_err(failed)?;
    let unfinished = private.path().join("s");
    let listener = bind(&unfinished).map_err(failed)?;
    if let Some(gid) = local.socket_gid {
        chown(&unfinished, None, Some(Gid::from_raw(gid))).map_err(|errno| failed(errno.into()))?;
    }
    fs::set_permissions(&unfinished, fs::Permissions::from_mode(local.socket_mode)).map_err(failed)?;
    fs::rename(&unfinished, path).map_err(failed)?;
    Ok(UnixSocket { listener, made: Some(path.clone()) })
}

/// Binds a socket. Its temporary name may be longer than the kernel's limit, because the final path is shorter.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return UnixListener::bind(path);
    };
    if path.as_os_str().len() <= LONGEST_SOCKET_PATH {
        return UnixListener::bind(path);
    }
    let folder = fs::File::open(folder)?;
    UnixListener::bind(PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name))
}

/// Removes the socket of a daemon that has stopped, only after the socket refused a connection.
async fn clear_stale(path: &Path) -> Result<(), ListenError> {
    let failed = |error| ListenError::Io { at: show_path(path), error };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(ListenError::NotASocket(path.to_owned()));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(ListenError::InUse { path: path.to_owned(), by_variable: names_socket(path) }),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            tracing::info!(socket = %show_path(path), "replacing the socket of a daemon that has stopped");
            fs::remove_file(path).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Opens the TCP socket.
async fn tcp(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| ListenError::Io { at: address.to_string(), error })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::config::{Overrides, load};

    fn local(folder: &Path) -> Local {
        let socket = Some(folder.join("run/portico.sock"));
        let overrides = Overrides {
            socket,
            data_dir: Some(folder.to_owned()),
            key_file: Some(folder.join("key")),
            ..Overrides::default()
        };
        load(&overrides).unwrap().local
    }

    #[tokio::test]
    async fn the_socket_is_private_and_goes_with_the_daemon() {
        let folder = tempfile::tempdir().unwrap();
        let local = local(folder.path());
        let sockets = open_sockets(&local, HandedOver::default()).await.unwrap();
        assert_eq!(sockets.path(), Some(local.socket.clone()), "as others find it");
        assert_eq!(fs::metadata(&local.socket).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(folder.path().join("run")).unwrap().mode() & 0o777, 0o700);
        drop(sockets);
        assert!(!local.socket.exists());
    }

    #[tokio::test]
    async fn a_daemon_that_lives_keeps_its_socket_and_one_that_is_gone_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let local = local(folder.path());
        let socket = unix(&local).await.unwrap();
        assert!(matches!(unix(&local).await, Err(ListenError::InUse { .. })));
        // A killed daemon leaves its file behind.
        let killed = std::mem::ManuallyDrop::new(socket);
        let path = folder.path().join("run/left-behind");
        fs::rename(&local.socket, &path).unwrap();
        drop(std::mem::ManuallyDrop::into_inner(killed));
        fs::rename(&path, &local.socket).unwrap();
        assert!(unix(&local).await.is_ok());
    }

    #[tokio::test]
    async fn a_folder_in_which_everybody_can_exchange_the_socket_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (local, run) = (local(folder.path()), folder.path().join("run"));
        fs::create_dir(&run).unwrap();
        for (mode, is_safe) in [(0o777, false), (0o703, false), (0o770, false), (0o1777, true), (0o755, true)]
        {
            fs::set_permissions(&run, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(unix(&local).await.is_ok(), is_safe, "{mode:o}");
        }
    }

    #[tokio::test]
    async fn a_file_of_somebody_elses_is_never_removed() {
        let folder = tempfile::tempdir().unwrap();
        let local = local(folder.path());
        fs::create_dir(folder.path().join("run")).unwrap();
        fs::write(&local.socket, "precious").unwrap();
        assert!(matches!(unix(&local).await, Err(ListenError::NotASocket(_))));
        assert_eq!(fs::read_to_string(&local.socket).unwrap(), "precious");
    }
}
