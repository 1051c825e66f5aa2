//! Keys of access tokens give way on schedule.

use std::time::Duration;

use portico::config::SessionRules;
use portico::session::{Actor, Offered, Rotation};
use portico::wallet::Credential;

use crate::world::World;

#[tokio::test(start_paused = true)]
async fn after_its_time_a_key_gives_way_to_a_new_one_and_verifies_on() {
    let rules = SessionRules { enabled: true, ..SessionRules::default() };
    let world = World::new(rules);
    let rotation = Rotation::new(world.mint().clone(), world.store(), world.clock());
    let worker = tokio::spawn(rotation.on_schedule());
    world.advance(30 * 24 * 3600 - 60);
    let text = format!("1.{}.0", world.now() + 3600);
    let actor = Actor::peer(&"test");
    let credential = Credential::alone(&text);
    let begun = world.sessions().login(None, credential, actor.clone()).await.unwrap();
    let before = world.mint().states();
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(world.mint().states().len(), 1, "not before its time");

    world.advance(60);
    let rotated = async {
        while world.mint().states().len() < 2 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(600), rotated).await.expect("a new key");
    let after = world.mint().states();
    assert_ne!(after[0].kid, before[0].kid);
    assert_eq!((&after[1].kid, after[1].retired_at.is_some()), (&before[0].kid, true));
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
