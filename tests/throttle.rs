//! tests/throttle.rs: the door, over a real socket: who is let in, who waits, and what it tells them.
//! Rows are those of the project's security checklist.
#![cfg(all(feature = "testing", feature = "password"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rocket::figment::Figment;
use rocket::http::Status;
use rocket::{Build, Rocket, State, get, post, routes};
use rocket_identity::auth::Accounts;
use rocket_identity::event::Event;
use rocket_identity::password::Passwords;
use rocket_identity::throttle::{Quota, Throttle};
use rocket_identity::{Auth, Error, Identity, SessionUser, catchers};
use support::{Account, Answer, Captured, Server, figment};

/// `ada` with the password `right`, and how often a password was looked at.
struct Table {
    hash: Mutex<String>,
    finds: AtomicU32,
}

impl Accounts<Account> for Table {
    type Error = Error;

    async fn find(&self, name: &str) -> Result<Option<(Account, String)>, Error> {
        self.finds.fetch_add(1, Ordering::SeqCst);
        Ok((name == "ada").then(|| (Account { id: 1 }, self.hash.lock().unwrap().clone())))
    }

    async fn replace_hash(&self, _: &Account, old: &str, new: &str) {
        let mut hash = self.hash.lock().unwrap();
        if *hash == old {
            *hash = new.to_owned();
        }
    }
}

#[post("/login/<name>/<password>")]
async fn login(
    auth: Auth<'_, Account>,
    table: &State<Arc<Table>>,
    passwords: &State<Passwords>,
    name: &str,
    password: &str,
) -> Result<Status, Error> {
    match auth.authenticate(&***table, passwords, name, password).await? {
        Some(login) => login.await.map(|_| Status::Ok),
        None => Ok(Status::Unauthorized),
    }
}

/// A page of the application's own where the throttle refuses.
#[post("/page/<name>")]
async fn page(auth: Auth<'_, Account>, name: &str) -> (Status, &'static str) {
    match auth.attempt(name).await {
        Ok(_failed) => (Status::Unauthorized, "wrong"),
        Err(error) => (error.status(), "my own words"),
    }
}

#[post("/reset/<name>")]
async fn reset(auth: Auth<'_, Account>, name: &str) -> Result<(), Error> {
    auth.forget_devices(name).await
}

/// As after a reset whose link was good.
#[post("/known-as/<name>")]
async fn known_as(auth: Auth<'_, Account>, name: &str) -> Result<(), Error> {
    auth.forget_devices(name).await?;
    auth.begin(Account { id: 1 }).known_as(name).await.map(drop)
}

/// What a handler finds where too many hashes wait.
#[post("/busy/<name>")]
async fn busy(auth: Auth<'_, Account>, name: &str) -> Result<Status, Error> {
    auth.attempt(name).await?.undo().await;
    Ok(Status::ServiceUnavailable)
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

/// A page of the application's own where a route's quota is used up.
#[post("/own/<name>")]
async fn own(throttle: Throttle<'_, Account>, name: &str) -> (Status, &'static str) {
    match throttle.by_account("own", name, MAILS).await {
        Ok(()) => (Status::Ok, "sent"),
        Err(error) => (error.status(), "sent, as it were"),
    }
}

#[get("/me")]
fn me(user: SessionUser<Account>) -> String {
    user.id.to_string()
}

type Told = Arc<Mutex<Vec<Event>>>;

fn app(figment: Figment, table: Arc<Table>, told: Told) -> Rocket<Build> {
    let identity = Identity::<Account>::sessions()
        .on_event(move |event| told.lock().unwrap().push(event.clone()));
    rocket::custom(figment)
        .attach(identity)
        .register("/", catchers())
        .mount("/", routes![login, page, reset, known_as, busy, mail, own, search, me])
        .manage(table)
}

struct Door {
    server: Server,
    table: Arc<Table>,
    told: Told,
}

impl Door {
    async fn open() -> Self {
        Self::open_with(|figment| figment).await
    }

    async fn open_with(settings: impl FnOnce(Figment) -> Figment) -> Self {
        Captured::install();
        let cheap = figment("debug").merge(("identity.password.memory_kib", 32));
        let figment = settings(cheap.merge(("identity.password.iterations", 1)));
        let client = rocket::custom(figment.clone()).attach(Identity::<Account>::sessions());
        let ignited = client.ignite().await.unwrap();
        let hash = ignited.state::<Passwords>().unwrap().hash("right").await.unwrap();
        let table = Arc::new(Table { hash: Mutex::new(hash), finds: AtomicU32::new(0) });
        let told = Told::default();
        let server = Server::start(app(figment, table.clone(), told.clone())).await;
        Door { server, table, told }
    }

    async fn post(&self, path: &str, fields: &str) -> Answer {
        self.server.send(&format!("POST {path}\n{fields}")).await
    }

    async fn try_in(&self, name: &str, password: &str, fields: &str) -> Answer {
        self.post(&format!("/login/{name}/{password}"), fields).await
    }

    /// `count` wrong guesses, all of them looked at.
    async fn guess(&self, count: u32) {
        for _ in 0..count {
            assert_eq!(self.try_in("ada", "wrong", "").await.status, 401);
        }
    }

    fn finds(&self) -> u32 {
        self.table.finds.load(Ordering::SeqCst)
    }

    fn told(&self, name: &str) -> Vec<Event> {
        self.told.lock().unwrap().iter().filter(|event| event.name() == name).cloned().collect()
    }
}

/// Row 84: the right password is refused like a wrong one, and nothing is looked up for it.
#[tokio::test]
async fn after_ten_guesses_the_right_password_is_429_too_and_says_when_to_come_back() {
    let door = Door::open().await;
    door.guess(10).await;
    for password in ["wrong", "right"] {
        let refused = door.try_in("ada", password, "").await;
        assert_eq!((refused.status, &*refused.code()), (429, "too_many_attempts"));
        assert_eq!(refused.all("retry-after"), ["30"]);
        assert_eq!(refused.all("ratelimit"), ["\"account\";r=0;t=300"]);
        assert_eq!(refused.all("ratelimit-policy"), ["\"account\";q=10;w=300"]);
        assert_eq!(refused.all("cache-control"), ["no-store"]);
        assert!(refused.sets_no_cookie());
    }
    assert_eq!(door.finds(), 10, "a refused attempt was looked at");
    let told = door.told(Event::THROTTLED);
    assert_eq!(told.len(), 2);
    assert_eq!(told[0].reason_code(), Some("too_many_attempts"));
    assert_eq!(told[0].cause_text(), Some("account"));
    // A frozen clock: exactly one comes back each half minute, and not a millisecond before.
    door.server.clock.advance(Duration::from_millis(29_999));
    let refused = door.try_in("ada", "right", "").await;
    assert_eq!((refused.status, refused.all("retry-after")), (429, vec!["1"]));
    door.server.clock.advance(Duration::from_millis(1));
    assert_eq!(door.try_in("ada", "right", "").await.status, 200);
    // The success has emptied the bucket.
    door.guess(10).await;
    assert_eq!(door.try_in("ada", "wrong", "").await.status, 429);
}

#[tokio::test]
async fn a_page_of_the_applications_own_carries_the_fields_too() {
    let door =
        Door::open_with(|figment| figment.merge(("identity.throttle.account_burst", 1))).await;
    assert_eq!(door.post("/page/ada", "").await.status, 401);
    let refused = door.post("/page/ada", "").await;
    assert_eq!((refused.status, &*refused.body), (429, "my own words"));
    assert_eq!(refused.all("retry-after"), ["30"]);
    assert_eq!(refused.all("ratelimit-policy"), ["\"account\";q=1;w=30"]);
}

#[tokio::test]
async fn white_space_and_case_give_no_name_a_bucket_of_its_own() {
    let door = Door::open().await;
    for name in
        ["ada", "AdA%20", "%20ADA", "adA%09", "%C2%A0Ada", "ada", "ADA", "aDa", "Ada", "ada"]
    {
        assert_eq!(door.try_in(name, "wrong", "").await.status, 401);
    }
    for name in ["ada", "AdA%20"] {
        assert_eq!(door.try_in(name, "right", "").await.status, 429);
    }
    assert_eq!(door.try_in("grace", "wrong", "").await.status, 401, "another account has its own");
}

/// Row 85: what a client says of itself changes nothing.
#[tokio::test]
async fn spoofed_addresses_change_nothing_and_are_told_of_once() {
    let door =
        Door::open_with(|figment| figment.merge(("identity.throttle.address_burst", 5))).await;
    for n in 0..5 {
        let fields = format!(
            "X-Real-IP: 203.0.113.{n}\nX-Forwarded-For: 203.0.113.{n}\nForwarded: for=203.0.113.{n}"
        );
        assert_eq!(door.try_in(&format!("name{n}"), "wrong", &fields).await.status, 401);
    }
    for fields in ["", "X-Real-IP: 203.0.113.99", "X-Forwarded-For: 203.0.113.99"] {
        let refused = door.try_in("another", "wrong", fields).await;
        assert_eq!(refused.status, 429, "{fields}");
        assert_eq!(refused.all("ratelimit-policy"), ["\"address\";q=5;w=25"]);
    }
    let told = door.told(Event::CLIENT_UNKNOWN);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].cause_text().unwrap().contains("identity.throttle.trusted_proxies"));
}

/// Row 85: behind a proxy that is named, each client has its own bucket, whatever it says.
#[tokio::test]
async fn behind_a_trusted_proxy_each_client_has_its_own_bucket() {
    let door = Door::open_with(|figment| {
        figment
            .merge(("identity.throttle.address_burst", 2))
            .merge(("identity.throttle.trusted_proxies", ["127.0.0.0/8"]))
    });
    let door = door.await;
    let from =
        |client: &str| format!("X-Real-IP: 198.51.100.1\nX-Forwarded-For: 198.51.100.2, {client}");
    for n in 0..2 {
        assert_eq!(door.try_in(&format!("a{n}"), "x", &from("203.0.113.1")).await.status, 401);
    }
    assert_eq!(door.try_in("b", "x", &from("203.0.113.1")).await.status, 429);
    assert_eq!(door.try_in("b", "x", &from("203.0.113.2")).await.status, 401);
    // An IPv6 client has its /64.
    for n in 0..2 {
        let client = format!("2001:db8::{n}:1");
        assert_eq!(door.try_in(&format!("c{n}"), "x", &from(&client)).await.status, 401);
    }
    assert_eq!(door.try_in("d", "x", &from("2001:db8::ffff:2")).await.status, 429);
    assert!(door.told(Event::CLIENT_UNKNOWN).is_empty());
}

#[tokio::test]
async fn a_flood_of_logins_from_a_foreign_page_costs_the_victim_nothing() {
    let door = Door::open().await;
    for fields in ["Sec-Fetch-Site: cross-site", "Origin: https://evil.test", "Origin: null"] {
        for _ in 0..20 {
            for path in ["/login/ada/wrong", "/page/ada", "/mail/ada", "/search"] {
                assert_eq!(door.post(path, fields).await.status, 403);
            }
        }
    }
    assert_eq!(door.finds(), 0);
    door.guess(9).await;
    assert_eq!(door.try_in("ada", "right", "").await.status, 200);
    for _ in 0..3 {
        assert_eq!(door.post("/mail/ada", "").await.status, 200);
        assert_eq!(door.post("/search", "").await.status, 200);
    }
}

/// Row 83: nobody can lock the victim out of a device that has logged in before.
#[tokio::test]
async fn while_the_account_is_attacked_the_known_device_gets_in_and_a_stranger_waits() {
    let door =
        Door::open_with(|figment| figment.merge(("identity.throttle.address_burst", 1_000))).await;
    let first = door.try_in("ada", "right", "").await;
    let device = first.device().expect("a device").to_owned();
    let set = first.all("set-cookie").into_iter().find(|set| set.contains("device=")).unwrap();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=15552000"] {
        assert!(set.contains(attribute), "{set}");
    }
    let value = device.split_once('=').unwrap().1;
    assert_eq!(value.len(), 4 + 43, "a mark and 256 bits");
    let known = format!("Cookie: {device}");
    for round in 0..3 {
        while door.try_in("ada", "wrong", "").await.status == 401 {}
        assert_eq!(door.try_in("ada", "right", "").await.status, 429, "a stranger waits");
        // Doubled, spoilt and foreign devices are strangers.
        for fields in [
            format!("Cookie: {device}; {device}"),
            format!("Cookie: {device}x"),
            format!("Cookie: device={}", "A".repeat(43)),
        ] {
            assert_eq!(door.try_in("ada", "right", &fields).await.status, 429, "{fields}");
        }
        let again = door.try_in("ada", "right", &known).await;
        assert_eq!(again.status, 200, "round {round}: the victim is locked out");
        assert_eq!(again.device(), Some(&*device), "its 180 days begin anew");
        // Its success has emptied the account's bucket too.
        assert_eq!(door.try_in("ada", "wrong", "").await.status, 401);
    }
    // It is known to this account alone.
    while door.try_in("grace", "wrong", "").await.status == 401 {}
    assert_eq!(door.try_in("grace", "wrong", &known).await.status, 429);
    // A reset of the password makes it a stranger.
    assert_eq!(door.post("/reset/AdA", "").await.status, 200);
    while door.try_in("ada", "wrong", "").await.status == 401 {}
    assert_eq!(door.try_in("ada", "right", &known).await.status, 429);
}

/// Rows 82, 83 (NIST SP 800-63B-4 3.2.2): 101 addresses, one account.
#[tokio::test]
async fn the_101st_guess_in_a_row_waits_an_hour_wherever_it_comes_from_but_for_a_known_device() {
    let door = Door::open_with(|figment| {
        figment
            .merge(("identity.throttle.account_burst", 100))
            .merge(("identity.throttle.trusted_proxies", ["127.0.0.0/8"]))
    });
    let door = door.await;
    let hour = Duration::from_secs(60 * 60);
    let from = |n: u32| format!("X-Forwarded-For: 203.0.113.{n}");
    let first = door.try_in("ada", "right", &from(200)).await;
    let known = format!("{}\nCookie: {}", from(200), first.device().expect("a device"));
    let looked_at = door.finds();
    for n in 1..=100 {
        assert_eq!(door.try_in("ada", "wrong", &from(n)).await.status, 401, "guess {n}");
    }
    let waits = async |fields: &str, password: &str, seconds: &str| {
        let refused = door.try_in("ada", password, fields).await;
        assert_eq!((refused.status, &*refused.code()), (429, "too_many_attempts"), "{fields}");
        assert_eq!(refused.all("retry-after"), [seconds], "{fields}");
        assert_eq!(refused.all("ratelimit-policy"), ["\"account\";q=1;w=3600"], "{fields}");
    };
    for fields in [from(101), from(1), from(200), "X-Forwarded-For: 2001:db8::1".into()] {
        waits(&fields, "wrong", "3600").await;
        waits(&fields, "right", "3600").await;
    }
    assert_eq!(door.finds() - looked_at, 100);
    for round in 0..3 {
        door.server.clock.advance(hour - Duration::from_millis(1));
        waits(&from(102 + round), "right", "1").await;
        door.server.clock.advance(Duration::from_millis(1));
        assert_eq!(door.try_in("ada", "wrong", &from(110 + round)).await.status, 401);
        waits(&from(120 + round), "right", "3600").await;
    }
    // However long nobody comes, no second one is saved up.
    door.server.clock.advance(hour * 24);
    assert_eq!(door.try_in("ada", "wrong", &from(130)).await.status, 401);
    waits(&from(131), "right", "3600").await;

    // The owner mistypes once at home, and is in.
    assert_eq!(door.try_in("ada", "wrong", &known).await.status, 401);
    assert_eq!(door.try_in("ada", "right", &known).await.status, 200);
}

/// Row 82: with the settings as they are, who keeps to the quota for as long as it takes.
#[tokio::test]
async fn a_hundred_failures_in_a_row_count_however_slowly_they_come_and_a_success_ends_the_row() {
    let door = Door::open().await;
    let slowly = async |count: u32| {
        for _ in 0..count {
            assert_eq!(door.try_in("ada", "wrong", "").await.status, 401);
            door.server.clock.advance(Duration::from_secs(30));
        }
    };
    slowly(99).await;
    assert_eq!(door.try_in("ada", "right", "").await.status, 200);
    slowly(100).await;
    let refused = door.try_in("ada", "right", "").await;
    assert_eq!((refused.status, refused.all("retry-after")), (429, vec!["3570"]));
    // Whoever knows the password is in with the one attempt of this hour.
    door.server.clock.advance(Duration::from_secs(3_570));
    assert_eq!(door.try_in("ada", "right", "").await.status, 200);
    door.guess(10).await;
}

/// So what this file shows of Redis is shown of Redis.
#[cfg(feature = "redis")]
#[tokio::test]
async fn an_account_and_an_address_are_counted_where_the_settings_say() {
    let door = Door::open().await;
    door.guess(1).await;
    let keys = door.server.redis_keys();
    assert_eq!(keys.is_some(), module_path!().contains("on_redis"));
    if let Some(keys) = keys {
        let of = |kind: &str| keys.iter().filter(|key| key.contains(kind)).count();
        assert_eq!((of("{throttle}:a:"), of("{throttle}:i:127.0.0.1")), (1, 1), "{keys:?}");
    }
}

/// A device that a client made up never becomes a known one.
#[tokio::test]
async fn a_device_that_the_client_chose_is_not_adopted() {
    let door = Door::open().await;
    let chosen = format!("device={}", "A".repeat(43));
    let answer = door.try_in("ada", "right", &format!("Cookie: {chosen}")).await;
    assert_eq!(answer.status, 200);
    assert_ne!(answer.device(), Some(&*chosen));
    while door.try_in("ada", "wrong", "").await.status == 401 {}
    let refused = door.try_in("ada", "right", &format!("Cookie: {chosen}")).await;
    assert_eq!(refused.status, 429);
}

/// A route has its own bucket: who asks for mails shuts nobody's login.
#[tokio::test]
async fn a_route_with_its_own_quota_shuts_no_login() {
    let door = Door::open().await;
    for _ in 0..3 {
        assert_eq!(door.post("/mail/ada", "").await.status, 200);
    }
    let refused = door.post("/mail/%20ADA", "").await;
    assert_eq!((refused.status, &*refused.code()), (429, "too_many_attempts"));
    assert_eq!(refused.all("retry-after"), ["1200"]);
    assert_eq!(refused.all("ratelimit-policy"), ["\"mail\";q=3;w=3600"]);
    assert_eq!(door.post("/mail/grace", "").await.status, 200);
    assert_eq!(door.post("/search", "").await.status, 200, "another bucket");
    assert_eq!(door.try_in("ada", "right", "").await.status, 200);
    let told = door.told(Event::THROTTLED);
    assert_eq!(told[0].cause_text(), Some("mail"));
}

/// Rows 76, 80: the whole flow stores the new hash of an old one, and of no other.
#[tokio::test]
async fn a_login_replaces_an_old_hash() {
    /// "correct horse", hashed by another library with other parameters than ours.
    const OLD: &str = "$argon2id$v=19$m=12288,t=3,p=1$AAECAwQFBgcICQoLDA0ODw$VGRg+tjFiHl5WcoOpxeJTLK38ChU3AJYDoLODYxjYQQ";
    let door =
        Door::open_with(|figment| figment.merge(("identity.password.max_memory_kib", 20_000)))
            .await;
    *door.table.hash.lock().unwrap() = OLD.to_owned();
    let stored = || door.table.hash.lock().unwrap().clone();
    assert_eq!(door.try_in("ada", "correct%20horsf", "").await.status, 401);
    assert_eq!(stored(), OLD);
    assert_eq!(door.try_in("ada", "correct%20horse", "").await.status, 200);
    let new = stored();
    assert!(new.starts_with("$argon2id$v=19$m=32,t=1,p=1$"), "{new}");
    assert_eq!(door.try_in("ada", "correct%20horse", "").await.status, 200);
    assert_eq!(stored(), new);
}

/// What is refused tells nothing of whether the name exists.
#[tokio::test]
async fn a_name_that_does_not_exist_is_throttled_alike() {
    let door = Door::open().await;
    let mut seen = BTreeMap::new();
    for name in ["ada", "nobody"] {
        for _ in 0..10 {
            assert_eq!(door.try_in(name, "wrong", "").await.status, 401);
        }
        let mut refused = door.try_in(name, "wrong", "").await;
        refused.fields.retain(|(name, _)| name != "date");
        seen.insert(name, (refused.status, refused.fields, refused.body));
    }
    assert_eq!(seen["ada"], seen["nobody"]);
}

/// Names that differ in case or white space only are one account: else the owner of one could guess at
/// the other without end.
#[tokio::test]
async fn the_table_is_asked_for_the_name_that_was_counted() {
    let door = Door::open().await;
    for name in ["ada", "ADA", "%20Ada%20"] {
        assert_eq!(door.try_in(name, "right", "").await.status, 200, "{name}");
    }
}

/// Row 83: after a reset, a sign-up or another provider the browser is known too.
#[tokio::test]
async fn who_is_vouched_for_is_known_and_no_longer_locked_out() {
    let door = Door::open().await;
    while door.try_in("ada", "wrong", "").await.status == 401 {}
    let answer = door.post("/known-as/ADA", "").await;
    let known = format!("Cookie: {}", answer.device().expect("a device"));
    assert_eq!(answer.status, 200);
    while door.try_in("ada", "wrong", "").await.status == 401 {}
    assert_eq!(door.try_in("ada", "right", &known).await.status, 200);
    // No address got anything back for it.
    let door =
        Door::open_with(|figment| figment.merge(("identity.throttle.address_burst", 3))).await;
    for n in 0..3 {
        assert_eq!(door.try_in(&format!("name{n}"), "x", "").await.status, 401);
        assert_eq!(door.post("/known-as/ada", "").await.status, 200);
    }
    assert_eq!(door.try_in("name4", "x", "").await.status, 429);
}

/// Row 83: two accounts in one browser are both known there.
#[tokio::test]
async fn a_browser_is_known_to_each_account_that_logged_in_there() {
    let door = Door::open().await;
    let first = door.post("/known-as/grace", "").await;
    let both = door.try_in("ada", "right", &format!("Cookie: {}", first.device().unwrap())).await;
    let known = format!("Cookie: {}", both.device().unwrap());
    while door.try_in("ada", "wrong", "").await.status == 401 {}
    while door.try_in("grace", "wrong", "").await.status == 401 {}
    assert_eq!(door.try_in("ada", "right", &known).await.status, 200);
    assert_eq!(door.try_in("grace", "wrong", &known).await.status, 401, "it was looked at");
    assert_eq!(door.try_in("hedy", "wrong", &known).await.status, 401);
}

/// Row 83: the browser that is used every day is not the one that is forgotten.
#[tokio::test]
async fn a_device_that_is_used_stays_known() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let door = Door::open().await;
    let daily = door.try_in("ada", "right", "").await.device().unwrap().to_owned();
    let known = format!("Cookie: {daily}");
    for _ in 0..20 {
        door.server.clock.advance(10 * DAY);
        assert_eq!(door.try_in("ada", "right", "").await.status, 200, "another one");
        assert_eq!(door.try_in("ada", "right", &known).await.device(), Some(&*daily));
    }
    while door.try_in("ada", "wrong", "").await.status == 401 {}
    assert_eq!(door.try_in("ada", "right", &known).await.status, 200);
}

/// Row 81: a flood that keeps passwords from being looked at uses up nobody's guesses.
#[tokio::test]
async fn what_was_not_looked_at_costs_nothing() {
    let door = Door::open().await;
    for _ in 0..200 {
        assert_eq!(door.post("/busy/ada", "").await.status, 503);
    }
    door.guess(10).await;
    assert_eq!(door.try_in("ada", "right", "").await.status, 429);
}

/// What could not be kept is refused before it is counted or looked at.
#[tokio::test]
async fn where_no_session_has_room_nothing_is_counted() {
    let door = Door::open_with(|figment| {
        figment.merge(("identity.store", "memory")).merge(("identity.memory.max_sessions", 1))
    });
    let door = door.await;
    let first = door.try_in("ada", "right", "").await;
    for _ in 0..20 {
        let full = door.try_in("ada", "right", "").await;
        assert_eq!((full.status, &*full.code()), (503, "store_full"));
        assert_eq!(full.all("retry-after"), ["1"]);
    }
    assert_eq!(door.finds(), 1);
    // Who takes the place of an own session has room.
    let again = door.try_in("ada", "right", &format!("Cookie: {}", first.cookie())).await;
    assert_eq!(again.status, 200);
}

/// Row 85: a field that the proxy does not mind is no way to another bucket.
#[tokio::test]
async fn of_two_fields_the_one_that_the_proxy_sets_is_read() {
    let named = Door::open_with(|figment| {
        figment
            .merge(("identity.throttle.address_burst", 2))
            .merge(("identity.throttle.trusted_proxies", ["127.0.0.1"]))
            .merge(("identity.throttle.proxy_field", "X-Forwarded-For"))
    });
    let named = named.await;
    for (n, status) in [(0, 401), (1, 401), (2, 429), (3, 429)] {
        let fields = format!("X-Forwarded-For: 203.0.113.1\nForwarded: for=198.51.100.{n}");
        assert_eq!(named.try_in(&format!("name{n}"), "x", &fields).await.status, status);
    }
    assert!(named.told(Event::CLIENT_UNKNOWN).is_empty());
    let unnamed = Door::open_with(|figment| {
        figment.merge(("identity.throttle.trusted_proxies", ["127.0.0.1"]))
    });
    let unnamed = unnamed.await;
    for _ in 0..2 {
        let fields = "X-Forwarded-For: 203.0.113.1\nForwarded: for=198.51.100.1";
        assert_eq!(unnamed.try_in("ada", "x", fields).await.status, 401);
    }
    let told = unnamed.told(Event::CLIENT_UNKNOWN);
    assert_eq!(told.len(), 1);
    assert!(told[0].cause_text().unwrap().contains("identity.throttle.proxy_field"));
}

#[tokio::test]
async fn a_page_of_ones_own_behind_a_routes_quota_carries_the_fields_too() {
    let door = Door::open().await;
    for _ in 0..3 {
        assert_eq!(door.post("/own/ada", "").await.status, 200);
    }
    let refused = door.post("/own/ada", "").await;
    assert_eq!((refused.status, &*refused.body), (429, "sent, as it were"));
    assert_eq!(refused.all("retry-after"), ["1200"]);
    assert_eq!(refused.all("ratelimit-policy"), ["\"own\";q=3;w=3600"]);
    let told = door.told(Event::THROTTLED);
    assert_eq!(told[0].reason_code(), Some("too_many_attempts"));
}
