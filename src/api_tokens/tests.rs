use std::sync::Mutex;

use async_trait::async_trait;
use secrecy::ExposeSecret;

use super::*;
use crate::clock::TokioClock;
use crate::store::{self, AuditDraft};

/// A store in memory that notes what is written.
#[derive(Debug, Default)]
struct Noted {
    tokens: Mutex<Vec<StoredApiToken>>,
    audit: Mutex<Vec<AuditDraft>>,
    uses: Mutex<Vec<Vec<Timestamp>>>,
}

#[async_trait]
impl ApiTokens for Noted {
    async fn add_api_token(
        &self,
        token: &StoredApiToken,
        max: usize,
        audit: &AuditDraft,
    ) -> store::Result<bool> {
        let mut tokens = self.tokens.lock().unwrap();
        if tokens.len() >= max {
            return Ok(false);
        }
        if tokens.iter().any(|known| known.name == token.name) {
            return Err(StoreError::Conflict);
        }
        tokens.push(token.clone());
        self.audit.lock().unwrap().push(audit.clone());
        Ok(true)
    }

    async fn revoke_api_token(&self, name: &str, audit: &AuditDraft) -> store::Result<Option<ApiTokenId>> {
        let mut tokens = self.tokens.lock().unwrap();
        let Some(at) = tokens.iter().position(|token| token.name == name) else { return Ok(None) };
        self.audit.lock().unwrap().push(audit.clone());
        Ok(Some(tokens.remove(at).id))
    }

    async fn api_tokens(&self) -> store::Result<Vec<StoredApiToken>> {
        Ok(self.tokens.lock().unwrap().clone())
    }

    async fn api_tokens_used(&self, used: &[(ApiTokenId, Timestamp)]) -> store::Result<()> {
        self.uses.lock().unwrap().push(used.iter().map(|(_, at)| *at).collect());
        Ok(())
    }
}

struct Fixture {
    store: Arc<Noted>,
    tokens: Arc<NamedTokens>,
    lifecycle: Lifecycle,
}

async fn fixture() -> Fixture {
    let (store, lifecycle) = (Arc::<Noted>::default(), Lifecycle::default());
    let clock = Arc::new(TokioClock::starting_at(Timestamp::from_secs(1000)));
    let tokens = NamedTokens::start(store.clone(), clock, lifecycle.clone()).await.unwrap();
    Fixture { store, tokens, lifecycle }
}

fn operator() -> Maker {
    Maker { actor: Actor::peer(&"unix uid 0"), rights: Rights::ALL, token: None }
}

fn shop(lifetime: Option<u64>) -> NewApiToken {
    let may = Rights::from(Right::Check).and(Right::Login.into());
    NewApiToken { name: "shop".into(), may, lifetime: lifetime.map(Duration::from_secs) }
}

impl Fixture {
    async fn make(&self, new: NewApiToken) -> SecretString {
        self.tokens.make(new, operator()).await.unwrap().1
    }

    fn admit(&self, text: &SecretString) -> Result<Arc<HeldToken>, NotAdmitted> {
        self.tokens.admit(text.expose_secret())
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_admits_its_holder_until_it_expires() {
    let fixture = fixture().await;
    let text = fixture.make(shop(Some(90))).await;
    let held = fixture.admit(&text).unwrap();
    assert_eq!(held.rights(), shop(None).may);
    assert_eq!(*held.label(), *format!("token:shop#{}", hex::encode(held.id())));
    tokio::time::advance(Duration::from_millis(89_999)).await;
    assert!(fixture.admit(&text).is_ok() && !held.is_over());
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(fixture.admit(&text).unwrap_err(), NotAdmitted::Expired);
    held.over().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_the_end_of_a_token_learns_of_its_expiry_and_of_a_revocation_at_once() {
    let fixture = fixture().await;
    let held = fixture.admit(&fixture.make(shop(Some(3600))).await).unwrap();
    let began = tokio::time::Instant::now();
    held.over().await;
    assert_eq!(began.elapsed(), Duration::from_secs(3600));

    fixture.tokens.revoke("shop".into(), operator()).await.unwrap();
    let held = fixture.admit(&fixture.make(shop(None)).await).unwrap();
    let (began, waiting) = (tokio::time::Instant::now(), tokio::spawn(async move { held.over().await }));
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    fixture.tokens.revoke("shop".into(), operator()).await.unwrap();
    waiting.await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_admits_nobody_and_its_name_is_free() {
    let fixture = fixture().await;
    let old = fixture.make(shop(None)).await;
    fixture.tokens.revoke("shop".into(), operator()).await.unwrap();
    assert_eq!(fixture.admit(&old).unwrap_err(), NotAdmitted::Unknown);
    let again = fixture.tokens.revoke("shop".into(), operator()).await;
    assert!(matches!(again, Err(NamedTokenError::NoSuchToken)));
    let new = fixture.make(shop(None)).await;
    assert_eq!(fixture.admit(&old).unwrap_err(), NotAdmitted::Unknown);
    assert!(fixture.admit(&new).is_ok());
    let kinds: Vec<_> = fixture.store.audit.lock().unwrap().iter().map(|record| record.kind).collect();
    assert_eq!(kinds, [AuditKind::ApiTokenMade, AuditKind::ApiTokenRevoked, AuditKind::ApiTokenMade]);
}

/// A look-up by the secret, or by its hash, would take a time that reveals how much of it was right.
#[tokio::test(start_paused = true)]
async fn a_look_up_goes_by_the_public_part_alone_and_the_hash_of_the_secret_decides() {
    let fixture = fixture().await;
    let text = fixture.make(shop(None)).await;
    let (id, secret) = written::parts(text.expose_secret()).unwrap();
    let stored = fixture.store.api_tokens().await.unwrap().remove(0);
    {
        let held = fixture.tokens.held.read().unwrap();
        assert_eq!(held.keys().collect::<Vec<_>>(), [&id], "the key is public");
        assert!(held[&id].has_secret(secret));
    }
    // The daemon keeps no secret, and the hash that it keeps opens nothing.
    let public = hex::encode(id);
    let stolen = hex::encode(stored.secret_hash);
    let kept = format!("{stored:?} {:?} {:?}", fixture.tokens, fixture.store.audit);
    assert!(!kept.contains(secret) && !kept.contains(&stolen), "{kept}");
    for wrong in [stolen.as_str(), "", &secret[..63], &format!("{secret}0"), &secret.to_uppercase()] {
        let wrong = format!("portico_{public}_{wrong}");
        assert_eq!(fixture.tokens.admit(&wrong).unwrap_err(), NotAdmitted::Unknown, "{wrong}");
    }
    let another = format!("portico_{}_{secret}", "00".repeat(8));
    assert_eq!(fixture.tokens.admit(&another).unwrap_err(), NotAdmitted::Unknown);
    assert_eq!(fixture.tokens.admit(secret).unwrap_err(), NotAdmitted::Unknown);
}

/// Two changes wait for each other, and the first one revokes the maker of the second.
#[tokio::test(start_paused = true)]
async fn a_change_that_comes_after_the_revocation_of_its_maker_is_refused() {
    let fixture = fixture().await;
    let all = NewApiToken { name: "ops".into(), may: Rights::ALL, lifetime: None };
    let held = fixture.admit(&fixture.make(all).await).unwrap();
    let by = || Maker { token: Some(Arc::clone(&held)), ..operator() };
    fixture.tokens.make(shop(None), by()).await.unwrap();
    fixture.tokens.revoke("ops".into(), operator()).await.unwrap();
    let another = NewApiToken { name: "another".into(), ..shop(None) };
    let made = fixture.tokens.make(another, by()).await;
    assert!(matches!(made, Err(NamedTokenError::MakerIsOver)));
    assert!(matches!(fixture.tokens.revoke("shop".into(), by()).await, Err(NamedTokenError::MakerIsOver)));
    assert_eq!(fixture.store.tokens.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_makes_a_token_with_a_right_that_they_do_not_have() {
    let fixture = fixture().await;
    let few = Maker { rights: Rights::from(Right::Operate), ..operator() };
    let refused = fixture.tokens.make(shop(None), few.clone()).await.unwrap_err();
    assert!(matches!(refused, NamedTokenError::MissingRight(Right::Check)), "{refused}");
    let all = NewApiToken { may: Rights::ALL, ..shop(None) };
    assert!(matches!(fixture.tokens.make(all, few.clone()).await, Err(NamedTokenError::MissingRight(_))));
    let own = NewApiToken { may: Right::Operate.into(), ..shop(None) };
    assert!(fixture.tokens.make(own, few).await.is_ok());
    assert_eq!(fixture.store.tokens.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn there_are_so_many_tokens_and_no_two_of_one_name() {
    let fixture = fixture().await;
    fixture.make(shop(None)).await;
    let taken = fixture.tokens.make(shop(None), operator()).await;
    assert!(matches!(taken, Err(NamedTokenError::NameTaken(name)) if name == "shop"));
    for n in 1..MAX_TOKENS {
        fixture.make(NewApiToken { name: format!("t{n}"), ..shop(None) }).await;
    }
    let one_more = NewApiToken { name: "more".into(), ..shop(None) };
    let refused = fixture.tokens.make(one_more, operator()).await.unwrap_err();
    assert!(matches!(refused, NamedTokenError::LimitReached), "{refused}");
    fixture.tokens.revoke("t1".into(), operator()).await.unwrap();
    fixture.make(NewApiToken { name: "more".into(), ..shop(None) }).await;
}

#[tokio::test(start_paused = true)]
async fn the_last_use_is_written_once_a_minute_however_often_a_token_is_used_and_at_the_end() {
    let fixture = fixture().await;
    let text = fixture.make(shop(None)).await;
    for _ in 0..119 {
        fixture.admit(&text).unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let used_at = fixture.tokens.list().await.unwrap()[0].used_at;
    assert_eq!(used_at, Some(Timestamp::from_secs(1118)), "a list shows the use at once");
    tokio::time::sleep(Duration::from_secs(600)).await;
    let uses = |fixture: &Fixture| {
        let uses: Vec<u64> = fixture.store.uses.lock().unwrap().concat().iter().map(|at| at.secs()).collect();
        uses
    };
    let scheduled = uses(&fixture);
    assert_eq!(scheduled.len(), 2, "a token that is not used writes nothing: {scheduled:?}");
    assert_eq!(scheduled[1], 1118);
    fixture.admit(&text).unwrap();
    fixture.lifecycle.stop();
    assert!(fixture.lifecycle.drained(std::future::pending()).await);
    assert_eq!(uses(&fixture).len(), 3, "the last use is written when the daemon stops");
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_stops_makes_and_revokes_nothing() {
    let fixture = fixture().await;
    fixture.make(shop(None)).await;
    fixture.lifecycle.stop();
    let new = NewApiToken { name: "late".into(), ..shop(None) };
    assert!(matches!(fixture.tokens.make(new, operator()).await, Err(NamedTokenError::Stopping)));
    let revoked = fixture.tokens.revoke("shop".into(), operator()).await;
    assert!(matches!(revoked, Err(NamedTokenError::Stopping)));
    assert_eq!(fixture.store.tokens.lock().unwrap().len(), 1);
}
