use futures_util::future::join_all;
use portico::store::KeyStore;

/// What a store has, without the secrets' wrapping.
async fn text(keys: &dyn KeyStore) -> Option<String> {
    keys.load_keys().await.unwrap().map(|stored| stored.text.to_string())
}

pub(crate) async fn keys_that_were_never_stored_are_none(keys: &dyn KeyStore) {
    assert_eq!(keys.load_keys().await, Ok(None));
    assert_eq!(keys.replace_keys(Some([7; 32]), "ring").await, Ok(None), "there is nothing to replace");
    assert_eq!(keys.load_keys().await, Ok(None));
}

pub(crate) async fn keys_come_back_as_they_were_stored(keys: &dyn KeyStore) {
    let ring = format!("{{\n  \"größe\": \"{}\"\n}}", "x".repeat(8_000));
    let revision = keys.replace_keys(None, &ring).await.unwrap().expect("the first keys");
    let stored = keys.load_keys().await.unwrap().unwrap();
    assert_eq!((&**stored.text, stored.revision), (&*ring, revision));
    assert!(!format!("{stored:?}").contains("xxx"), "{stored:?}");
}

pub(crate) async fn keys_are_replaced_by_who_knows_the_last_ones(keys: &dyn KeyStore) {
    let first = keys.replace_keys(None, "first").await.unwrap().unwrap();
    assert_eq!(keys.replace_keys(None, "other").await, Ok(None), "there are keys already");
    let second = keys.replace_keys(Some(first), "second").await.unwrap().unwrap();
    assert_ne!(first, second);
    assert_eq!(keys.replace_keys(Some(first), "other").await, Ok(None), "those were replaced");
    assert_eq!(text(keys).await.as_deref(), Some("second"));
    assert!(keys.replace_keys(Some(second), "third").await.unwrap().is_some());
    assert_eq!(text(keys).await.as_deref(), Some("third"));
}

pub(crate) async fn of_a_hundred_who_replace_the_keys_one_does(keys: &dyn KeyStore) {
    let mut known = None;
    for round in 0..3 {
        let texts: Vec<_> = (0..100).map(|n| format!("keys {round}.{n}")).collect();
        let replaced = join_all(texts.iter().map(|text| keys.replace_keys(known, text))).await;
        let mut winners = texts.iter().zip(replaced).filter_map(|(text, done)| Some((text, done.unwrap()?)));
        let (winner, revision) = winners.next().expect("one of them");
        assert!(winners.next().is_none(), "two of them replaced the same keys");
        assert_eq!(text(keys).await.as_deref(), Some(&**winner));
        known = Some(revision);
    }
}
