//! tests/testing.rs: the help for an application's own tests.
#![cfg(feature = "testing")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::time::Duration;

use rocket::http::Status;
use rocket::local::{asynchronous, blocking};
use rocket::{Build, Rocket, get, post, routes};
use rocket_identity::{Auth, Error, Identity, SessionUser, User, UserId, testing};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct Account {
    id: u64,
}

impl User for Account {
    fn id(&self) -> UserId {
        self.id.into()
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Admin {
    id: u64,
}

impl User for Admin {
    fn id(&self) -> UserId {
        self.id.into()
    }
}

#[get("/")]
fn home(user: SessionUser<Account>) -> String {
    user.id.to_string()
}

#[get("/admin")]
fn admin(user: SessionUser<Admin>) -> String {
    user.id.to_string()
}

#[post("/logout")]
async fn logout(auth: Auth<'_, Account>) -> Result<(), Error> {
    auth.logout().await
}

fn app() -> Rocket<Build> {
    rocket::custom(rocket::Config::debug_default())
        .attach(Identity::<Account>::sessions())
        .attach(Identity::<Admin>::sessions().named("admin"))
        .mount("/", routes![home, admin, logout])
}

#[rocket::async_test]
async fn a_tracked_client_stays_logged_in_until_it_logs_out_or_the_clock_says_so() {
    let clock = testing::Clock::stopped();
    let client = asynchronous::Client::tracked(app().manage(clock.clone())).await.unwrap();
    let status = async || client.get("/").dispatch().await.status();
    assert_eq!(status().await, Status::Unauthorized);
    testing::login(&client, Account { id: 1 }).await.unwrap();
    assert_eq!(status().await, Status::Ok);
    client.post("/logout").dispatch().await;
    assert_eq!(status().await, Status::Unauthorized);
    testing::login(&client, Account { id: 1 }).await.unwrap();
    clock.advance(Duration::from_secs(30 * 60));
    assert_eq!(status().await, Status::Unauthorized);
}

#[rocket::async_test]
async fn an_untracked_client_is_logged_in_by_the_cookie_that_it_is_given() {
    let client = asynchronous::Client::untracked(app()).await.unwrap();
    let cookie = testing::login(&client, Account { id: 1 }).await.unwrap();
    assert_eq!(client.get("/").dispatch().await.status(), Status::Unauthorized);
    assert_eq!(client.get("/").cookie(cookie).dispatch().await.status(), Status::Ok);
}

#[test]
fn a_blocking_client_is_logged_in_as_each_kind_of_user_by_its_type() {
    let client = blocking::Client::tracked(app()).unwrap();
    testing::blocking::login(&client, Account { id: 1 }).unwrap();
    assert_eq!(client.get("/admin").dispatch().status(), Status::Unauthorized);
    testing::blocking::login(&client, Admin { id: 2 }).unwrap();
    assert_eq!(client.get("/").dispatch().into_string().as_deref(), Some("1"));
    assert_eq!(client.get("/admin").dispatch().into_string().as_deref(), Some("2"));
}

#[rocket::async_test]
async fn a_login_that_cannot_be_says_why() {
    let rocket = rocket::custom(rocket::Config::debug_default());
    let client = asynchronous::Client::tracked(rocket).await.unwrap();
    let error = testing::login(&client, Account { id: 1 }).await.unwrap_err();
    assert_eq!(error.code(), "fairing_missing");
}

/// Whatever else the application sets on every response.
#[rocket::async_test]
async fn the_cookie_that_is_given_is_the_sessions_own() {
    let rocket = app().attach(rocket::fairing::AdHoc::on_response("theme", |_, response| {
        Box::pin(async {
            response.adjoin_raw_header("Set-Cookie", "theme=dark");
            response.adjoin_raw_header("Set-Cookie", "zoom=2");
        })
    }));
    let client = asynchronous::Client::untracked(rocket).await.unwrap();
    let cookie = testing::login(&client, Account { id: 1 }).await.unwrap();
    assert_eq!(cookie.name(), "session");
}
