//! What the service knows when somebody asks how it is doing.

use super::Portal;
use crate::metrics::Reading;

impl Portal {
    /// How much is open, what waits.
    pub fn read_into(&self, reading: &mut Reading) {
        let (handshakes, challenges) = self.registry.open();
        let help = "Handshake and login URLs that wait to be scanned.";
        reading.gauge("portico_open_handshakes", help, &[], handshakes as f64);
        reading.gauge(
            "portico_open_challenges",
            "Challenges that wait to be answered.",
            &[],
            challenges as f64,
        );
        let help = "Messages of wallets that wait to be handled.";
        reading.gauge("portico_inbox_messages", help, &[], self.relays.waiting() as f64);
        let help = "Events that are published until they are answered.";
        reading.gauge("portico_outbox_events", help, &[], self.relays.publications() as f64);
        if let Some(size) = self.store.size() {
            let help = "The database on the disk, its write-ahead log included, in bytes.";
            reading.gauge("portico_store_size_bytes", help, &[], size as f64);
        }
        let help = "When it started, in Unix time.";
        let started = self.started_at.millis() as f64 / 1000.0;
        reading.gauge("process_start_time_seconds", help, &[], started);
    }
}
