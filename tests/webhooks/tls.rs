//! A receiver with a certificate of the business's own CA.

use crate::receiver::{Mood, Receiver};
use crate::something_happens;
use crate::support::ca::{Ca, Flaw, TlsFront};
use crate::support::daemon::{Daemon, Plan};
use crate::support::soon;

/// A daemon whose events go to the receiver behind this.
fn posting(receiver: &Receiver, front: &TlsFront, ca: &Ca) -> Plan {
    let plan = Daemon::offline();
    let webhook = receiver.config();
    let plain = format!("http://{}", receiver.address);
    assert!(webhook.contains(&plain), "{webhook}");
    let tls = ca.trusted_in(plan.folder());
    plan.with_config(&format!("{tls}{}", webhook.replace(&plain, &format!("https://{}", front.host()))))
}

#[tokio::test]
async fn events_are_posted_to_a_receiver_with_a_certificate_of_the_business() {
    let (ca, receiver) = (Ca::new(), Receiver::start(Mood::Takes).await);
    let front = ca.before(receiver.address, Flaw::Nothing).await;
    let daemon = posting(&receiver, &front, &ca).start().await;
    let stream = something_happens(&daemon).await;
    receiver.until_came(&stream, 1).await;
}

#[tokio::test]
async fn each_fault_of_the_receivers_server_is_told_as_what_it_is() {
    let (ca, receiver) = (Ca::new(), Receiver::start(Mood::Takes).await);
    for (flaw, code, text) in [
        (Flaw::Expired, "tls_certificate_expired", "certificate has expired"),
        (Flaw::WrongName, "tls_certificate_wrong_name", "certificate is for another name"),
        (Flaw::OldTls, "tls_old_version", "neither TLS 1.2 nor TLS 1.3"),
        (Flaw::NoTls, "tls_not_spoken", "does not speak TLS"),
        (Flaw::HangsUp, "tls_handshake_ended", "ended the connection"),
        (Flaw::Nothing, "tls_unknown_issuer", "tls.ca_file"),
    ] {
        let foreign = Ca::new();
        let issuer = if flaw == Flaw::Nothing { &foreign } else { &ca };
        let front = issuer.before(receiver.address, flaw).await;
        let daemon = posting(&receiver, &front, &ca).start().await;
        something_happens(&daemon).await;
        let tried = soon(code, async {
            loop {
                let listed = daemon.rest().get("/webhooks").await.data()["deliveries"].take();
                if listed[0]["last_error"].is_string() {
                    return listed[0]["last_error"].clone();
                }
                tokio::task::yield_now().await;
            }
        });
        assert_eq!(tried.await, code);
        daemon.until_logged("event not delivered yet").await;
        let log = daemon.log();
        let line = log.lines().find(|line| line.contains("event not delivered yet")).unwrap();
        assert!(line.contains("\"WARN\"") && line.contains(code) && line.contains(text), "{line}");
    }
}
