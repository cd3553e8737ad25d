//! tests/sessions.rs: a user's sessions over a real socket: seen, ended, confirmed, begun in two steps,
//! read again. Rows are those of the project's security checklist.
#![cfg(feature = "testing")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rocket::figment::Figment;
use rocket::http::Status;
use rocket::serde::json::{Value, json};
use rocket::serde::{Deserialize, Serialize};
use rocket::{Build, Rocket, State, get, post, routes};
use rocket_identity::auth::{Pending, Sessions};
use rocket_identity::event::Event;
use rocket_identity::session::Handle;
use rocket_identity::{
    Auth, Error, Fresh, Identity, MaybeUser, SessionUser, User, UserId, catchers,
};
use support::{Answer, Captured, Server, figment};

const MINUTE: Duration = Duration::from_secs(60);

#[derive(Clone, Serialize, Deserialize)]
#[serde(crate = "rocket::serde")]
struct Person {
    id: u64,
    admin: bool,
}

impl User for Person {
    fn id(&self) -> UserId {
        self.id.into()
    }
}

#[get("/me")]
fn me(user: SessionUser<Person>) -> String {
    format!("{} {}", user.id, user.admin)
}

#[get("/maybe")]
fn maybe(user: MaybeUser<Person>) -> String {
    user.user().map_or("nobody".into(), |user| user.id.to_string())
}

#[get("/settings")]
fn settings(user: Fresh<SessionUser<Person>, 300>) -> String {
    user.id.to_string()
}

#[post("/login/<id>?<remember>")]
async fn login(auth: Auth<'_, Person>, id: u64, remember: bool) -> Result<(), Error> {
    auth.begin(Person { id, admin: true }).remember(remember).await.map(drop)
}

#[post("/logout")]
async fn logout(auth: Auth<'_, Person>) -> Result<(), Error> {
    auth.logout().await
}

#[get("/sessions")]
async fn sessions(auth: Auth<'_, Person>) -> Result<Value, Error> {
    let devices = auth.sessions().await?;
    let listed = devices.iter().map(|device| {
        json!({
            "handle": device.handle().to_string(),
            "agent": device.user_agent(),
            "ip": device.address(),
            "current": device.is_current(),
            "idle": device.last_seen().duration_since(device.created()).unwrap().as_secs(),
        })
    });
    Ok(listed.collect::<Vec<_>>().into())
}

#[post("/sessions/<handle>/revoke")]
async fn revoke(auth: Auth<'_, Person>, handle: Handle) -> Result<Status, Error> {
    Ok(if auth.revoke(&handle).await? { Status::Ok } else { Status::NotFound })
}

#[post("/sessions/revoke-others")]
async fn revoke_others(auth: Auth<'_, Person>) -> Result<String, Error> {
    auth.revoke_others().await.map(|ended| ended.to_string())
}

#[post("/confirm/<right>")]
async fn confirm(auth: Auth<'_, Person>, right: bool) -> Result<Status, Error> {
    let confirm = auth.confirm().await?;
    if !right {
        return Ok(Status::Unauthorized);
    }
    confirm.done().await.map(|_| Status::Ok)
}

#[post("/confirm-step/<right>?<step>")]
async fn confirm_step(auth: Auth<'_, Person>, right: bool, step: &str) -> Result<Status, Error> {
    let confirm = auth.confirm_step(step).await?;
    if !right {
        return Ok(Status::Unauthorized);
    }
    confirm.done().await.map(|_| Status::Ok)
}

#[post("/pending/<id>")]
async fn pending(auth: Auth<'_, Person>, id: u64) -> Result<(), Error> {
    let attempt = auth.attempt(&format!("name{id}")).await?;
    attempt.begin(Person { id, admin: false }).pending("totp").await
}

#[post("/attempt/<id>")]
async fn attempt(auth: Auth<'_, Person>, id: u64) -> Result<Status, Error> {
    auth.attempt(&format!("name{id}")).await.map(|_| Status::Unauthorized)
}

#[get("/second-factor")]
fn second_factor(pending: Pending<Person>) -> String {
    format!("{} {}", pending.user().id, pending.step())
}

#[post("/admin/demote/<id>")]
async fn demote(all: &State<Sessions<Person>>, id: u64) -> Result<String, Error> {
    all.update_user(&Person { id, admin: false }).await.map(|done| done.to_string())
}

#[post("/admin/lock/<id>")]
async fn lock(all: &State<Sessions<Person>>, id: u64) -> Result<String, Error> {
    let count = all.list(&id.into()).await?.len();
    all.revoke_all(&id.into()).await?;
    Ok(count.to_string())
}

#[post("/admin/end/<id>/<handle>")]
async fn end(all: &State<Sessions<Person>>, id: u64, handle: Handle) -> Result<String, Error> {
    all.revoke(&id.into(), &handle).await.map(|done| done.to_string())
}

/// The application's table: what the hook reads.
#[derive(Default)]
struct Table {
    reads: AtomicU32,
    gone: AtomicBool,
    fails: AtomicBool,
    admin: AtomicBool,
}

struct House {
    server: Server,
    table: Arc<Table>,
    told: Arc<Mutex<Vec<Event>>>,
}

fn app(figment: Figment, table: Arc<Table>, told: Arc<Mutex<Vec<Event>>>) -> Rocket<Build> {
    let identity = Identity::<Person>::sessions()
        .on_event(move |event| told.lock().unwrap().push(event.clone()))
        .reload(move |id: UserId| {
            let table = table.clone();
            async move {
                table.reads.fetch_add(1, Ordering::SeqCst);
                let id = id.as_str().parse().unwrap();
                match table.fails.load(Ordering::SeqCst) {
                    true => Err("the table is away"),
                    false if table.gone.load(Ordering::SeqCst) => Ok(None),
                    false => Ok(Some(Person { id, admin: table.admin.load(Ordering::SeqCst) })),
                }
            }
        });
    rocket::custom(figment).attach(identity).register("/", catchers()).mount(
        "/",
        routes![
            me,
            maybe,
            settings,
            login,
            logout,
            sessions,
            revoke,
            revoke_others,
            confirm,
            confirm_step,
            pending,
            attempt,
            second_factor,
            demote,
            lock,
            end
        ],
    )
}

impl House {
    async fn open() -> Self {
        Self::open_with(|figment| figment).await
    }

    async fn open_with(settings: impl FnOnce(Figment) -> Figment) -> Self {
        Captured::install();
        let (table, told) = (Arc::new(Table::default()), Arc::<Mutex<Vec<Event>>>::default());
        table.admin.store(true, Ordering::SeqCst);
        let rocket = app(settings(figment("debug")), table.clone(), told.clone());
        House { server: Server::start(rocket).await, table, told }
    }

    async fn send(&self, line: &str, cookie: &str) -> Answer {
        self.server.send(&format!("{line}\nCookie: {cookie}\nUser-Agent: tests")).await
    }

    async fn log_in(&self, id: u64) -> String {
        // No two begin at one moment.
        self.server.clock.advance(Duration::from_millis(1));
        let answer = self.send(&format!("POST /login/{id}?remember=false"), "a=b").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.cookie().to_owned()
    }

    async fn me(&self, cookie: &str) -> (u16, String) {
        let answer = self.send("GET /me", cookie).await;
        (answer.status, answer.body)
    }

    async fn list(&self, cookie: &str) -> Vec<Value> {
        let answer = self.send("GET /sessions", cookie).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        rocket::serde::json::from_str(&answer.body).unwrap()
    }

    fn told(&self, name: &str) -> usize {
        self.told.lock().unwrap().iter().filter(|event| event.name() == name).count()
    }
}

/// Row 13, ASVS 7.5.2: each session is there with what tells it from the others.
#[tokio::test]
async fn a_user_sees_their_sessions_and_which_one_asks() {
    let house = House::open().await;
    let (first, second) = (house.log_in(1).await, house.log_in(1).await);
    house.log_in(2).await;
    house.server.clock.advance(10 * MINUTE);
    assert_eq!(house.me(&second).await.0, 200);
    let listed = house.list(&second).await;
    assert_eq!(listed.len(), 2);
    let part = |key: &str| listed.iter().map(|one| one[key].clone()).collect::<Vec<_>>();
    assert_eq!(part("current"), [json!(false), json!(true)]);
    assert_eq!(part("agent"), [json!("tests"), json!("tests")]);
    assert_eq!(part("ip"), [json!("127.0.0.1"), json!("127.0.0.1")]);
    assert_eq!(part("idle"), [json!(0), json!(600)]);
    assert_ne!(listed[0]["handle"], listed[1]["handle"]);
    for value in [&first, &second] {
        let secret = value.split_once('=').unwrap().1;
        assert!(!listed.iter().any(|one| one.to_string().contains(&secret[..43])));
    }
    assert_eq!(house.send("GET /sessions", "a=b").await.status, 401);
}

/// Row 13, ASVS 7.4.3.
#[tokio::test]
async fn one_session_is_ended_from_another_and_the_others_live() {
    let house = House::open().await;
    let mut cookies = Vec::new();
    for _ in 0..3 {
        cookies.push(house.log_in(1).await);
    }
    let handle = house.list(&cookies[0]).await[1]["handle"].as_str().unwrap().to_owned();
    let path = format!("POST /sessions/{handle}/revoke");
    // Not by another user, not from another site, not by nobody.
    let stranger = house.log_in(2).await;
    assert_eq!(house.send(&path, &stranger).await.status, 404);
    let foreign = format!("{path}\nSec-Fetch-Site: cross-site");
    assert_eq!(house.send(&foreign, &cookies[0]).await.status, 403);
    assert_eq!(house.send(&path, "a=b").await.status, 401);
    assert_eq!(house.me(&cookies[1]).await.0, 200);

    assert_eq!(house.send(&path, &cookies[0]).await.status, 200);
    assert_eq!(house.send(&path, &cookies[0]).await.status, 404, "it is gone");
    assert_eq!(house.me(&cookies[1]).await.0, 401);
    assert_eq!((house.me(&cookies[0]).await.0, house.me(&cookies[2]).await.0), (200, 200));
    assert_eq!(house.told(Event::REVOKED), 1);
    for bad in ["x", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA", "%2e%2e"] {
        let answer = house.send(&format!("POST /sessions/{bad}/revoke"), &cookies[0]).await;
        assert!([404, 422].contains(&answer.status), "{bad}: {}", answer.status);
    }
    // Its own handle is a logout.
    let own = house.list(&cookies[0]).await[0]["handle"].as_str().unwrap().to_owned();
    let answer = house.send(&format!("POST /sessions/{own}/revoke"), &cookies[0]).await;
    assert!(answer.status == 200 && answer.all("set-cookie")[0].contains("Max-Age=0"));
    assert_eq!(house.me(&cookies[0]).await.0, 401);
}

/// Row 13: "all but this one".
#[tokio::test]
async fn the_others_are_ended_and_this_one_lives() {
    let house = House::open().await;
    let mut cookies = Vec::new();
    for _ in 0..3 {
        cookies.push(house.log_in(1).await);
    }
    let answer = house.send("POST /sessions/revoke-others", &cookies[1]).await;
    assert_eq!((answer.status, &*answer.body), (200, "2"));
    let seen = [
        house.me(&cookies[0]).await.0,
        house.me(&cookies[1]).await.0,
        house.me(&cookies[2]).await.0,
    ];
    assert_eq!(seen, [401, 200, 401]);
}

/// Row 14, ASVS 7.4.2, 7.4.5.
#[tokio::test]
async fn an_admin_lists_ends_and_rewrites_and_it_holds_with_the_next_request() {
    let house = House::open().await;
    let (first, second) = (house.log_in(1).await, house.log_in(1).await);
    assert_eq!(house.me(&first).await, (200, "1 true".into()));
    assert_eq!(house.send("POST /admin/demote/1", "a=b").await.body, "true");
    assert_eq!(house.me(&first).await, (200, "1 false".into()));
    assert_eq!(house.me(&second).await, (200, "1 false".into()));
    let handle = house.list(&first).await[0]["handle"].as_str().unwrap().to_owned();
    assert_eq!(house.send(&format!("POST /admin/end/2/{handle}"), "a=b").await.body, "false");
    assert_eq!(house.send(&format!("POST /admin/end/1/{handle}"), "a=b").await.body, "true");
    assert_eq!((house.me(&first).await.0, house.me(&second).await.0), (401, 200));
    assert_eq!(house.send("POST /admin/lock/1", "a=b").await.body, "1");
    assert_eq!(house.me(&second).await.0, 401);
    assert_eq!(house.send("POST /admin/demote/1", "a=b").await.body, "false", "nobody is left");
}

/// Row 15: what happens at the bound is stated.
#[tokio::test]
async fn beyond_the_bound_the_oldest_gives_way_or_the_new_one_is_refused() {
    let at = |evict: &'static str| {
        House::open_with(move |figment| {
            figment
                .merge(("identity.session.max_per_user", 2))
                .merge(("identity.session.evict", evict))
        })
    };
    let house = at("oldest").await;
    let first = house.log_in(1).await;
    for _ in 0..2 {
        house.server.clock.advance(Duration::from_secs(1));
        house.log_in(1).await;
    }
    assert_eq!(house.me(&first).await.0, 401);
    let house = at("refuse").await;
    let first = house.log_in(1).await;
    house.log_in(1).await;
    let refused = house.send("POST /login/1?remember=false", "a=b").await;
    assert_eq!((refused.status, &*refused.code()), (409, "too_many_sessions"));
    assert!(refused.sets_no_cookie());
    assert_eq!(house.me(&first).await.0, 200);
    // One that takes the place of an own session is not one more.
    assert_eq!(house.send("POST /login/1?remember=false", &first).await.status, 200);
}

/// Row 16, ASVS 7.5.1, 7.5.3.
#[tokio::test]
async fn what_needs_a_fresh_login_asks_for_one_after_five_minutes() {
    let house =
        House::open_with(|figment| figment.merge(("identity.confirm_path", "/confirm"))).await;
    let old = house.log_in(1).await;
    house.server.clock.advance(5 * MINUTE);
    assert_eq!(house.send("GET /settings", &old).await.status, 200);
    house.server.clock.advance(Duration::from_millis(1));
    let stale = house.send("GET /settings", &old).await;
    assert_eq!((stale.status, &*stale.code()), (401, "not_fresh"));
    let page = house.send("GET /settings?a=b\nAccept: text/html", &old).await;
    assert_eq!((page.status, page.all("location")), (303, vec!["/confirm?next=/settings%3Fa%3Db"]));
    assert_eq!(house.send("GET /settings", "a=b").await.status, 401);

    assert_eq!(house.send("POST /confirm/false", &old).await.status, 401);
    assert_eq!(house.send("GET /settings", &old).await.status, 401);
    let handle = house.list(&old).await[0]["handle"].clone();
    let confirmed = house.send("POST /confirm/true", &old).await;
    let new = confirmed.cookie().to_owned();
    assert!(confirmed.status == 200 && new != old);
    assert_eq!(house.send("GET /settings", &new).await.status, 200);
    let listed = house.list(&new).await;
    assert_eq!((listed.len(), &listed[0]["handle"]), (1, &handle), "it is the same session");
    assert_eq!(house.told(Event::CONFIRMED), 1);
    // A parallel request with the old ticket is served, is not fresh, and confirms nothing more.
    assert_eq!(house.me(&old).await.0, 200);
    assert_eq!(house.send("GET /settings", &old).await.status, 401);
    assert_eq!(house.send("POST /confirm/true", &old).await.status, 401);
    house.server.clock.advance(Duration::from_secs(5));
    assert_eq!((house.me(&old).await.0, house.me(&new).await.0), (401, 200));
}

#[tokio::test]
async fn a_logout_with_the_old_ticket_ends_the_session_that_was_confirmed() {
    let house = House::open().await;
    let old = house.log_in(1).await;
    let new = house.send("POST /confirm/true", &old).await.cookie().to_owned();
    assert_eq!(house.send("POST /logout", &old).await.status, 200);
    assert_eq!((house.me(&old).await.0, house.me(&new).await.0), (401, 401));
}

#[tokio::test]
async fn a_remembered_session_keeps_its_end_when_it_is_confirmed() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let house = House::open().await;
    let first = house.send("POST /login/1?remember=true", "a=b").await;
    assert!(first.all("set-cookie")[0].contains("Max-Age=2592000"));
    house.server.clock.advance(10 * DAY);
    let confirmed = house.send("POST /confirm/true", first.cookie()).await;
    assert!(confirmed.all("set-cookie")[0].contains("Max-Age=1728000"), "{confirmed:?}");
}

#[tokio::test]
async fn five_confirmations_may_fail_and_then_one_each_five_minutes_and_the_login_stays_open() {
    let house = House::open().await;
    let cookie = house.log_in(1).await;
    for _ in 0..5 {
        assert_eq!(house.send("POST /confirm/false", &cookie).await.status, 401);
    }
    for right in ["false", "true"] {
        let refused = house.send(&format!("POST /confirm/{right}"), &cookie).await;
        assert_eq!((refused.status, refused.all("retry-after")), (429, vec!["300"]));
        assert_eq!(refused.all("ratelimit-policy"), ["\"confirm\";q=5;w=1500"]);
    }
    assert_eq!(house.send("POST /attempt/1", "a=b").await.status, 401, "another bucket");
    house.server.clock.advance(5 * MINUTE);
    let confirmed = house.send("POST /confirm/true", &cookie).await;
    assert_eq!(confirmed.status, 200);
    // It has emptied its bucket.
    for _ in 0..5 {
        assert_eq!(house.send("POST /confirm/false", confirmed.cookie()).await.status, 401);
    }
}

/// A login that waits is no login: nothing but its own routes takes it.
#[tokio::test]
async fn a_login_that_waits_for_a_second_factor_opens_nothing_until_it_is_confirmed() {
    let house = House::open().await;
    let old = house.log_in(1).await;
    let waits = house.send("POST /pending/1", &old).await;
    assert_eq!(waits.status, 200);
    let set = waits.all("set-cookie");
    assert_eq!(set.len(), 1, "no session, no device: {set:?}");
    assert!(set[0].starts_with("pending=") && set[0].contains("Max-Age=600"), "{set:?}");
    let pending = waits.cookie().to_owned();
    let value = pending.split_once('=').unwrap().1;
    for cookie in
        [pending.clone(), format!("session={value}"), format!("session={value}; {pending}")]
    {
        assert_eq!(house.me(&cookie).await.0, 401);
        assert_eq!(house.send("GET /maybe", &cookie).await.body, "nobody");
        assert_eq!(house.send("GET /settings", &cookie).await.status, 401);
        assert_eq!(house.send("GET /sessions", &cookie).await.status, 401);
    }
    assert_eq!(house.me(&old).await, (200, "1 true".into()), "nothing was ended or written");
    assert_eq!(house.list(&old).await.len(), 1);
    let page = house.send("GET /second-factor", &pending).await;
    assert_eq!((page.status, &*page.body), (200, "1 totp"));
    assert_eq!(house.send("GET /second-factor", &old).await.status, 401);
    assert_eq!(page.all("cache-control"), ["no-store"], "it is about somebody");
    // A page that checks the password again is no second factor, and no other step is this one.
    let again = house.send("POST /confirm/true", &pending).await;
    assert_eq!((again.status, &*again.code()), (401, "unauthenticated"));
    assert_eq!(house.send("POST /confirm-step/true?step=mail", &pending).await.status, 401);

    let both = format!("{old}; {pending}");
    assert_eq!(house.send("POST /confirm-step/false?step=totp", &both).await.status, 401);
    house.table.admin.store(false, Ordering::SeqCst);
    let done = house.send("POST /confirm-step/true?step=totp", &both).await;
    assert_eq!(done.status, 200);
    let session =
        done.all("set-cookie").into_iter().find(|set| set.starts_with("session=")).unwrap();
    assert!(done.all("set-cookie").iter().any(|set| set.starts_with("pending=;")), "{done:?}");
    assert!(done.device().is_some());
    let session = session.split(';').next().unwrap();
    assert_eq!(house.me(session).await, (200, "1 false".into()), "and was read again");
    assert_eq!(house.me(&old).await.0, 401, "the session that it took the place of");
    assert_eq!(house.send("GET /settings", session).await.status, 200, "it is fresh");
    // It works once.
    assert_eq!(house.send("POST /confirm-step/true?step=totp", &pending).await.status, 401);
}

/// Row 14: nobody who is demoted while they log in is an admin again.
#[tokio::test]
async fn a_login_that_waited_does_not_undo_a_demotion() {
    let house = House::open().await;
    let pending = house.send("POST /pending/1", "a=b").await.cookie().to_owned();
    assert_eq!(house.send("POST /admin/demote/1", "a=b").await.body, "false", "no session yet");
    assert_eq!(house.send("POST /confirm-step/true?step=totp", &pending).await.status, 401);
    // By the store's own clock a revocation is a second away.
    house.server.clock.advance(MINUTE);
    let session = house.log_in(1).await;
    assert_eq!(house.me(&session).await, (200, "1 true".into()), "as its own login read it");
}

/// Whoever left a second factor half done and logs in otherwise confirms what they see, and nothing
/// else.
#[tokio::test]
async fn a_login_ends_the_one_that_waited_in_the_same_browser() {
    let house = House::open().await;
    let pending = house.send("POST /pending/2", "a=b").await.cookie().to_owned();
    let login = house.send("POST /login/1?remember=false", &pending).await;
    assert!(login.all("set-cookie").iter().any(|set| set.starts_with("pending=;")), "{login:?}");
    assert_eq!(house.send("GET /second-factor", &pending).await.status, 401);
    let set = login.all("set-cookie").into_iter().find(|set| set.starts_with("session=")).unwrap();
    let both = format!("{}; {pending}", set.split(';').next().unwrap());
    assert_eq!(house.send("POST /confirm/true", &both).await.status, 200);
}

#[tokio::test]
async fn a_login_waits_ten_minutes_and_five_of_one_user_do() {
    let house = House::open().await;
    let mut waiting = Vec::new();
    for _ in 0..6 {
        house.server.clock.advance(Duration::from_secs(1));
        waiting.push(house.send("POST /pending/1", "a=b").await.cookie().to_owned());
    }
    let page = async |cookie: &str| house.send("GET /second-factor", cookie).await.status;
    assert_eq!((page(&waiting[0]).await, page(&waiting[1]).await), (401, 200));
    house.server.clock.advance(10 * MINUTE - Duration::from_secs(1));
    assert_eq!((page(&waiting[4]).await, page(&waiting[5]).await), (401, 200));
    house.server.clock.advance(Duration::from_secs(1));
    assert_eq!(page(&waiting[5]).await, 401);
    assert_eq!(house.send("POST /confirm-step/true?step=totp", &waiting[5]).await.status, 401);
}

/// The right password alone resets no bucket: who has it could else guess at codes without end.
#[tokio::test]
async fn a_login_that_waits_resets_nothing_and_second_factors_have_their_own_five_tries() {
    let house = House::open().await;
    let mut pending = String::new();
    for _ in 0..10 {
        pending = house.send("POST /pending/1", "a=b").await.cookie().to_owned();
    }
    assert_eq!(house.send("POST /attempt/1", "a=b").await.status, 429, "each was counted");
    for _ in 0..5 {
        assert_eq!(house.send("POST /confirm-step/false?step=totp", &pending).await.status, 401);
    }
    let refused = house.send("POST /confirm-step/true?step=totp", &pending).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.all("ratelimit-policy"), ["\"second factor\";q=5;w=1500".replace(' ', "_")]);
    house.server.clock.advance(5 * MINUTE);
    assert_eq!(house.send("POST /confirm-step/true?step=totp", &pending).await.status, 200);
    for _ in 0..10 {
        assert_eq!(house.send("POST /attempt/1", "a=b").await.status, 401, "now it is reset");
    }
}

#[tokio::test]
async fn a_logout_ends_a_login_that_waits_and_so_does_a_lock() {
    let house = House::open().await;
    let pending = house.send("POST /pending/1", "a=b").await.cookie().to_owned();
    let out = house.send("POST /logout", &pending).await;
    assert!(out.all("set-cookie").iter().any(|set| set.starts_with("pending=;")));
    assert_eq!(house.send("GET /second-factor", &pending).await.status, 401);
    let pending = house.send("POST /pending/1", "a=b").await.cookie().to_owned();
    assert_eq!(house.send("POST /admin/lock/1", "a=b").await.status, 200);
    assert_eq!(house.send("POST /confirm-step/true?step=totp", &pending).await.status, 401);
    for line in ["GET /second-factor", "POST /confirm-step/true?step=totp"] {
        let pending = house.send("POST /pending/2", "a=b").await.cookie().to_owned();
        let foreign = format!("{line}\nSec-Fetch-Site: cross-site");
        let status = house.send(&foreign, &pending).await.status;
        assert_eq!(status, if line.starts_with("GET") { 200 } else { 403 });
    }
}

/// The application's own table decides again at the time that was chosen.
#[tokio::test]
async fn a_user_is_read_again_when_what_is_known_is_old_and_one_who_is_gone_is_logged_out() {
    let house = House::open_with(|figment| figment.merge(("identity.session.reload", "5m"))).await;
    let (first, second) = (house.log_in(1).await, house.log_in(1).await);
    let reads = || house.table.reads.load(Ordering::SeqCst);
    house.server.clock.advance(5 * MINUTE - Duration::from_millis(1));
    house.table.admin.store(false, Ordering::SeqCst);
    assert_eq!((house.me(&first).await, reads()), ((200, "1 true".into()), 0));
    house.server.clock.advance(Duration::from_millis(1));
    assert_eq!((house.me(&first).await, reads()), ((200, "1 false".into()), 1));
    assert_eq!((house.me(&second).await, reads()), ((200, "1 false".into()), 1), "read once");
    // A table that is away changes nothing, and is told of.
    house.server.clock.advance(5 * MINUTE);
    house.table.fails.store(true, Ordering::SeqCst);
    assert_eq!(house.me(&first).await, (200, "1 false".into()));
    assert_eq!(house.told(Event::RELOAD_FAILED), 1);
    house.table.fails.store(false, Ordering::SeqCst);
    house.table.gone.store(true, Ordering::SeqCst);
    assert_eq!((house.me(&first).await.0, house.me(&second).await.0), (401, 401));
}

#[tokio::test]
async fn a_user_who_is_gone_confirms_nothing() {
    let house = House::open().await;
    let cookie = house.log_in(1).await;
    let pending = house.send("POST /pending/1", "a=b").await.cookie().to_owned();
    house.table.gone.store(true, Ordering::SeqCst);
    assert_eq!(house.send("POST /confirm-step/true?step=totp", &pending).await.status, 401);
    assert_eq!(house.me(&cookie).await.0, 401);
}

/// Row 18.
#[tokio::test]
async fn the_browser_is_told_to_forget_all_where_that_is_wanted_and_not_otherwise() {
    for (wanted, expected) in [(true, vec!["\"cache\", \"storage\""]), (false, vec![])] {
        let house =
            House::open_with(|figment| figment.merge(("identity.session.clear_site_data", wanted)));
        let house = house.await;
        let cookie = house.log_in(1).await;
        assert!(house.send("GET /me", &cookie).await.all("clear-site-data").is_empty());
        let out = house.send("POST /logout", &cookie).await;
        assert_eq!(out.all("clear-site-data"), expected);
    }
}

#[tokio::test]
async fn a_time_to_read_again_without_a_hook_does_not_launch() {
    let figment = figment("debug").merge(("identity.session.reload", "5m"));
    let rocket = rocket::custom(figment).attach(Identity::<Person>::sessions());
    let refused = rocket.ignite().await.map_err(|error| format!("{:?}", error.kind()));
    assert!(refused.is_err());
}
