//! Places for connections: a bound for each socket, for each peer, and a small one for strangers.
//!
//! A stranger is a caller that may not call here, or that has not shown an API token on TCP. Strangers cannot take
//! the places of others: if there are too many, the oldest one is closed to make room for the newest. A connection is
//! a stranger again once Portico refuses its token, and has to leave once its token expires or is revoked
//! (`standing.rs`).

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dashmap::DashMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::peer::Peer;
use super::standing::{Standing, Voucher};
use crate::metrics::{Limit, Metrics, Present};

/// If the system allows fewer places than the configuration, one in this many is for strangers.
const STRANGERS_PART: usize = 4;

/// How many connections are possible: the configured number, or what the system allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// On the Unix socket.
    pub unix: usize,
    /// On the TCP socket.
    pub tcp: usize,
    /// Connections that are being refused at the same time.
    pub refusals: usize,
}

/// The operator's limits on connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// On each socket.
    pub(crate) connections: usize,
    /// … of one peer.
    pub(crate) per_peer: usize,
    /// … of strangers.
    pub(crate) strangers: usize,
}

/// All places.
#[derive(Debug)]
pub(crate) struct Places {
    refusals: usize,
    unix: Socket,
    tcp: Socket,
    per_peer: Arc<DashMap<Source, usize>>,
    strangers: Arc<Strangers>,
    metrics: Arc<Metrics>,
}

/// The places of one socket.
#[derive(Debug)]
struct Socket {
    name: &'static str,
    free: Arc<Semaphore>,
    max_per_peer: usize,
}

/// Where connections come from, as far as Portico can distinguish them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Source {
    Uid(u32),
    /// This machine: any of its programs can take any address of 127/8.
    Loopback,
    V4([u8; 4]),
    /// A /64: a host that has one address of it usually has all.
    V6([u8; 8]),
}

/// A place among the connections. It is given back when it is dropped. A WebSocket keeps it beyond the end of HTTP.
#[derive(Debug)]
pub(crate) struct Place {
    _in_all: OwnedSemaphorePermit,
    per_peer: Arc<DashMap<Source, usize>>,
    source: Source,
    strangers: Arc<Strangers>,
    standing: watch::Sender<Standing>,
    leave: CancellationToken,
    _counted: Present,
}

/// The strangers who are here.
#[derive(Debug)]
struct Strangers {
    max: usize,
    present: Mutex<Crowd>,
    metrics: Arc<Metrics>,
}

/// Each by the number under which it came.
#[derive(Debug, Default)]
struct Crowd {
    came: u64,
    by_source: HashMap<Source, BTreeMap<u64, CancellationToken>>,
    count: usize,
}

/// One stranger, until it leaves or shows a token.
#[derive(Debug)]
pub(super) struct Stranger {
    strangers: Arc<Strangers>,
    source: Source,
    number: u64,
}

impl Places {
    pub(crate) fn new(bounds: Bounds, capacity: Capacity, metrics: Arc<Metrics>) -> Self {
        let Capacity { unix, tcp, refusals } = capacity;
        let socket = |name, places: usize| Socket {
            name,
            free: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
            max_per_peer: share(bounds.per_peer, places, bounds.connections),
        };
        // Of those on TCP, all may be strangers at first.
        let places = if tcp == 0 { unix } else { tcp };
        let max_strangers = if places < bounds.connections {
            bounds.strangers.min(places / STRANGERS_PART).max(1)
        } else {
            bounds.strangers
        };
        Self {
            refusals,
            unix: socket("unix", unix),
            tcp: socket("tcp", tcp),
            per_peer: Arc::default(),
            strangers: Arc::new(Strangers {
                max: max_strangers,
                present: Mutex::default(),
                metrics: Arc::clone(&metrics),
            }),
            metrics,
        }
    }

    /// With this name of the TCP socket in the metrics.
    pub(crate) fn named(mut self, tcp: &'static str) -> Self {
        self.tcp.name = tcp;
        self
    }

    /// How many connections may be refused at the same time.
    pub(crate) fn refusals(&self) -> usize {
        self.refusals
    }

    /// A place for a connection from this peer.
    ///
    /// # Errors
    /// The bound that is reached.
    pub(crate) fn take(&self, peer: Peer) -> Result<Place, Limit> {
        let socket = match peer {
            Peer::Unix { .. } => &self.unix,
            Peer::Tcp(_) => &self.tcp,
        };
        let source = Source::of(peer);
        let in_all = Arc::clone(&socket.free).try_acquire_owned().map_err(|_| Limit::Connections)?;
        {
            let mut count = self.per_peer.entry(source).or_default();
            if *count >= socket.max_per_peer {
                return Err(Limit::ConnectionsPerPeer);
            }
            *count += 1;
        }
        let leave = CancellationToken::new();
        let standing = match peer {
            // The kernel has named it.
            Peer::Unix { rights, .. } if !rights.are_none() => Standing::Known(None),
            _ => Standing::stranger(self.strangers.receive(source, leave.clone())),
        };
        Ok(Place {
            _in_all: in_all,
            per_peer: Arc::clone(&self.per_peer),
            source,
            strangers: Arc::clone(&self.strangers),
            standing: watch::Sender::new(standing),
            leave,
            _counted: self.metrics.api.connected(socket.name),
        })
    }
}

/// The smaller bound that is used beside `max` places if the system allows fewer: the same share of them.
fn share(bound: usize, places: usize, max: usize) -> usize {
    if places >= max {
        return bound;
    }
    let part = bound as u128 * places as u128 / max as u128;
    usize::try_from(part).unwrap_or(bound).max(1)
}

impl Place {
    /// The holder has shown a token, and may stay as long as that is valid. `None`: for ever.
    pub(crate) fn vouch(&self, voucher: Option<Arc<dyn Voucher>>) {
        self.standing.send_if_modified(|standing| {
            // Nearly every request shows the token of the one before.
            let is_new = !standing.rests_on(voucher.as_ref());
            if is_new {
                *standing = Standing::Known(voucher);
            }
            is_new
        });
    }

    /// Portico has refused the holder's token: whatever it showed before, it is a stranger now.
    pub(crate) fn disown(&self) {
        self.standing.send_if_modified(|standing| {
            let was_known = matches!(standing, Standing::Known(_));
            if was_known {
                *standing = Standing::stranger(self.strangers.receive(self.source, self.leave.clone()));
            }
            was_known
        });
    }

    /// Waits until the holder has to leave: a stranger after a while or to make room, others with their token.
    pub(crate) async fn outstayed(&self) {
        let mut standing = self.standing.subscribe();
        loop {
            let end = standing.borrow_and_update().end();
            tokio::select! {
                () = self.leave.cancelled() => return,
                () = end.reached() => return,
                _ = standing.changed() => {}
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.per_peer.remove_if_mut(&self.source, |_, count| {
            *count -= 1;
            *count == 0
        });
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.strangers.present().remove(self.source, self.number);
    }
}

impl Strangers {
    fn receive(self: &Arc<Self>, source: Source, leave: CancellationToken) -> Stranger {
        let mut present = self.present();
        if present.count >= self.max {
            present.send_away_one();
            self.metrics.limits.reached(Limit::Strangers);
        }
        let number = present.enter(source, leave);
        Stranger { strangers: Arc::clone(self), source, number }
    }

    fn present(&self) -> MutexGuard<'_, Crowd> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Crowd {
    fn enter(&mut self, source: Source, leave: CancellationToken) -> u64 {
        self.came += 1;
        self.count += 1;
        self.by_source.entry(source).or_default().insert(self.came, leave);
        self.came
    }

    fn remove(&mut self, source: Source, number: u64) -> Option<CancellationToken> {
        let of_source = self.by_source.get_mut(&source)?;
        let leave = of_source.remove(&number)?;
        if of_source.is_empty() {
            self.by_source.remove(&source);
        }
        self.count -= 1;
        Some(leave)
    }

    /// The peer with the most strangers loses its oldest one.
    fn send_away_one(&mut self) {
        let crowd = self.by_source.iter().max_by_key(|(_, of_source)| of_source.len());
        let first = crowd.and_then(|(source, of_source)| Some((*source, *of_source.keys().next()?)));
        if let Some(leave) = first.and_then(|(source, number)| self.remove(source, number)) {
            leave.cancel();
        }
    }
}

impl Source {
    fn of(peer: Peer) -> Self {
        let ip = match peer {
            Peer::Unix { uid, .. } => return Self::Uid(uid),
            Peer::Tcp(ip) => ip.to_canonical(),
        };
        match ip {
            ip if ip.is_loopback() => Self::Loopback,
            IpAddr::V4(ip) => Self::V4(ip.octets()),
            IpAddr::V6(ip) => {
                let [a, b, c, d, e, f, g, h, ..] = ip.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_are_fewer_places_one_peer_gets_as_large_a_part_of_them() {
        assert_eq!(share(12_288, 16_384, 16_384), 12_288);
        assert_eq!(share(12_288, 400, 16_384), 300);
        assert_eq!(share(1, 8, 16_384), 1);
        assert_eq!(share(1_000_000, 8, 1_000_000), 8);
    }

    fn source(ip: &str) -> Source {
        Source::of(Peer::Tcp(ip.parse().unwrap()))
    }

    #[test]
    fn one_machine_is_one_peer_whichever_of_its_addresses_it_takes() {
        for ip in ["127.0.0.1", "127.0.0.2", "127.255.255.254", "::1", "::ffff:127.0.0.3"] {
            assert_eq!(source(ip), Source::Loopback, "{ip}");
        }
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("2001:db8:1:2::1"), source("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
    }

    fn present(sources: &[Source]) -> (Crowd, Vec<CancellationToken>) {
        let mut present = Crowd::default();
        let tokens = sources.iter().map(|source| {
            let leave = CancellationToken::new();
            present.enter(*source, leave.clone());
            leave
        });
        let tokens = tokens.collect();
        (present, tokens)
    }

    fn who_left(tokens: &[CancellationToken]) -> Vec<usize> {
        (0..tokens.len()).filter(|at| tokens[*at].is_cancelled()).collect()
    }

    #[test]
    fn a_crowd_of_strangers_makes_room_for_others_the_first_of_it_first() {
        let (crowd, other) = (source("192.0.2.1"), source("192.0.2.2"));
        let (mut present, tokens) = present(&[other, crowd, crowd, crowd]);
        present.send_away_one();
        assert_eq!(who_left(&tokens), [1]);
        present.send_away_one();
        assert_eq!(who_left(&tokens), [1, 2]);
        assert_eq!(present.count, 2);
    }

    #[test]
    fn whoever_has_left_is_not_sent_away() {
        let here = source("127.0.0.1");
        let (mut present, tokens) = present(&[here, here]);
        assert!(present.remove(here, 1).is_some() && present.remove(here, 1).is_none());
        present.send_away_one();
        assert_eq!((who_left(&tokens), present.count), (vec![1], 0));
        present.send_away_one();
        assert_eq!(present.by_source.len(), 0);
    }
}
