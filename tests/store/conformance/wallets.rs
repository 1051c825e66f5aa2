use portico::store::{Approval, KnownSubkey, Scan, Store, WalletLogin};

use crate::fixtures::*;

pub(crate) async fn the_relays_of_the_last_scan_hold(store: &dyn Store) {
    store.open_handshake(&static_login(stream(1))).await.unwrap();
    assert!(store.preferred_relays(&user(1)).await.unwrap().is_empty());
    for (n, relays) in [(1, vec!["wss://a", "wss://b"]), (2, vec!["wss://c"]), (3, vec![])] {
        let preferred_relays: Vec<String> = relays.into_iter().map(str::to_owned).collect();
        let scan =
            Scan { preferred_relays: preferred_relays.clone(), one_time: false, ..scan(n, &[stream(1)]) };
        store.record_scan(&scan).await.unwrap().unwrap();
        assert_eq!(store.preferred_relays(&user(1)).await.unwrap(), preferred_relays);
    }
    assert!(store.preferred_relays(&user(2)).await.unwrap().is_empty());
}

pub(crate) async fn subkeys_come_latest_first_and_the_longest_unseen_goes(store: &dyn Store) {
    for (n, seen_at) in [(11, 101), (12, 104), (13, 102), (14, 103)] {
        store.remember_subkey(&user(1), &subkey(n, seen_at), 3).await.unwrap();
    }
    let expected = [subkey(12, 104), subkey(14, 103), subkey(13, 102)];
    assert_eq!(store.subkeys(&user(1)).await.unwrap(), expected);
}

pub(crate) async fn a_subkey_belongs_to_one_user_only(store: &dyn Store) {
    store.remember_subkey(&user(1), &subkey(11, 101), 1).await.unwrap();
    store.remember_subkey(&user(2), &subkey(12, 102), 1).await.unwrap();
    assert_eq!(store.subkeys(&user(1)).await.unwrap(), [subkey(11, 101)]);
    assert_eq!(store.subkeys(&user(2)).await.unwrap(), [subkey(12, 102)]);
    assert!(store.subkeys(&user(3)).await.unwrap().is_empty());
}

pub(crate) async fn a_subkey_shown_again_is_refreshed(store: &dyn Store) {
    store.remember_subkey(&user(1), &subkey(11, 101), 2).await.unwrap();
    store.remember_subkey(&user(1), &subkey(12, 102), 2).await.unwrap();
    let refreshed = KnownSubkey { proof: "newer".into(), ..subkey(11, 103) };
    store.remember_subkey(&user(1), &refreshed, 2).await.unwrap();
    store.remember_subkey(&user(1), &subkey(13, 104), 2).await.unwrap();
    assert_eq!(store.subkeys(&user(1)).await.unwrap(), [subkey(13, 104), refreshed]);
}

/// A thief who has a subkey must not sign for its user once the proof has expired, after a restart or a second login
/// either.
pub(crate) async fn until_when_a_key_signs_is_kept_with_it(store: &dyn Store) {
    let logged_in = async |name: &str, n: u8, wallet: WalletLogin| {
        store.open_challenge(&challenge(name, stream(n))).await.unwrap();
        let approved = Approval { wallet, session: None };
        store.close_challenge(name, &event("approved", 200), Some(&approved)).await.unwrap().unwrap();
        assert_eq!(store.signer(&wallet.signer).await.unwrap(), Some(wallet));
    };
    let main = WalletLogin { signer: user(1), user: user(1), until: None };
    let subkey = WalletLogin { signer: user(7), user: user(1), until: Some(at(1_000)) };
    logged_in("a", 1, main).await;
    logged_in("b", 2, subkey).await;
    logged_in("c", 3, WalletLogin { user: user(2), until: Some(at(2_000)), ..subkey }).await;
    logged_in("d", 4, WalletLogin { signer: user(7), user: user(7), until: None }).await;
    assert_eq!(store.signer(&user(1)).await.unwrap(), Some(main));
    assert_eq!(store.signer(&user(9)).await.unwrap(), None);
}

fn subkey(n: u8, seen_at: u64) -> KnownSubkey {
    KnownSubkey { key: user(n), proof: format!(r#"{{"name":"{n}"}}"#), seen_at: at(seen_at) }
}
