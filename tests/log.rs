//! tests/log.rs: nothing secret reaches a log record of ours, at any level; what reaches it is one
//! line. Rows are those of the project's security checklist.
#![cfg(feature = "testing")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use rocket::{get, post, routes};
use rocket_identity::{Auth, Error, Identity, SessionUser, User, UserId, catchers};
use serde::{Deserialize, Serialize};
use support::{Captured, Server, figment};

#[derive(Clone, Serialize, Deserialize)]
struct Account {
    id: String,
}

impl User for Account {
    fn id(&self) -> UserId {
        self.id.as_str().into()
    }
}

#[post("/login", data = "<id>")]
async fn login(auth: Auth<'_, Account>, id: String) -> Result<(), Error> {
    auth.login(Account { id }).await.map(drop)
}

#[get("/me")]
fn me(user: SessionUser<Account>) -> String {
    user.id.clone()
}

#[post("/logout")]
async fn logout(auth: Auth<'_, Account>) -> Result<(), Error> {
    auth.logout().await
}

/// Rows 31, 91 and 93. The log is this process's, so that one test has the file to itself.
#[tokio::test]
async fn no_ticket_nor_user_text_is_in_our_log_at_trace() {
    let captured = Captured::install();
    let rocket = rocket::custom(figment("release"))
        .attach(Identity::<Account>::sessions())
        .register("/", catchers())
        .mount("/", routes![login, me, logout]);
    let server = Server::start(rocket).await;
    let id = "mallory\r\nError: [forged] line\u{1b}[31m";
    let login = server.send_bytes("POST /login\nContent-Type: text/plain", id.as_bytes()).await;
    let cookie = login.cookie().to_owned();
    let value = cookie.split_once('=').unwrap().1.to_owned();
    server.send(&format!("GET /me\nCookie: {cookie}")).await;
    server.send(&format!("GET /me\nCookie: {cookie}; {cookie}")).await;
    server.send(&format!("POST /logout\nCookie: {cookie}\nOrigin: https://evil.test")).await;
    server.send(&format!("POST /logout\nCookie: {cookie}")).await;
    server.send(&format!("GET /me\nCookie: {cookie}")).await;
    let empty = server.send("POST /login\nContent-Type: text/plain").await;
    assert_eq!((empty.status, &*empty.code()), (500, "invalid_user_id"));

    let ours = captured.of("rocket_identity");
    for event in ["identity.login", "identity.logout", "session_invalid", "cross_origin", "RI006"] {
        assert!(ours.iter().any(|text| text.contains(event)), "{event}: {ours:?}");
    }
    for text in &ours {
        assert!(!text.contains(&value[..43]) && !text.contains(&value[44..]), "{text}");
        assert!(!text.contains("mallory"), "{text}");
        assert!(!text.contains(['\r', '\n', '\u{1b}']), "{text:?}");
    }
    // The test itself can see a ticket: Rocket prints `Set-Cookie` nowhere, but our capture works.
    assert!(captured.of("rocket::").iter().any(|text| text.contains("/login")));
}
