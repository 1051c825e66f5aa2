//! Keys of access tokens give way on schedule, to keys that are known already.

use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use portico::config::SessionRules;
use portico::session::{Actor, Offered};
use portico::tokens::{KeyFile, Mint};
use portico::wallet::Credential;
use serde_json::Value;

use crate::world::World;

#[tokio::test(start_paused = true)]
async fn after_its_time_a_key_gives_way_to_a_new_one_and_verifies_on() {
    let rules = SessionRules { enabled: true, ..SessionRules::default() };
    let world = World::new(rules).await;
    let rotation = world.rotation();
    let worker = tokio::spawn(rotation.on_schedule());
    world.advance(30 * 24 * 3600 - 60);
    let text = format!("1.{}.0", world.now() + 3600);
    let actor = Actor::peer(&"test");
    let credential = Credential::alone(&text);
    let begun = world.sessions().login(None, credential, actor.clone()).await.unwrap();
    let before = world.mint().states();
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(world.mint().states().len(), 2, "not before its time");

    world.advance(60);
    let rotated = async {
        while world.mint().states().len() < 3 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(600), rotated).await.expect("a new key");
    let after = world.mint().states();
    assert_eq!(after[0].kid, before[1].kid);
    assert_eq!((&after[2].kid, after[2].retired_at.is_some()), (&before[0].kid, true));
    let published = world.mint().jwks().to_string();
    assert!(after.iter().all(|key| published.contains(&key.kid)));
    let token = Some(begun.access_token.expose());
    let offered = Offered { access_token: token, credential: Some(credential), provider: None };
    // It was signed a minute ago, and has run out by now; it is known all the same.
    let error = world.sessions().check("verify", offered, &actor).await.unwrap_err();
    assert_eq!(error.to_string(), "the access token has expired");
    world.sessions().refresh(token, credential, None, &actor).await.unwrap();
    worker.abort();
}

/// The ids of a mint's keys, as it knows them.
fn kids(mint: &Mint) -> Vec<String> {
    mint.states().into_iter().map(|key| key.kid).collect()
}

#[tokio::test(start_paused = true)]
async fn of_two_processes_that_find_a_rotation_due_one_rotates() {
    let world = World::new(SessionRules { enabled: true, ..SessionRules::default() }).await;
    let (second, rotation) = world.second_mint().await;
    let workers = [rotation, world.rotation()].map(|rotation| tokio::spawn(rotation.on_schedule()));
    world.advance(30 * 24 * 3600);
    let rotated = async {
        while kids(world.mint()).len() < 3 || kids(&second).len() < 3 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(600), rotated).await.expect("both know the new key");
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(kids(world.mint()).len(), 3, "one of them rotated");
    assert_eq!(kids(world.mint()), kids(&second));
    workers.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_rotation_keeps_the_keys_that_another_process_has_made_meanwhile() {
    let mut world = World::new(SessionRules { enabled: true, ..SessionRules::default() }).await;
    let actor = Actor::peer(&"test");
    let (second, rotation) = world.second_mint().await;
    let theirs = world.rotation().rotate(&actor).await.unwrap();
    let ours = rotation.rotate(&actor).await.unwrap();
    let known = kids(&second);
    assert_eq!((known.len(), &known[0], &known[2]), (4, &ours.kid, &theirs.kid));
    world.restart().await;
    assert_eq!(kids(world.mint()), known, "so they are stored");
}

#[tokio::test]
async fn keys_that_were_damaged_meanwhile_are_not_written_over() {
    let world = World::new(SessionRules { enabled: true, ..SessionRules::default() }).await;
    let before = kids(world.mint());
    std::fs::write(world.key_file(), "damaged").unwrap();
    let refused = world.rotation().rotate(&Actor::peer(&"test")).await.unwrap_err().to_string();
    assert!(refused.contains("access-keys.json: not a key file"), "{refused}");
    assert_eq!(std::fs::read_to_string(world.key_file()).unwrap(), "damaged");
    assert_eq!(kids(world.mint()), before, "it signs on");
}

#[tokio::test]
async fn a_token_of_the_key_after_a_rotation_verifies_from_keys_published_before_it() {
    let mut world = World::new(SessionRules { enabled: true, ..SessionRules::default() }).await;
    let actor = Actor::peer(&"test");
    for _ in 0..3 {
        let published: JwkSet = serde_json::from_value(world.mint().jwks()).unwrap();
        let rotation = world.rotation();
        let signs = rotation.rotate(&actor).await.unwrap();
        let text = format!("1.{}.0", world.now() + 3600);
        let begun = world.sessions().login(None, Credential::alone(&text), actor.clone()).await.unwrap();
        let token = begun.access_token.expose();
        assert_eq!(decode_header(token).unwrap().kid.as_ref(), Some(&signs.kid));
        let key = DecodingKey::from_jwk(published.find(&signs.kid).expect("it is published")).unwrap();
        let mut only_signature = Validation::new(jsonwebtoken::Algorithm::ES256);
        (only_signature.validate_exp, only_signature.validate_aud) = (false, false);
        decode::<Value>(token, &key, &only_signature).unwrap();
        // The next key is the same one after a restart.
        world.restart().await;
    }
}

#[tokio::test]
async fn a_next_key_that_was_missing_in_the_file_stays_the_same_from_then_on() {
    let mut world = World::new(SessionRules { enabled: true, ..SessionRules::default() }).await;
    let whole = world.mint().states();
    let mut file: Value = serde_json::from_slice(&std::fs::read(world.key_file()).unwrap()).unwrap();
    file["keys"].as_array_mut().unwrap().truncate(1);
    std::fs::write(world.key_file(), file.to_string()).unwrap();
    KeyFile::new(world.key_file(), portico::config::files::Owners::ours()).check().unwrap();
    assert_eq!(
        std::fs::read_to_string(world.key_file()).unwrap(),
        file.to_string(),
        "a check changes nothing"
    );

    world.restart().await;
    let given = world.mint().states();
    assert_eq!((given.len(), &given[0].kid), (2, &whole[0].kid));
    assert_ne!(given[1].kid, whole[1].kid);
    world.restart().await;
    assert_eq!(world.mint().states()[1].kid, given[1].kid);
}
