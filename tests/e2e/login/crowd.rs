//! Many users at the same instant.

use std::collections::HashSet;

use futures_util::future::join_all;

use crate::support::daemon::Daemon;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;

const USERS: usize = 200;

#[tokio::test]
async fn two_hundred_users_log_in_at_the_same_instant_over_one_subscription() {
    let relay = TestRelay::with().max_subs(20).no_ok_for_ephemeral().start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let rest = daemon.rest();
    let mut phones: Vec<Phone> = (0..USERS).map(|_| Phone::new()).collect();
    let url = relay.url();
    join_all(phones.iter_mut().map(|phone| phone.connect(&url))).await;

    // Each user is asked, and answers without any delay, while all the others are asked and answer too.
    let streams = join_all(phones.iter_mut().map(|phone| async {
        let key = phone.key();
        let answering = async {
            let asked = phone.challenge().await;
            phone.approve(&asked).await;
            asked.challenge.challenge
        };
        let (stream, challenge) = tokio::join!(rest.authenticate(key), answering);
        (key.to_hex(), stream, challenge)
    }))
    .await;

    let mut socket = daemon.websocket().await;
    for (user, stream, challenge) in &streams {
        socket.subscribe(stream, 0).await;
        let events = socket.until_ended(stream).await;
        assert_eq!(events.len(), 1);
        assert_eq!(
            (&events[0]["user_key"], &events[0]["challenge"]),
            (&user[..].into(), &challenge[..].into())
        );
        assert_eq!(events[0]["status"]["status"], "approved");
    }
    let challenges: HashSet<&String> = streams.iter().map(|(_, _, challenge)| challenge).collect();
    assert_eq!(challenges.len(), USERS, "no two requests share a challenge");
    // The one for what wallets send, and for a moment the one that asks for the profile of the service.
    relay.until("both questions of the daemon", |state| state.reqs_on(1).len() >= 2).await;
    let state = relay.state();
    assert_eq!(state.reqs_on(1), ["portico", "ask-0"]);
    assert_eq!(state.connections_seen, 1 + USERS as u64, "the daemon has one connection");
}
