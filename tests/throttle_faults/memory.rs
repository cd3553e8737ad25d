//! tests/throttle_faults/memory.rs: what the throttle's keys cost in Redis, through the path that requests
//! take. `THROTTLE_ENTRIES=10000` (scripts/throttle-memory) makes it the full measurement.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use deadpool_redis::redis::cmd;
use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::{post, routes};
use rocket_identity::testing::Clock;
use rocket_identity::throttle::{Quota, Throttle};
use rocket_identity::{Auth, Error, Identity};

use crate::support::redis::Redis;
use crate::support::{Account, figment};

#[post("/guess/<name>")]
async fn guess(auth: Auth<'_, Account>, name: &str) -> Result<Status, Error> {
    auth.attempt(name).await.map(|_failed| Status::Unauthorized)
}

#[post("/login/<name>")]
async fn login(auth: Auth<'_, Account>, name: &str) -> Result<Status, Error> {
    let attempt = auth.attempt(name).await?;
    attempt.login(Account { id: 1 }).await.map(|_| Status::Ok)
}

/// Of an address.
const REFILL: Duration = Duration::from_secs(10);

const HOURLY: Quota = Quota::new(3, Duration::from_secs(60 * 60)).unwrap();

#[post("/search")]
async fn search(throttle: Throttle<'_, Account>) -> Result<(), Error> {
    throttle.by_address("search", HOURLY).await
}

fn used(redis: &Redis) -> u64 {
    let memory: String = redis.ask(cmd("INFO").arg("memory"));
    let line = memory.lines().find_map(|line| line.strip_prefix("used_memory:"));
    line.unwrap().trim().parse().unwrap()
}

struct Bench {
    redis: Redis,
    client: Client,
    clock: Clock,
    entries: u32,
}

impl Bench {
    /// Bytes of Redis an entry, when `path` was asked for each from an address of its own or from one.
    async fn takes(&self, path: &str, own_address: bool, status: Status) -> f64 {
        let before = used(&self.redis);
        for n in 0..self.entries {
            let address = Ipv4Addr::from_bits(0xCB00_0000 + if own_address { n } else { 0 });
            let path = path.replace("{}", &(100_000 + n).to_string());
            let request = self.client.post(path).remote(SocketAddr::from((address, 50_000)));
            assert_eq!(request.dispatch().await.status(), status);
            // The one address may try again.
            self.clock.advance(REFILL);
        }
        (used(&self.redis) as f64 - before as f64) / f64::from(self.entries)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_an_address_and_a_device_take_at_most_so_many_bytes_of_redis() {
    let _alone = crate::alone().await;
    let entries: u32 = std::env::var("THROTTLE_ENTRIES").map_or(500, |n| n.parse().unwrap());
    let (redis, clock) = (Redis::start(&[]), Clock::stopped());
    // Sessions would be in the same Redis; an access token in a cookie is in none, and a browser that
    // has one is known all the same.
    let figment = figment("debug")
        .merge(("databases.identity.url", redis.url()))
        .merge(("identity.jwt.transport", "cookie"))
        .merge(("identity.throttle.address_burst", 10_000))
        .merge(("identity.throttle.address_refill", REFILL.as_secs()))
        .merge(("log_level", "off"));
    let rocket = rocket::custom(figment)
        .attach(Identity::<Account>::jwt())
        .manage(clock.clone())
        .mount("/", routes![guess, login, search]);
    let client = Client::untracked(rocket).await.unwrap();
    let mut bench = Bench { redis, client, clock, entries: 1 };
    // The scripts are compiled, and the one address is there, before the first look.
    for (path, status) in
        [("/guess/x", Status::Unauthorized), ("/login/y", Status::Ok), ("/search", Status::Ok)]
    {
        bench.takes(path, false, status).await;
    }
    bench.entries = entries;
    let device = bench.takes("/login/c{}", false, Status::Ok).await;
    let mut nine_more = 0.0;
    for _ in 0..9 {
        nine_more += bench.takes("/login/c{}", false, Status::Ok).await;
    }
    let account = bench.takes("/guess/a{}", false, Status::Unauthorized).await;
    let route = bench.takes("/search", true, Status::Ok).await;
    // Last: the bucket of an address that was used once is gone within minutes, by the clock of Redis.
    let both = bench.takes("/guess/b{}", true, Status::Unauthorized).await;
    let address = both - account;
    println!("{entries} entries of the throttle in Redis, bytes each:");
    println!("  an account               {account:.0} (at most 250)");
    println!("  an address               {address:.0} (at most 250)");
    println!("  a route's bucket         {route:.0} (at most 250)");
    println!("  an account's one device  {device:.0} (at most 350)");
    println!("  its ten devices          {:.0} (at most 1,300)", device + nine_more);
    assert!(account <= 250.0 && address <= 250.0 && route <= 250.0);
    assert!(device <= 350.0 && device + nine_more <= 1_300.0);
}
