//! The address of a browser behind proxies.

use std::net::IpAddr;

use axum::http::HeaderMap;

use crate::config::Subnet;

/// The browser's address. Only a listed proxy is believed, and only about the one that it heard from: each proxy
/// appends the address of its own caller, so the list is read from its end until an address is not a proxy's.
pub(super) fn of_browser(peer: IpAddr, headers: &HeaderMap, proxies: &[Subnet]) -> IpAddr {
    let is_proxy = |address: &IpAddr| proxies.iter().any(|proxy| proxy.contains(*address));
    let mut address = peer.to_canonical();
    let lines: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).collect();
    let mut named = lines.iter().flat_map(|line| line.split(',')).rev();
    while is_proxy(&address) {
        let Some(next) = named.next().and_then(|text| text.trim().parse::<IpAddr>().ok()) else { break };
        address = next.to_canonical();
    }
    address
}

/// What counts as one address: an IPv4 address, or a /64, because a host that has one address of it usually has all.
pub(super) fn bucket(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(ip) => IpAddr::from((u128::from(ip) >> 64 << 64).to_be_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_with_many_ipv6_addresses_is_one() {
        let bucket = |text: &str| bucket(text.parse().unwrap());
        assert_eq!(bucket("2001:db8:1:2::1"), bucket("2001:db8:1:2:ffff::9"));
        assert_ne!(bucket("2001:db8:1:2::1"), bucket("2001:db8:1:3::1"));
        assert_ne!(bucket("192.0.2.1"), bucket("192.0.2.2"));
    }

    fn address(peer: &str, lines: &[&'static str], proxies: &[&str]) -> String {
        let proxies: Vec<Subnet> = proxies.iter().map(|text| text.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        of_browser(peer.parse().unwrap(), &headers, &proxies).to_string()
    }

    #[test]
    fn a_header_counts_only_if_a_listed_proxy_sent_it() {
        assert_eq!(address("127.0.0.1", &["192.0.2.1"], &["127.0.0.1"]), "192.0.2.1");
        assert_eq!(address("127.0.0.1", &["192.0.2.1"], &[]), "127.0.0.1");
        assert_eq!(address("198.51.100.1", &["192.0.2.1"], &["127.0.0.1"]), "198.51.100.1");
        assert_eq!(address("::ffff:127.0.0.1", &["::ffff:192.0.2.1"], &["127.0.0.1"]), "192.0.2.1");
    }

    #[test]
    fn a_browser_that_makes_up_addresses_is_known_by_the_one_that_the_proxy_saw() {
        let proxies = ["127.0.0.1", "10.0.0.0/8"];
        assert_eq!(address("127.0.0.1", &["203.0.113.9, 192.0.2.1"], &proxies), "192.0.2.1");
        assert_eq!(address("127.0.0.1", &["203.0.113.9", "192.0.2.1, 10.0.0.7"], &proxies), "192.0.2.1");
        assert_eq!(address("127.0.0.1", &["203.0.113.9, nonsense"], &proxies), "127.0.0.1");
        assert_eq!(address("127.0.0.1", &["10.1.1.1"], &proxies), "10.1.1.1", "one inside");
        assert_eq!(address("127.0.0.1", &[], &proxies), "127.0.0.1");
    }
}
