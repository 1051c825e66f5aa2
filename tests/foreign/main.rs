//! Portico beside other people's software: nginx, Caddy and HAProxy in front of apps on Express and WSGI, the JOSE
//! libraries of npm and PyPI, and their libraries for webhooks; and schemathesis, which tests the API by its document.
//!
//! `cargo test` alone leaves this out; `.ci/run` installs what it takes and runs `cargo test --test foreign`.

/// Makes of each function, which takes a gateway, a test for every gateway.
macro_rules! for_every_gateway {
    ($($test:ident),+ $(,)?) => {
        for_every_gateway! { @with nginx Nginx $($test)+ }
        for_every_gateway! { @with caddy Caddy $($test)+ }
        for_every_gateway! { @with haproxy Haproxy $($test)+ }
    };
    (@with $name:ident $gateway:ident $($test:ident)+) => {
        mod $name {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::gateways::Gateway::$gateway).await;
            })+
        }
    };
}

mod app;
mod browser;
mod connection;
mod document;
mod forged;
mod gateways;
mod guarding;
mod libraries;
mod lies;
mod login_page;
mod paths;
mod sign_in;
mod site;
#[path = "../support/mod.rs"]
mod support;
mod verifiers;
mod web_page;
mod webhooks;

use support::daemon::{Daemon, Plan};
use support::relay::TestRelay;

/// A daemon that keeps sessions, to be started.
fn with_sessions(relay: &TestRelay, config: &str) -> Plan {
    Daemon::on(&[relay]).with_config(&format!("[sessions]\nenabled = true\n{config}"))
}
