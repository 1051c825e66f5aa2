//! Sockets that a service manager opened for Portico (`LISTEN_FDS`, sd_listen_fds(3)).

use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;

use listenfd::ListenFd;
use nix::sys::socket::{getsockopt, sockopt};

use super::listen::ListenError;

/// The sockets that this process was started with, by their kind.
#[derive(Debug, Default)]
pub struct HandedOver {
    pub(crate) unix: Option<UnixListener>,
    pub(crate) tcp: Option<TcpListener>,
}

impl HandedOver {
    /// Whether there is a TCP socket among them.
    pub fn has_tcp(&self) -> bool {
        self.tcp.is_some()
    }

    /// Takes the sockets that the environment names. A second call returns none.
    ///
    /// # Errors
    /// [`ListenError::HandedOver`] for anything other than a listening stream socket, and for a second socket of a
    /// kind: if Portico left one unserved, its callers would wait for ever.
    pub fn from_env() -> Result<Self, ListenError> {
        // Meant for a process before us, which did not tidy up.
        if std::env::var_os("LISTEN_PID").is_none_or(|pid| pid.is_empty()) {
            return Ok(Self::default());
        }
        let mut sockets = ListenFd::from_env();
        let mut taken = Self::default();
        for n in 0..sockets.len() {
            taken.take(&mut sockets, n).map_err(|error| ListenError::HandedOver { n: n + 1, error })?;
        }
        Ok(taken)
    }

    fn take(&mut self, sockets: &mut ListenFd, n: usize) -> io::Result<()> {
        if let Ok(Some(socket)) = sockets.take_unix_listener(n) {
            socket.set_nonblocking(true)?;
            return keep(&mut self.unix, socket, "Unix");
        }
        let Some(socket) = sockets.take_tcp_listener(n)? else { return Ok(()) };
        socket.set_nonblocking(true)?;
        keep(&mut self.tcp, socket, "TCP")
    }
}

fn keep<S: AsFd>(place: &mut Option<S>, socket: S, kind: &str) -> io::Result<()> {
    let wrong = |what| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    if !getsockopt(&socket, sockopt::AcceptConn)? {
        return wrong("it is not a listening socket".to_owned());
    }
    match place.replace(socket) {
        None => Ok(()),
        Some(_) => wrong(format!("a second {kind} socket")),
    }
}
