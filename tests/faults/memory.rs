//! tests/faults/memory.rs: what a session costs in Redis, through the path that requests take.
//! `MEMORY_SESSIONS=100000` (scripts/redis-memory) makes it the full measurement.

use std::net::SocketAddr;
use std::time::Duration;

use deadpool_redis::redis::cmd;
use rocket::http::{Header, Status};
use rocket::local::asynchronous::{Client, LocalRequest};
use rocket::{get, post, routes};
use rocket_identity::testing::Clock;
use rocket_identity::{Auth, Error, Identity, SessionUser, User, UserId};
use serde::{Deserialize, Serialize};

use crate::support::figment;
use crate::support::redis::Redis;

#[derive(Clone, Serialize, Deserialize)]
struct Account {
    id: u64,
    name: String,
}

impl User for Account {
    fn id(&self) -> UserId {
        self.id.into()
    }
}

#[get("/me")]
fn me(_user: SessionUser<Account>) {}

/// JSON of 60 bytes: `{"id":100000,"name":"..."}`.
fn account(id: u64) -> Account {
    Account { id, name: "n".repeat(37) }
}

#[post("/login-60/<id>")]
async fn login_60(auth: Auth<'_, Account>, id: u64) -> Result<(), Error> {
    auth.login(account(id)).await.map(drop)
}

fn used(redis: &Redis) -> u64 {
    let memory: String = redis.ask(cmd("INFO").arg("memory"));
    let line = memory.lines().find_map(|line| line.strip_prefix("used_memory:"));
    line.unwrap().trim().parse().unwrap()
}

/// As from a browser: an agent of 100 bytes, and an address.
async fn send(request: LocalRequest<'_>) -> (Status, String) {
    let from: SocketAddr = "203.0.113.207:50000".parse().unwrap();
    let request = request
        .remote(from)
        .header(Header::new("User-Agent", "Mozilla/5.0 ".repeat(9)[..100].to_owned()));
    let answer = request.dispatch().await;
    let cookie = answer.headers().get_one("Set-Cookie").unwrap_or_default();
    (answer.status(), cookie.split(';').next().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_takes_at_most_480_bytes_of_redis_and_620_once_it_was_used() {
    let _alone = crate::alone().await;
    let sessions: u64 = std::env::var("MEMORY_SESSIONS").map_or(4_000, |n| n.parse().unwrap());
    assert_eq!(serde_json::to_string(&account(100_000)).unwrap().len(), 60);
    let redis = Redis::start(&[]);
    let clock = Clock::stopped();
    let rocket = rocket::custom(
        figment("release")
            .merge(("databases.identity.url", redis.url()))
            .merge(("log_level", "off")),
    )
    .attach(Identity::<Account>::sessions())
    .manage(clock.clone())
    .mount("/", routes![me, login_60]);
    let client = Client::untracked(rocket).await.unwrap();
    // The scripts are loaded and compiled before the first look.
    send(client.post("/login-60/1")).await;
    let before = used(&redis);
    let mut cookies = Vec::new();
    for n in 0..sessions {
        // 50,000 users of six digits; the two logins of a user are far apart.
        let user = 100_000 + n % (sessions / 2);
        let (status, cookie) = send(client.post(format!("/login-60/{user}"))).await;
        assert_eq!(status, Status::Ok);
        cookies.push(cookie);
    }
    let per_session = |used: u64| (used - before) as f64 / sessions as f64;
    let login = per_session(used(&redis));
    clock.advance(Duration::from_secs(200));
    for cookie in &cookies {
        let cookie = Header::new("Cookie", cookie.clone());
        assert_eq!(send(client.get("/me").header(cookie)).await.0, Status::Ok);
    }
    let touched = per_session(used(&redis));
    println!("{sessions} sessions of {} users, bytes of Redis a session:", sessions / 2);
    println!("  as login leaves it  {login:.0} (at most 480)");
    println!("  once it was used    {touched:.0} (at most 620)");
    assert!(touched > login, "no session was touched");
    assert!(login <= 480.0 && touched <= 620.0, "{login:.0} and {touched:.0} bytes");
}
