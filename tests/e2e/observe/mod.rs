//! What the daemon tells its operator: metrics, the log, the document of its API.

mod logs;
mod metrics;
mod openapi;
