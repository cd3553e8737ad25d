//! tests/throttle_faults.rs: the door on a real Redis: what each login sends, and who is let in while Redis
//! is killed, paused, filled or turned into a replica. Rows are those of the project's security
//! checklist.
#![cfg(all(feature = "testing", feature = "redis", feature = "password", feature = "jwt"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "faults take real time")]
#![allow(clippy::print_stdout, reason = "the figures")]

#[path = "throttle_faults/memory.rs"]
mod memory;
mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rocket::futures::future::join_all;
use rocket::http::Status;
use rocket::{State, get, post, routes};
use rocket_identity::auth::Accounts;
use rocket_identity::event::Event;
use rocket_identity::password::{Hooks, Passwords};
use rocket_identity::throttle::{Quota, Throttle};
use rocket_identity::{Auth, Error, Identity, JwtUser, SessionUser, catchers};
use support::redis::{Proxy, Redis};
use support::{Account, Answer, Server, figment};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard};

/// With the time-outs as they are an answer is there by then, whatever Redis does.
const SOON: Duration = Duration::from_secs(2);

/// Whoever is asked for exists with the password `right`; who was looked up, and what was checked.
#[derive(Default)]
struct Table {
    finds: AtomicU32,
    checks: AtomicU32,
}

impl Table {
    /// As a check of a stored text of a kind of our own.
    fn check(&self, typed: &str, stored: &str) -> Option<bool> {
        self.checks.fetch_add(1, Ordering::SeqCst);
        stored.strip_prefix("is ").map(|right| right == typed)
    }
}

impl Accounts<Account> for Table {
    type Error = Error;

    async fn find(&self, _: &str) -> Result<Option<(Account, String)>, Error> {
        self.finds.fetch_add(1, Ordering::SeqCst);
        Ok(Some((Account { id: 1 }, "is right".into())))
    }

    async fn replace_hash(&self, _: &Account, _: &str, _: &str) {}
}

/// The token, where there is one.
#[post("/login/<name>/<password>")]
async fn login(
    auth: Auth<'_, Account>,
    table: &State<Arc<Table>>,
    passwords: &State<Passwords>,
    name: &str,
    password: &str,
) -> Result<(Status, String), Error> {
    match auth.authenticate(&***table, passwords, name, password).await? {
        Some(login) => {
            let login = login.await?;
            let token = login.tokens().map(|tokens| tokens.access_token().to_owned());
            Ok((Status::Ok, token.unwrap_or_default()))
        }
        None => Ok((Status::Unauthorized, String::new())),
    }
}

/// The same flow taken apart, for whoever knows.
#[post("/apart/<name>")]
async fn apart(auth: Auth<'_, Account>, name: &str) -> Result<(), Error> {
    auth.attempt(name).await?.login(Account { id: 1 }).await.map(drop)
}

const MAILS: Quota = Quota::new(3, Duration::from_secs(20 * 60)).unwrap();

#[post("/mail/<name>")]
async fn mail(throttle: Throttle<'_, Account>, name: &str) -> Result<(), Error> {
    throttle.by_account("mail", name, MAILS).await
}

#[post("/search")]
async fn search(throttle: Throttle<'_, Account>) -> Result<(), Error> {
    throttle.by_address("search", MAILS).await
}

#[post("/forget/<name>")]
async fn forget(auth: Auth<'_, Account>, name: &str) -> Result<(), Error> {
    auth.forget_devices(name).await
}

#[get("/me")]
fn of_session(user: SessionUser<Account>) -> String {
    user.id.to_string()
}

#[get("/me")]
fn of_token(user: JwtUser<Account>) -> String {
    user.id.to_string()
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum By {
    Sessions,
    Tokens,
}

/// One process of an application.
struct Door {
    server: Server,
    table: Arc<Table>,
    told: Arc<Mutex<Vec<Event>>>,
    limit: Duration,
}

impl Door {
    /// It waits for Redis as long as a test may have to where the machine is busy.
    async fn open(by: By, redis: &str) -> Self {
        Self::open_with(by, redis, "5s", SOON * 5).await
    }

    /// With the time-outs as they are.
    async fn open_impatient(by: By, redis: &str) -> Self {
        Self::open_with(by, redis, "250ms", SOON).await
    }

    async fn open_with(by: By, redis: &str, timeout: &str, limit: Duration) -> Self {
        let (table, told) = (Arc::<Table>::default(), Arc::<Mutex<Vec<Event>>>::default());
        let (identity, guarded) = match by {
            By::Sessions => (Identity::<Account>::sessions(), routes![of_session]),
            By::Tokens => (Identity::<Account>::jwt(), routes![of_token]),
        };
        let (checks, events) = (table.clone(), told.clone());
        let identity = identity
            .passwords(Hooks::new().foreign(move |typed, stored| checks.check(typed, stored)))
            .on_event(move |event| events.lock().unwrap().push(event.clone()));
        let figment = figment("debug")
            .merge(("databases.identity.url", redis))
            .merge(("databases.identity.command_timeout", timeout))
            .merge(("identity.password.memory_kib", 32))
            .merge(("identity.password.iterations", 1))
            // All come from one address, which is not what these tests are about.
            .merge(("identity.throttle.address_burst", 10_000))
            // Nobody of this file waits for a place where passwords are checked.
            .merge(("identity.password.longest_wait", "60s"));
        let rocket = rocket::custom(figment)
            .attach(identity)
            .register("/", catchers())
            .mount("/", routes![login, apart, mail, search, forget])
            .mount("/", guarded)
            .manage(table.clone());
        Door { server: Server::start(rocket).await, table, told, limit }
    }

    async fn post(&self, path: &str, fields: &str) -> Answer {
        let start = Instant::now();
        let answer = self.server.send(&format!("POST {path}\n{fields}")).await;
        let took = start.elapsed();
        assert!(took < self.limit, "{path} took {took:?}: {answer:?}");
        answer
    }

    async fn try_in(&self, name: &str, password: &str) -> Answer {
        self.post(&format!("/login/{name}/{password}"), "").await
    }

    /// How many of so many wrong guesses at once are checked; the others wait.
    async fn guess(&self, name: &str, count: usize) -> u32 {
        let before = self.checks();
        let answers = join_all((0..count).map(|_| self.try_in(name, "wrong"))).await;
        let checked = self.checks() - before;
        let mut met = BTreeMap::new();
        for answer in answers {
            *met.entry(answer.status).or_insert(0) += 1;
        }
        let refused = count as u32 - checked;
        let expected = [(401, checked), (429, refused)].into_iter().filter(|(_, times)| *times > 0);
        assert_eq!(met, expected.collect());
        checked
    }

    fn checks(&self) -> u32 {
        self.table.checks.load(Ordering::SeqCst)
    }

    fn finds(&self) -> u32 {
        self.table.finds.load(Ordering::SeqCst)
    }

    /// How often this was told since the last time.
    fn take_told(&self, name: &str) -> usize {
        let mut told = self.told.lock().unwrap();
        let before = told.len();
        told.retain(|event| event.name() != name);
        before - told.len()
    }

    /// A right login is answered 503, in time, and nobody is looked up nor any password checked.
    async fn is_shut(&self, why: &str) {
        let (finds, checks) = (self.finds(), self.checks());
        for password in ["right", "wrong"] {
            let answer = self.try_in("ada", password).await;
            assert_eq!((answer.status, &*answer.code()), (503, "store_unavailable"), "{why}");
            assert!(answer.sets_no_cookie() && !answer.all("retry-after").is_empty(), "{why}");
        }
        assert_eq!((self.finds(), self.checks()), (finds, checks), "{why}");
    }

    /// Redis counts again: until then each attempt, at another name each, tells that it does not.
    async fn redis_counts(&self) {
        let start = Instant::now();
        loop {
            self.take_told(Event::THROTTLE_FAILED);
            let answer = self.post(&format!("/mail/{}", start.elapsed().as_nanos()), "").await;
            if answer.status == 200 && self.take_told(Event::THROTTLE_FAILED) == 0 {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(10), "still {answer:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Two faults at once would be felt by each other's times.
async fn alone() -> MutexGuard<'static, ()> {
    static ALONE: AsyncMutex<()> = AsyncMutex::const_new(());
    ALONE.lock().await
}

/// One round trip before a password is looked at, and one after it was right.
#[tokio::test]
async fn each_login_sends_the_commands_that_it_must_and_no_more() {
    let _alone = alone().await;
    let redis = Redis::start(&[]);
    let proxy = Proxy::before(redis.port).await;
    let door = Door::open(By::Sessions, &proxy.url()).await;
    proxy.take();
    assert_eq!(door.try_in("ada", "wrong").await.status, 401);
    assert_eq!(proxy.take(), ["EVALSHA"], "a wrong password");
    let login = door.try_in("ada", "right").await;
    assert_eq!(login.status, 200);
    assert_eq!(proxy.take(), ["EVALSHA"; 3], "the question, the session, the success");
    assert_eq!(door.post("/apart/ada", "").await.status, 200);
    assert_eq!(proxy.take(), ["EVALSHA"; 3], "the same taken apart");
    let device = format!("Cookie: {}", login.device().unwrap());
    assert_eq!(door.post("/login/ada/right", &device).await.status, 200);
    assert_eq!(proxy.take(), ["EVALSHA"; 3], "from a known device");
    let session = format!("GET /me\nCookie: {}", login.cookie());
    assert_eq!(door.server.send(&session).await.status, 200);
    assert_eq!(proxy.take(), ["HMGET"], "a guarded request asks no throttle");

    assert_eq!(door.guess("ada", 10).await, 10);
    proxy.take();
    for password in ["wrong", "right"] {
        assert_eq!(door.try_in("ada", password).await.status, 429);
        assert_eq!(proxy.take(), ["EVALSHA"], "refused, {password}");
    }
    for status in [200, 200, 200, 429] {
        assert_eq!(door.post("/mail/ada", "").await.status, status);
        assert_eq!(proxy.take(), ["EVALSHA"], "a route with its own quota: {status}");
        assert_eq!(door.post("/search", "").await.status, status);
        assert_eq!(proxy.take(), ["EVALSHA"], "the same of an address: {status}");
    }
    assert_eq!(door.post("/forget/ada", "").await.status, 200);
    assert_eq!(proxy.take(), ["EVALSHA"]);
    for path in ["/login/ada/right", "/apart/ada", "/mail/ada", "/search", "/forget/ada"] {
        assert_eq!(door.post(path, "Sec-Fetch-Site: cross-site").await.status, 403);
        assert_eq!(proxy.take(), [""; 0], "another site spends nothing: {path}");
    }
}

#[tokio::test]
async fn a_login_for_a_token_asks_redis_before_and_tells_it_after_and_a_guard_never_asks() {
    let _alone = alone().await;
    let redis = Redis::start(&[]);
    let proxy = Proxy::before(redis.port).await;
    let door = Door::open(By::Tokens, &proxy.url()).await;
    proxy.take();
    assert_eq!(door.try_in("ada", "wrong").await.status, 401);
    assert_eq!(proxy.take(), ["EVALSHA"], "a wrong password");
    let login = door.try_in("ada", "right").await;
    assert_eq!(login.status, 200);
    assert_eq!(proxy.take(), ["EVALSHA"; 2], "the question, and the success");
    let me = format!("GET /me\nAuthorization: Bearer {}", login.body);
    assert_eq!(door.server.send(&me).await.body, "1");
    assert_eq!(door.server.send("GET /me").await.status, 401);
    assert_eq!(proxy.take(), [""; 0], "a guard verifies by itself");
    assert_eq!(door.guess("ada", 10).await, 10);
    proxy.take();
    assert_eq!(door.try_in("ada", "right").await.status, 429);
    assert_eq!(proxy.take(), ["EVALSHA"], "refused");
}

/// Rows 82, 84: who needs no Redis but for the count is neither let in unbounded nor kept out.
#[tokio::test]
async fn while_redis_is_dead_each_process_that_hands_out_tokens_counts_by_itself() {
    let _alone = alone().await;
    let redis = Redis::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let doors =
        [Door::open(By::Tokens, &redis.url()).await, Door::open(By::Tokens, &redis.url()).await];
    assert_eq!(doors[0].guess("ada", 3).await + doors[1].guess("ada", 3).await, 6);
    redis.kill();
    for door in &doors {
        // It knows nothing of what Redis counted: its own bucket is full, and no larger.
        assert_eq!(door.guess("ada", 50).await, 10);
        let refused = door.try_in("ada", "right").await;
        assert_eq!((refused.status, refused.all("retry-after")), (429, vec!["30"]));
        assert_eq!(door.take_told(Event::THROTTLE_FAILED), 51, "each is told of");
        // Nobody else stands before a closed door, and a success still empties the bucket.
        for _ in 0..3 {
            assert_eq!(door.guess("grace", 9).await, 9);
            let login = door.try_in("grace", "right").await;
            assert_eq!(login.status, 200);
            let me = format!("GET /me\nAuthorization: Bearer {}", login.body);
            assert_eq!(door.server.send(&me).await.status, 200);
        }
        door.server.clock.advance(Duration::from_secs(30));
        assert_eq!(door.guess("ada", 5).await, 1, "one comes back each half minute");
        for status in [200, 200, 200, 429] {
            assert_eq!(door.post("/mail/ada", "").await.status, status, "a route's quota too");
        }
        assert_eq!(door.post("/forget/ada", "").await.status, 503, "who may know a device yet?");
    }
    redis.start_again();
    for door in &doors {
        door.redis_counts().await;
    }
    // Six were counted before, and one came back: what Redis kept is what counts.
    assert_eq!(doors[0].guess("ada", 3).await + doors[1].guess("ada", 20).await, 10 - 6 + 1);
    assert_eq!(doors.map(|door| door.take_told(Event::THROTTLE_FAILED)), [0, 0]);
}

#[tokio::test]
async fn while_redis_is_paused_or_full_tokens_are_handed_out_within_the_processs_own_limit() {
    let _alone = alone().await;
    let redis = Redis::start(&["--maxmemory-policy", "noeviction"]);
    for fault in ["paused", "full"] {
        let door = Door::open_impatient(By::Tokens, &redis.url()).await;
        match fault {
            "paused" => redis.pause(),
            _ => redis.tell("CONFIG SET maxmemory 1"),
        }
        let name = format!("ada{fault}");
        assert_eq!(door.guess(&name, 50).await, 10, "{fault}");
        assert_eq!(door.try_in(&name, "right").await.status, 429, "{fault}");
        assert_eq!(door.try_in(&format!("grace{fault}"), "right").await.status, 200, "{fault}");
        assert!(door.take_told(Event::THROTTLE_FAILED) >= 52, "{fault}");
        match fault {
            "paused" => redis.resume(),
            _ => redis.tell("CONFIG SET maxmemory 0"),
        }
        door.redis_counts().await;
    }
}

/// A login whose session could not be kept is refused before anything is looked at.
#[tokio::test]
async fn where_sessions_are_in_a_redis_that_is_away_nobody_is_looked_up_and_nothing_is_checked() {
    let _alone = alone().await;
    let redis = Redis::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let door = Door::open_impatient(By::Sessions, &redis.url()).await;
    assert_eq!(door.guess("ada", 4).await, 4);
    redis.kill();
    door.is_shut("killed").await;
    // By now it is known: not even the throttle is asked.
    let start = Instant::now();
    while door.take_told(Event::THROTTLE_FAILED) > 0 {
        door.is_shut("killed").await;
        assert!(start.elapsed() < SOON, "the link does not find out");
    }
    door.is_shut("known to be dead").await;
    assert_eq!(door.take_told(Event::THROTTLE_FAILED), 0);
    assert_eq!(door.take_told(Event::THROTTLED), 0, "nor charged");
    redis.start_again();
    door.redis_counts().await;
    // What was answered 503 cost nothing, and what was counted before is counted (row 82).
    assert_eq!(door.guess("ada", 20).await, 6);
}

#[tokio::test]
async fn a_paused_redis_is_503_in_time_for_all_who_come_meanwhile_and_no_password_is_checked() {
    let _alone = alone().await;
    let redis = Redis::start(&[]);
    let door = Door::open_impatient(By::Sessions, &redis.url()).await;
    assert_eq!(door.try_in("ada", "right").await.status, 200);
    let (finds, checks) = (door.finds(), door.checks());
    redis.pause();
    // Each has its own name, and none of them a bucket that could refuse it.
    let names: Vec<String> = (0..40).map(|n| format!("name{n}")).collect();
    for answer in join_all(names.iter().map(|name| door.try_in(name, "right"))).await {
        assert_eq!((answer.status, &*answer.code()), (503, "store_unavailable"));
    }
    door.is_shut("paused").await;
    assert_eq!((door.finds(), door.checks()), (finds, checks));
    redis.resume();
    door.redis_counts().await;
    assert_eq!(door.try_in("grace", "right").await.status, 200);
}

#[tokio::test]
async fn a_redis_that_became_a_replica_takes_no_login_and_no_password_is_checked() {
    let _alone = alone().await;
    let (master, redis) = (Redis::start(&[]), Redis::start(&[]));
    let door = Door::open(By::Sessions, &redis.url()).await;
    redis.tell(&format!("REPLICAOF 127.0.0.1 {}", master.port));
    door.is_shut("read-only").await;
    redis.tell("REPLICAOF NO ONE");
    door.redis_counts().await;
    assert_eq!(door.try_in("ada", "right").await.status, 200);
}

/// It answers and takes nothing in: passwords are checked as long as this process's own count allows, and
/// the login that cannot be kept is 503.
#[tokio::test]
async fn a_full_redis_keeps_no_login_and_guesses_stay_bounded() {
    let _alone = alone().await;
    let redis = Redis::start(&["--maxmemory-policy", "noeviction"]);
    let door = Door::open(By::Sessions, &redis.url()).await;
    redis.tell("CONFIG SET maxmemory 1");
    let refused = door.try_in("ada", "right").await;
    assert_eq!((refused.status, &*refused.code()), (503, "store_unavailable"));
    assert!(refused.sets_no_cookie());
    assert_eq!(door.take_told(Event::THROTTLE_FAILED), 1);
    // The right one cost one of ten: it logged nobody in.
    assert_eq!((door.checks(), door.guess("ada", 50).await), (1, 9));
    for password in ["right", "wrong"] {
        assert_eq!(door.try_in("ada", password).await.status, 429);
    }
    redis.tell("CONFIG SET maxmemory 0");
    door.redis_counts().await;
    assert_eq!(door.try_in("ada", "right").await.status, 200);
}
