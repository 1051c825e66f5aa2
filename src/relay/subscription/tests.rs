use super::*;

const RETRY: Duration = Duration::from_secs(1);
const EOSE: Duration = Duration::from_secs(5);

fn asked() -> (Subscription, Instant) {
    let now = Instant::now();
    let (subscription, step) = Subscription::new(RETRY, EOSE, false, now);
    assert_eq!(step, Step::Ask);
    (subscription, now)
}

#[test]
fn it_is_ready_at_eose_and_only_once() {
    let (mut subscription, now) = asked();
    assert_eq!(subscription.eose(now), Step::Ready);
    assert_eq!(subscription.eose(now), Step::Stay);
    assert_eq!(subscription.next(), None);
}

#[test]
fn a_relay_without_eose_is_taken_for_ready_after_a_while() {
    let (mut subscription, now) = asked();
    assert_eq!(subscription.next(), Some(now + EOSE));
    assert_eq!(subscription.due(now + EOSE), Step::Ready);
}

#[test]
fn after_closed_it_asks_again_less_and_less_often_but_always() {
    let (mut subscription, mut now) = asked();
    let mut waits = Vec::new();
    for _ in 0..8 {
        assert_eq!(subscription.closed(false, now), Step::Wait);
        assert_eq!(subscription.eose(now), Step::Stay, "an EOSE that comes too late opens nothing");
        let next = subscription.next().unwrap();
        waits.push((next - now).as_secs());
        now = next;
        assert_eq!(subscription.due(now), Step::Ask);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
}

#[test]
fn a_relay_that_opens_and_closes_it_again_and_again_is_asked_less_and_less_often() {
    let (mut subscription, mut now) = asked();
    let mut waits = Vec::new();
    for held in [1, 1, 1, 1, 60, 1] {
        assert_eq!(subscription.eose(now), Step::Ready);
        now += Duration::from_secs(held);
        assert_eq!(subscription.closed(false, now), Step::Wait);
        assert_eq!(subscription.closed(false, now), Step::Stay, "closed is closed");
        let next = subscription.next().unwrap();
        waits.push((next - now).as_secs());
        now = next;
        assert_eq!(subscription.due(now), Step::Ask);
    }
    assert_eq!(waits, [1, 2, 4, 8, 1, 2]);
}

#[test]
fn a_notice_in_place_of_eose_is_no_readiness_and_it_asks_again_less_and_less_often() {
    let (mut subscription, mut now) = asked();
    for wait in [1, 2, 4] {
        assert_eq!(subscription.noticed(false, now), Step::Stay);
        now = subscription.next().unwrap();
        assert_eq!(subscription.due(now), Step::Doubt);
        let next = subscription.next().unwrap();
        assert_eq!((next - now).as_secs(), wait);
        now = next;
        assert_eq!(subscription.due(now), Step::Ask);
    }
    assert_eq!(subscription.noticed(false, now), Step::Stay);
    assert_eq!(subscription.eose(now), Step::Ready, "an EOSE removes the doubt");
}

#[test]
fn silence_is_no_yes_of_a_relay_that_has_said_anything_else_before() {
    type Act = fn(&mut Subscription, Instant) -> Step;
    let said: [(&str, Act); 10] = [
        ("EOSE, CLOSED", |it, now| [it.eose(now), it.closed(false, now)][1]),
        ("CLOSED", |it, now| it.closed(false, now)),
        ("CLOSED for want of a login", |it, now| it.closed(true, now)),
        ("EOSE, NOTICE", |it, now| [it.eose(now), it.noticed(false, now)][1]),
        ("NOTICE", |it, now| it.noticed(false, now)),
        ("silence, NOTICE", |it, now| [it.due(now), it.noticed(false, now)][1]),
        ("EOSE, NOTICE that objects", |it, now| [it.eose(now), it.noticed(true, now)][1]),
        ("AUTH", |it, _| it.login_asked_for()),
        ("an unknown frame", |it, now| it.wondered("[1]", false, now)),
        ("an OK of no event of ours", |it, _| {
            it.unanswered("OK");
            Step::Stay
        }),
    ];
    for (what, say) in said {
        let (mut subscription, mut now) = asked();
        say(&mut subscription, now);
        let mut doubts = 0;
        while doubts < 4 {
            now = subscription.next().unwrap();
            let step = subscription.due(now);
            assert_ne!(step, Step::Ready, "{what}");
            doubts += usize::from(step == Step::Doubt);
        }
        assert_eq!(subscription.delivered(now), Step::Stay, "it is not asked for");
        now = subscription.next().unwrap();
        assert_eq!((subscription.due(now), subscription.is_doubted()), (Step::Ask, true));
        assert_eq!(subscription.delivered(now), Step::Ready, "{what}, and then an event");
        assert_eq!((subscription.next(), subscription.is_doubted()), (None, false));
    }
}

#[test]
fn an_event_shows_that_a_subscription_that_is_asked_about_is_still_open() {
    let (mut subscription, now) = asked();
    subscription.eose(now);
    subscription.noticed(false, now);
    let now = subscription.next().unwrap();
    assert_eq!((subscription.due(now), subscription.awaits_event()), (Step::Check, true));
    assert_eq!((subscription.delivered(now), subscription.next()), (Step::Stay, None));
}

#[test]
fn a_new_connection_starts_afresh_unless_the_one_before_ended_in_doubt() {
    let now = Instant::now();
    for (doubted, expected) in [(false, Step::Ready), (true, Step::Doubt)] {
        let (mut subscription, _) = Subscription::new(RETRY, EOSE, doubted, now);
        assert_eq!((subscription.awaits_event(), subscription.due(now + EOSE)), (doubted, expected));
    }
}

#[test]
fn a_question_that_could_not_be_sent_is_not_the_relays_word() {
    let (mut subscription, now) = asked();
    subscription.unsent(now);
    let now = subscription.next().unwrap();
    assert_eq!((subscription.due(now), subscription.due(now + EOSE)), (Step::Ask, Step::Ready));
}

#[test]
fn after_a_notice_an_open_subscription_has_to_be_confirmed_at_most_once_a_minute() {
    let (mut subscription, now) = asked();
    subscription.eose(now);
    subscription.noticed(false, now);
    subscription.noticed(false, now);
    let first = subscription.next().unwrap();
    assert_eq!(first, now + CHECK_AFTER);
    assert_eq!(subscription.due(first), Step::Check);
    assert_eq!(subscription.eose(first), Step::Stay);
    assert_eq!(subscription.next(), None);

    subscription.noticed(false, first);
    let second = subscription.next().unwrap();
    assert_eq!(second, first + CHECK_EVERY);
    assert_eq!(subscription.due(second), Step::Check);
    assert_eq!(subscription.due(second + EOSE), Step::Doubt, "it confirmed before and does not now");
    assert_eq!(subscription.next(), Some(second + EOSE + RETRY));
}

#[test]
fn an_objection_ends_readiness_at_once_and_an_answer_brings_it_back_at_once() {
    let (mut subscription, now) = asked();
    subscription.eose(now);
    assert_eq!(subscription.noticed(true, now), Step::Ask);
    assert!(subscription.is_doubted());
    assert_eq!(subscription.noticed(true, now), Step::Stay, "it is asked already");
    assert_eq!(subscription.eose(now), Step::Ready);
}

#[test]
fn a_relay_that_is_silent_after_its_objection_is_asked_less_and_less_often() {
    let (mut subscription, mut now) = asked();
    subscription.eose(now);
    assert_eq!(subscription.noticed(true, now), Step::Ask);
    for wait in [1, 2, 4, 8] {
        now = subscription.next().unwrap();
        assert_eq!(subscription.due(now), Step::Doubt);
        let next = subscription.next().unwrap();
        assert_eq!((next - now).as_secs(), wait);
        now = next;
        assert_eq!(subscription.due(now), Step::Ask);
    }
}

#[test]
fn a_relay_that_objects_and_confirms_again_and_again_is_believed_three_times_and_then_asked_while_ready() {
    let (mut subscription, mut now) = asked();
    subscription.eose(now);
    let mut waits = Vec::new();
    for _ in 0..3 {
        let step = subscription.noticed(true, now);
        let next = if step == Step::Wait { subscription.next().unwrap() } else { now };
        waits.push((next - now).as_secs());
        now = next;
        assert!(step == Step::Ask || subscription.due(now) == Step::Ask);
        assert_eq!(subscription.eose(now), Step::Ready);
    }
    assert_eq!(waits, [0, 1, 2]);
    // From now on it stays ready, and a flood of objections makes us ask every ten seconds.
    let mut asked_at = Vec::new();
    for second in 0..60 {
        let later = now + Duration::from_secs(second);
        assert_eq!(subscription.noticed(true, later), Step::Stay);
        if subscription.next() == Some(later) {
            assert_eq!(subscription.due(later), Step::Check);
            assert_eq!(subscription.eose(later), Step::Stay);
            asked_at.push(second);
        }
    }
    assert!((5..=6).contains(&asked_at.len()), "{asked_at:?}");
    // Once it does not confirm, its objections count again.
    now += Duration::from_secs(60);
    subscription.noticed(true, now);
    now = subscription.next().unwrap();
    assert_eq!(subscription.due(now), Step::Check);
    assert_eq!(subscription.due(now + EOSE), Step::Doubt);
    now = subscription.next().unwrap();
    subscription.due(now);
    assert_eq!((subscription.eose(now), subscription.noticed(true, now)), (Step::Ready, Step::Ask));
}

#[test]
fn an_objection_after_chatter_does_not_wait_for_the_question_that_the_chatter_leads_to() {
    let (mut subscription, now) = asked();
    subscription.eose(now);
    subscription.noticed(false, now);
    assert_eq!(subscription.noticed(true, now), Step::Ask);
    assert_eq!((subscription.eose(now), subscription.next()), (Step::Ready, None));
}

#[test]
fn closed_for_want_of_a_login_it_asks_again_at_once_when_logged_in() {
    let (mut subscription, now) = asked();
    assert_eq!(subscription.closed(true, now), Step::Wait);
    assert_eq!(subscription.authenticated(now), Step::Ask);
    assert_eq!(subscription.eose(now), Step::Ready);
    assert_eq!(subscription.closed(true, now), Step::Ask);
    assert_eq!(subscription.closed(true, now), Step::Wait, "but does not spin");
}

#[test]
fn losses_are_made_up_for_but_a_flood_does_not_make_us_flood() {
    let (mut subscription, now) = asked();
    subscription.eose(now);
    subscription.lost(now);
    subscription.lost(now);
    let first = subscription.next().unwrap();
    assert_eq!(first, now + RECOVER_AFTER);
    assert_eq!(subscription.due(first), Step::Recover);
    assert_eq!(subscription.next(), None);
    subscription.lost(first);
    assert_eq!(subscription.next(), Some(first + RECOVER_EVERY));
}
