//! Several daemons on one database do anything at once: each transition happens once, and whoever made it is told.

use std::collections::BTreeMap;
use std::sync::Mutex;

use futures_util::future::join_all;
use portico::store::{
    Approval, Attempt, AuditKind, DeliveryState, Ended, Handshake, Scan, SessionChoice, Store, StoreError,
    StoredEvent, StreamId, User,
};
use proptest::prelude::*;

use crate::fixtures::*;
use crate::people::*;
use crate::store::{new_database, open};

/// What one daemon does. Numbers are few, so that daemons meet.
#[derive(Clone, Copy, Debug)]
enum Call {
    OpenUrl { stream: u8 },
    OpenChallenge { stream: u8 },
    Scan { event_id: u8, first: u8, second: u8, one_time: bool, asks: bool },
    Approve { challenge: u8, user: u8, session: u8 },
    Decline { challenge: u8 },
    EndStream { stream: u8 },
    LogIn { user: u8, session: u8 },
    LogOut { session: u8 },
    LogOutAll { user: u8 },
    Disable { user: u8 },
    Delete { user: u8 },
    Deliver { gives_up: bool },
    RetryAll,
}

fn call() -> impl Strategy<Value = Call> {
    let (stream, user, session) = (0..4_u8, 0..2_u8, 20..26_u8);
    prop_oneof![
        3 => stream.clone().prop_map(|stream| Call::OpenUrl { stream }),
        2 => stream.clone().prop_map(|stream| Call::OpenChallenge { stream }),
        4 => (0..6_u8, stream.clone(), stream.clone(), any::<bool>(), any::<bool>()).prop_map(
            |(event_id, first, second, one_time, asks)| Call::Scan { event_id, first, second, one_time, asks }
        ),
        3 => (0..10_u8, user.clone(), session.clone())
            .prop_map(|(challenge, user, session)| Call::Approve { challenge, user, session }),
        2 => (0..10_u8).prop_map(|challenge| Call::Decline { challenge }),
        1 => stream.prop_map(|stream| Call::EndStream { stream }),
        3 => (user.clone(), session.clone()).prop_map(|(user, session)| Call::LogIn { user, session }),
        2 => session.prop_map(|session| Call::LogOut { session }),
        1 => user.clone().prop_map(|user| Call::LogOutAll { user }),
        1 => user.clone().prop_map(|user| Call::Disable { user }),
        1 => user.prop_map(|user| Call::Delete { user }),
        3 => any::<bool>().prop_map(|gives_up| Call::Deliver { gives_up }),
        1 => Just(Call::RetryAll),
    ]
}

/// Everything that callers were told, by all daemons.
#[derive(Default)]
struct Told(Mutex<BTreeMap<(StreamId, u64), StoredEvent>>);

impl Told {
    fn hear(&self, stream: StreamId, event: StoredEvent) {
        let twice = self.0.lock().unwrap().insert((stream, event.index), event);
        assert_eq!(twice, None, "one place in a stream was given to two");
    }

    fn hear_ends(&self, ended: Vec<Ended>) {
        ended.into_iter().for_each(|ended| self.hear(ended.session, ended.event));
    }
}

/// What a conflict comes to: nothing.
fn done<T>(answer: Result<Option<T>, StoreError>) -> Option<T> {
    match answer {
        Ok(done) => done,
        Err(StoreError::Conflict) => None,
        Err(error) => panic!("{error}"),
    }
}

async fn perform(store: &dyn Store, by: &str, call: Call, told: &Told) {
    // A name of the one who does it, so that two never do the same.
    let event = event(&format!("{call:?} by {by}"), 200);
    match call {
        Call::OpenUrl { stream: n } => {
            let opened = Handshake { token: n.to_string(), ..static_login(stream(n)) };
            done(store.open_handshake(&opened).await.map(Some));
        }
        Call::OpenChallenge { stream: n } => {
            done(store.open_challenge(&challenge(&n.to_string(), stream(n))).await.map(Some));
        }
        Call::Scan { event_id, first, second, one_time, asks } => {
            let asked = asks.then(|| challenge(&(4 + event_id).to_string(), stream(first)));
            let streams =
                if first == second { vec![stream(first)] } else { vec![stream(first), stream(second)] };
            let events = streams.iter().map(|stream| (*stream, event.clone())).collect();
            let scan = Scan { one_time, challenge: asked, events, ..scan(event_id, &[]) };
            for (stream, event) in done(store.record_scan(&scan).await).into_iter().flatten() {
                told.hear(stream, event);
            }
        }
        Call::Approve { challenge, user, session } => {
            let known = known(store, user).await;
            let approval = Approval { session: Some(login(session, &person(user), known)), ..approval(user) };
            let name = challenge.to_string();
            let closed = done(store.close_challenge(&name, &event, Some(&approval)).await);
            if let Some((event, begun)) = closed {
                told.hear(stream_of(store, &event).await, event);
                let begun = begun.expect("it begins a session");
                told.hear(crate::fixtures::stream(session), begun.event);
                told.hear_ends(begun.superseded);
            }
        }
        Call::Decline { challenge } => {
            let name = challenge.to_string();
            if let Some((event, _)) = done(store.close_challenge(&name, &event, None).await) {
                told.hear(stream_of(store, &event).await, event);
            }
        }
        Call::EndStream { stream: n } => {
            if let Some(last) = done(store.end_stream(stream(n), &event).await) {
                told.hear(stream(n), last);
            }
        }
        _ => perform_on_people(store, call, (format!("{call:?} by {by}"), event), told).await,
    }
}

/// The stream of an event, whose body is unique.
async fn stream_of(store: &dyn Store, event: &StoredEvent) -> StreamId {
    for n in 0..4 {
        let page = store.events_after(stream(n), event.index - 1, 1).await.unwrap();
        if page.is_some_and(|page| page.events.contains(event)) {
            return stream(n);
        }
    }
    panic!("the caller was told what is not stored: {event:?}")
}

async fn known(store: &dyn Store, n: u8) -> Option<u64> {
    store.user(user_id(n)).await.unwrap().map(|user| user.revision)
}

async fn perform_on_people(
    store: &dyn Store,
    call: Call,
    why: (String, portico::store::EventDraft),
    told: &Told,
) {
    let record = |user| audit(AuditKind::SessionsRevoked, user_id(user), 200);
    match call {
        Call::LogIn { user, session } => {
            let known = known(store, user).await;
            let login = login(session, &User { revision: known.unwrap_or(1), ..person(user) }, known);
            if let Some(begun) = done(store.begin_session(&login).await.map(Some)) {
                told.hear(stream(session), begun.event);
                told.hear_ends(begun.superseded);
            }
        }
        Call::LogOut { session } => {
            let which = SessionChoice::One(stream(session));
            told.hear_ends(store.end_sessions(which, &why, &record(0)).await.unwrap());
        }
        Call::LogOutAll { user } => {
            let which = SessionChoice::AllOf(user_id(user));
            told.hear_ends(store.end_sessions(which, &why, &record(user)).await.unwrap());
        }
        Call::Disable { user } => {
            let Some(known) = known(store, user).await else { return };
            let disabled = User { disabled: true, revision: known + 1, ..person(user) };
            let ended = done(store.change_user(&disabled, Some(&why), &record(user)).await);
            told.hear_ends(ended.unwrap_or_default());
        }
        Call::Delete { user } => {
            let ended = done(store.delete_user(user_id(user), None, &why, &record(user)).await);
            told.hear_ends(ended.unwrap_or_default());
        }
        Call::Deliver { gives_up } => {
            let attempt =
                if gives_up { Attempt::GivenUp { error: "http_500".into() } } else { Attempt::Delivered };
            for head in store.heads(2).await.unwrap() {
                store.record_attempt(&head, at(300), &attempt).await.unwrap();
            }
        }
        Call::RetryAll => {
            retry_deliveries(store, None, 400).await;
        }
        _ => unreachable!("{call:?} is not about people"),
    }
}

async fn assert_consistent(store: &dyn Store, told: &Told) {
    let told = told.0.lock().unwrap().clone();
    for n in (0..4).chain(20..26) {
        let Some(page) = store.events_after(stream(n), 0, 10_000).await.unwrap() else { continue };
        let here = told.range((stream(n), 0)..=(stream(n), u64::MAX));
        let expected: Vec<_> = here.map(|(_, event)| event.clone()).collect();
        assert_eq!(
            page.events, expected,
            "somebody was told what is not stored, or is stored and was told to nobody"
        );
        let indexes: Vec<u64> = page.events.iter().map(|event| event.index).collect();
        assert_eq!(indexes, (1..=page.latest).collect::<Vec<_>>());
        if let Some(session) = store.session(stream(n)).await.unwrap() {
            assert_eq!(session.ended.is_some(), page.ended, "a session ends with its stream");
            let user = store.user(session.user).await.unwrap().expect("a session has a user");
            assert!(session.ended.is_some() || !user.disabled, "somebody who is disabled is logged in");
        }
    }
    assert_heads(store).await;
}

/// Of each stream, the earliest that waits is the head, and no other.
async fn assert_heads(store: &dyn Store) {
    let owed = store.undelivered(None, 10_000).await.unwrap();
    let mut waiting: BTreeMap<StreamId, Vec<DeliveryState>> = BTreeMap::new();
    for delivery in &owed.deliveries {
        if !matches!(delivery.state, DeliveryState::Failed(_)) {
            waiting.entry(delivery.stream).or_default().push(delivery.state);
        }
    }
    for (stream, states) in waiting {
        let heads = states.iter().filter(|state| matches!(state, DeliveryState::Head(_))).count();
        assert!(matches!(states[0], DeliveryState::Head(_)), "nobody delivers the events of {stream}");
        assert_eq!(heads, 1, "{stream}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn of_three_daemons_that_do_anything_at_once_each_is_told_what_it_did(
        calls in proptest::collection::vec(proptest::collection::vec(call(), 0..25), 3)
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let url = new_database().await;
            let stores = join_all(calls.iter().map(async |_| Box::new(open(&url).await) as Box<dyn Store>)).await;
            let told = Told::default();
            join_all(stores.iter().zip(calls).enumerate().map(|(by, (store, calls))| {
                let told = &told;
                async move {
                    for (step, call) in calls.into_iter().enumerate() {
                        perform(&**store, &format!("daemon {by}, step {step}"), call, told).await;
                    }
                }
            }))
            .await;
            assert_consistent(&*stores[0], &told).await;
            join_all(stores.iter().map(|store| store.close())).await;
        });
    }
}
