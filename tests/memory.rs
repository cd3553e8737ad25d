//! tests/memory.rs: what only the memory store has: a bound in all.
#![cfg(feature = "testing")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use rocket::{post, routes};
use rocket_identity::{Auth, Error, Identity, catchers};
use support::{Account, Server, figment};

#[post("/login/<id>")]
async fn login(auth: Auth<'_, Account>, id: u64) -> Result<(), Error> {
    auth.login(Account { id }).await.map(drop)
}

#[tokio::test]
async fn a_login_beyond_the_bound_is_503_sets_no_cookie_and_says_when_to_come_again() {
    let rocket = rocket::custom(figment("release").merge(("identity.memory.max_sessions", 1)))
        .attach(Identity::<Account>::sessions())
        .register("/", catchers())
        .mount("/", routes![login]);
    let server = Server::start(rocket).await;
    assert_eq!(server.send("POST /login/1").await.status, 200);
    let full = server.send("POST /login/2").await;
    assert_eq!((full.status, &*full.code()), (503, "store_full"));
    assert!(full.sets_no_cookie() && !full.all("retry-after").is_empty());
}
