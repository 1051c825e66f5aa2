//! The built daemon as its operator meets it: under a service manager, reloaded, backed up, brought up to date.

mod backup;
mod clock;
mod credentials;
mod files;
mod handed_over;
mod listener;
mod manager;
mod reload;
#[path = "../support/mod.rs"]
mod support;
mod upgrade;
