//! What the daemon tells its operator: metrics, the log, the document of its API.

mod dashboard;
mod logs;
mod metrics;
mod openapi;
