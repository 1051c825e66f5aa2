//! The host that a request names.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::{Version, header};

use crate::http::envelope::ApiError;

/// A request names its host once, and before HTTP/1.1 it need not (RFC 9112 §3.2).
pub(super) fn check_form(request: &Request) -> Result<(), ApiError> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let is_well_formed = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok().and_then(host_name).is_some(),
        (None, _) => request.version() < Version::HTTP_11,
        (Some(_), Some(_)) => false,
    };
    let message = "send exactly one Host header, with a host and an optional port";
    is_well_formed.then_some(()).ok_or_else(|| ApiError::bad_request(message))
}

/// The host of a `Host` header, without its port (RFC 9110 §7.2). `None`: it is malformed.
pub(super) fn host_name(host: &str) -> Option<&str> {
    let (name, rest) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let has_good_port =
        matches!(rest, "" | ":") || rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    // None of these is in a host's name (RFC 3986 §3.2.2), and some end it elsewhere.
    let is_plain = !name.contains([' ', '\t', ',', '/', '\\', '?', '#', '@', '<', '>', '"']);
    (has_good_port && is_plain).then_some(name)
}

pub(super) fn is_loopback(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
