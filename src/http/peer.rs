//! Who is at the other end of a connection.

use std::fmt;
use std::net::IpAddr;

use crate::rights::Rights;

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Peer {
    /// A process on this machine, as the kernel reports it.
    Unix {
        /// Its user.
        uid: u32,
        /// The rights of that user.
        rights: Rights,
    },
    /// Any program that reaches the TCP socket.
    Tcp(IpAddr),
}

/// As the log names it.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix { uid, .. } => write!(f, "unix uid {uid}"),
            Self::Tcp(ip) => write!(f, "tcp {ip}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_written_for_people() {
        let unix = Peer::Unix { uid: 33, rights: Rights::NONE };
        let tcp = Peer::Tcp(IpAddr::from([127, 0, 0, 1]));
        assert_eq!((unix.to_string().as_str(), tcp.to_string().as_str()), ("unix uid 33", "tcp 127.0.0.1"));
    }
}
