use futures_util::future::join_all;
use portico::rights::{Right, Rights};
use portico::store::{AuditDraft, AuditFilter, AuditKind, Store, StoreError, StoredApiToken};

use crate::fixtures::*;

fn token(n: u8, name: &str) -> StoredApiToken {
    StoredApiToken {
        id: [n; 8],
        name: name.into(),
        secret_hash: [n; 32],
        rights: Rights::from(Right::Check).and(Right::Login.into()),
        made_by: "unix uid 0".into(),
        made_at: at(100),
        expires_at: n.is_multiple_of(2).then(|| at(900)),
        used_at: None,
    }
}

fn told(kind: AuditKind, name: &str) -> AuditDraft {
    AuditDraft {
        at: at(100),
        kind,
        user: None,
        session: None,
        provider: None,
        wallet_id: None,
        reason: None,
        detail: Some(format!(r#"{{"name":"{name}"}}"#)),
        actor: "unix uid 0".into(),
    }
}

fn made(name: &str) -> AuditDraft {
    told(AuditKind::ApiTokenMade, name)
}

fn revoked(name: &str) -> AuditDraft {
    told(AuditKind::ApiTokenRevoked, name)
}

async fn audited(store: &dyn Store) -> usize {
    store.audit(&AuditFilter::default(), None, 100).await.unwrap().len()
}

pub(crate) async fn a_token_comes_back_as_it_was_made_in_the_order_of_names(store: &dyn Store) {
    let (shop, ops) = (token(1, "shop"), token(2, "ops"));
    assert!(store.add_api_token(&shop, 9, &made("shop")).await.unwrap());
    assert!(store.add_api_token(&ops, 9, &made("ops")).await.unwrap());
    assert_eq!(store.api_tokens().await.unwrap(), [ops, shop]);
    let records = store.audit(&AuditFilter::default(), None, 100).await.unwrap();
    assert_eq!(
        records.into_iter().map(|record| record.draft).collect::<Vec<_>>(),
        [made("ops"), made("shop")]
    );
}

pub(crate) async fn no_two_tokens_have_one_name_or_one_id(store: &dyn Store) {
    store.add_api_token(&token(1, "shop"), 9, &made("shop")).await.unwrap();
    for taken in [token(2, "shop"), token(1, "other")] {
        let refused = store.add_api_token(&taken, 9, &made("taken")).await;
        assert_eq!(refused, Err(StoreError::Conflict), "{taken:?}");
    }
    assert_eq!(store.api_tokens().await.unwrap(), [token(1, "shop")]);
    assert_eq!(audited(store).await, 1, "what was not done is not in the audit");
}

pub(crate) async fn of_a_hundred_who_make_a_token_as_many_do_as_there_may_be(store: &dyn Store) {
    let tokens: Vec<_> = (0..100).map(|n| token(n, &format!("t{n}"))).collect();
    let record = made("t");
    let added = join_all(tokens.iter().map(|token| store.add_api_token(token, 7, &record))).await;
    assert_eq!(added.iter().filter(|added| **added == Ok(true)).count(), 7);
    assert_eq!(added.iter().filter(|added| **added == Ok(false)).count(), 93);
    assert_eq!(store.api_tokens().await.unwrap().len(), 7);
    assert_eq!(audited(store).await, 7);
}

pub(crate) async fn a_token_is_revoked_once_and_its_name_is_free_then(store: &dyn Store) {
    store.add_api_token(&token(1, "shop"), 1, &made("shop")).await.unwrap();
    assert_eq!(store.revoke_api_token("Shop", &revoked("Shop")).await, Ok(None), "names are exact");
    assert_eq!(store.revoke_api_token("shop", &revoked("shop")).await, Ok(Some([1; 8])));
    assert_eq!(store.revoke_api_token("shop", &revoked("shop")).await, Ok(None));
    assert_eq!(audited(store).await, 2);
    assert_eq!(store.api_tokens().await.unwrap(), []);
    assert!(store.add_api_token(&token(2, "shop"), 1, &made("shop")).await.unwrap());
}

pub(crate) async fn a_use_is_kept_and_brings_no_revoked_token_back(store: &dyn Store) {
    for (n, name) in [(1, "a"), (2, "b"), (3, "c")] {
        store.add_api_token(&token(n, name), 9, &made(name)).await.unwrap();
    }
    store.revoke_api_token("b", &revoked("b")).await.unwrap();
    store.api_tokens_used(&[([1; 8], at(200)), ([2; 8], at(200))]).await.unwrap();
    store.api_tokens_used(&[([1; 8], at(300))]).await.unwrap();
    let used = StoredApiToken { used_at: Some(at(300)), ..token(1, "a") };
    assert_eq!(store.api_tokens().await.unwrap(), [used, token(3, "c")]);
}
