//! Metrics that are read when somebody asks for them.

use super::Portal;
use crate::metrics::Reading;

impl Portal {
    /// Adds the numbers of open requests and of waiting messages.
    pub async fn read_into(&self, reading: &mut Reading) {
        let (handshakes, challenges) = self.registry.open();
        let help = "Open handshake and login URLs that wait for a scan.";
        reading.gauge("portico_open_handshakes", help, &[], handshakes as f64);
        reading.gauge(
            "portico_open_challenges",
            "Open challenges that wait for an answer.",
            &[],
            challenges as f64,
        );
        let help = "Wallet messages that wait to be handled.";
        reading.gauge("portico_inbox_messages", help, &[], self.relays.waiting() as f64);
        let help = "Events that Portico keeps publishing until they are answered.";
        reading.gauge("portico_outbox_events", help, &[], self.relays.publications() as f64);
        if let Some(size) = self.store.size().await {
            let help = "Size of the database on disk in bytes, including its write-ahead log.";
            reading.gauge("portico_store_size_bytes", help, &[], size as f64);
        }
        let help = "Start time of the process, in seconds since the Unix epoch.";
        let started = self.started_at.millis() as f64 / 1000.0;
        reading.gauge("process_start_time_seconds", help, &[], started);
    }
}
