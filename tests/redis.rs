//! tests/redis.rs: sessions on a real Redis: what is sent, what is kept, and what happens when it is
//! killed, paused, cut, filled, flushed or turned into a replica. Rows are those of the project's
//! security checklist.
#![cfg(all(feature = "testing", feature = "redis"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "faults take real time")]

mod support;

use std::time::{Duration, Instant};

use deadpool_redis::redis::cmd;
use rocket::{get, routes};
use rocket_identity::{Identity, SessionUser, User, UserId};
use serde::{Deserialize, Serialize};
use support::app::app;
use support::redis::{Proxy, Redis};
use support::{Server, figment};

/// A process of the application; several may share one Redis.
async fn process(url: &str) -> Server {
    Server::start(app(figment("release").merge(("databases.identity.url", url)))).await
}

/// Asks until the answer has this status; how long that took.
async fn until(server: &Server, path: &str, cookie: &str, status: u16) -> Duration {
    let start = Instant::now();
    loop {
        let answer = server.get(path, cookie).await;
        if answer.status == status {
            return start.elapsed();
        }
        assert!(start.elapsed() < Duration::from_secs(10), "still {answer:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// An outage as the design has it: no hang, no wrong user, no cookie lost.
async fn assert_away(server: &Server, cookie: &str) {
    for path in ["/me", "/maybe"] {
        let start = Instant::now();
        let answer = server.get(path, cookie).await;
        assert!(start.elapsed() < Duration::from_secs(2), "{path} took {:?}", start.elapsed());
        assert_eq!((answer.status, &*answer.code()), (503, "store_unavailable"), "{path}");
        assert!(answer.sets_no_cookie() && !answer.all("retry-after").is_empty());
    }
    for path in ["/login/1", "/logout", "/logout-everywhere"] {
        let start = Instant::now();
        let answer = server.post(path, cookie).await;
        assert!(start.elapsed() < Duration::from_secs(2), "{path} took {:?}", start.elapsed());
        assert_eq!((answer.status, &*answer.code()), (503, "store_unavailable"), "{path}");
        assert!(answer.sets_no_cookie(), "{path}");
    }
    assert_eq!(server.send("GET /me").await.status, 401);
    assert_eq!(server.send("GET /maybe").await.body, "nobody");
    assert_eq!(server.get("/maybe", "__Host-session=x").await.body, "nobody");
}

#[tokio::test]
async fn two_processes_share_a_login_and_a_logout() {
    let redis = Redis::start(&[]);
    let (one, two) = (process(&redis.url()).await, process(&redis.url()).await);
    let cookie = one.log_in(7).await;
    assert_eq!(two.get("/me", &cookie).await.body, "7");
    assert_eq!(two.post("/logout", &cookie).await.status, 200);
    assert_eq!(one.get("/me", &cookie).await.status, 401);
    let (phone, laptop) = (one.log_in(7).await, two.log_in(7).await);
    assert_eq!(one.post("/logout-everywhere", &phone).await.status, 200);
    assert_eq!(two.get("/me", &laptop).await.status, 401);
}

/// Row 2: nothing in Redis is a cookie's value, and nothing there opens a session.
#[tokio::test]
async fn no_ticket_is_in_redis_and_its_key_opens_nothing() {
    let redis = Redis::start(&[]);
    let server = process(&redis.url()).await;
    let cookie = server.log_in(1).await;
    let (secret, tag) = cookie.strip_prefix("__Host-session=").unwrap().split_once('.').unwrap();
    let key = format!("ri:{{{tag}}}");
    assert!(redis.keys().contains(&key));
    let fields: Vec<Vec<u8>> = redis.ask(cmd("HGETALL").arg(&key));
    assert!(fields.len() >= 4);
    for bytes in &fields {
        assert!(!String::from_utf8_lossy(bytes).contains(secret));
    }
    for forged in [key, format!("{}.{tag}", "A".repeat(43))] {
        assert_eq!(server.get("/me", &format!("__Host-session={forged}")).await.status, 401);
    }
    let left: i64 = redis.ask(cmd("PTTL").arg(format!("ri:{{{tag}}}")));
    assert!((1_790_000..=1_800_000).contains(&left), "half an hour, not {left} ms");
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

#[get("/admin")]
fn admin(_user: SessionUser<Admin>) {}

/// Two fairings on one Redis have keys of their own: a customer's ticket is no admin's session, though
/// the stored customer would read as an admin.
#[tokio::test]
async fn a_customers_ticket_presented_as_an_admins_is_nobodys() {
    let redis = Redis::start(&[]);
    let figment = figment("release").merge(("databases.identity.url", redis.url()));
    let rocket = app(figment)
        .attach(Identity::<Admin>::sessions().named("admin"))
        .mount("/", routes![admin]);
    let server = Server::start(rocket).await;
    let customer = server.log_in(1).await;
    let crossed = customer.replace("__Host-session", "__Host-admin-session");
    assert_eq!(server.get("/admin", &crossed).await.status, 401);
    assert_eq!(server.get("/me", &customer).await.status, 200);
}

/// One command for a guarded read, none for a stranger, one round trip for each act.
#[tokio::test]
async fn each_request_sends_the_commands_that_it_must_and_no_more() {
    let redis = Redis::start(&[]);
    let proxy = Proxy::before(redis.port).await;
    let server = process(&proxy.url()).await;
    proxy.take();
    for stranger in ["GET /me", "GET /maybe", "POST /logout", "GET /me\nCookie: __Host-session=x"] {
        server.send(stranger).await;
        assert_eq!(proxy.take(), [""; 0], "{stranger}");
    }
    let cookie = server.log_in(1).await;
    assert_eq!(proxy.take(), ["EVALSHA"]);
    for path in ["/me", "/maybe"] {
        server.get(path, &cookie).await;
        assert_eq!(proxy.take(), ["HMGET"], "{path}");
    }
    server.send(&format!("GET /me\nCookie: {cookie}; {cookie}")).await;
    assert_eq!(proxy.take(), [""; 0], "two cookies are none");
    server.send(&format!("POST /logout\nCookie: {cookie}\nOrigin: https://evil.test")).await;
    assert_eq!(proxy.take(), [""; 0], "another site spends nothing");
    server.clock.advance(Duration::from_secs(180));
    server.get("/me", &cookie).await;
    assert_eq!(proxy.take(), ["HMGET", "EVALSHA"], "a touch");
    server.get("/me", &cookie).await;
    assert_eq!(proxy.take(), ["HMGET"]);
    let again = server.post("/login/1", &cookie).await.cookie().to_owned();
    assert_eq!(
        proxy.take(),
        ["EVALSHA", "EVALSHA"],
        "a new login ends the old session in one step, and a notice goes with it"
    );
    server.post("/logout-everywhere", &again).await;
    assert_eq!(
        proxy.take(),
        ["HMGET", "EVALSHA", "EVALSHA"],
        "who it is, and the act with its notice"
    );
    let cookie = server.log_in(1).await;
    proxy.take();
    server.post("/logout", &cookie).await;
    assert_eq!(proxy.take(), ["EVALSHA", "EVALSHA"]);
}

#[tokio::test]
async fn a_flush_of_the_scripts_heals_itself() {
    let redis = Redis::start(&[]);
    let server = process(&redis.url()).await;
    redis.tell("SCRIPT FLUSH");
    let cookie = server.log_in(1).await;
    redis.tell("SCRIPT FLUSH");
    assert_eq!(server.post("/logout", &cookie).await.status, 200);
    assert_eq!(server.get("/me", &cookie).await.status, 401);
}

#[tokio::test]
async fn a_killed_redis_with_its_data_comes_back_with_every_session() {
    let redis = Redis::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let server = process(&redis.url()).await;
    let (kept, ended) = (server.log_in(1).await, server.log_in(1).await);
    assert_eq!(server.post("/logout", &ended).await.status, 200);
    redis.kill();
    assert_away(&server, &kept).await;
    redis.start_again();
    until(&server, "/me", &kept, 200).await;
    assert_eq!(server.get("/me", &ended).await.status, 401, "a logout was undone");
    server.log_in(2).await;
}

#[tokio::test]
async fn a_redis_that_restarts_empty_logs_everybody_out_and_serves_on() {
    let redis = Redis::start(&[]);
    let server = process(&redis.url()).await;
    let cookie = server.log_in(1).await;
    redis.kill();
    assert_away(&server, &cookie).await;
    redis.start_again();
    until(&server, "/me", &cookie, 401).await;
    let cookie = server.log_in(1).await;
    assert_eq!(server.get("/me", &cookie).await.status, 200);
}

#[tokio::test]
async fn an_application_launches_while_redis_is_down() {
    let redis = Redis::start(&[]);
    redis.kill();
    let server = process(&redis.url()).await;
    let forged = format!("__Host-session={}.{}", "A".repeat(43), "A".repeat(22));
    assert_away(&server, &forged).await;
    redis.start_again();
    until(&server, "/me", &forged, 401).await;
    server.log_in(1).await;
}

/// Paused longer than the time-out, with a thousand requests in flight: each is answered in time, and
/// nothing piles up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_redis_answers_a_thousand_requests_in_time() {
    let redis = Redis::start(&[]);
    let server = std::sync::Arc::new(process(&redis.url()).await);
    let cookie = server.log_in(1).await;
    let ask_a_thousand_times = async |cookie: &str, expected: u16| {
        let start = Instant::now();
        let requests = (0..1_000).map(|_| {
            let (server, cookie) = (server.clone(), cookie.to_owned());
            tokio::spawn(async move {
                assert_eq!(server.get("/maybe", &cookie).await.status, expected);
            })
        });
        for request in requests.collect::<Vec<_>>() {
            request.await.unwrap();
        }
        start.elapsed()
    };
    // What a thousand requests without Redis take on this machine is measured in the same run.
    let without = ask_a_thousand_times("theme=dark", 200).await;
    redis.pause();
    let paused = ask_a_thousand_times(&cookie, 503).await;
    let allowed = without * 2 + Duration::from_secs(1);
    assert!(paused < allowed, "{paused:?} while paused, {without:?} without Redis");
    // The first of them made the link look, and it is given up: nobody waits any longer.
    let start = Instant::now();
    assert_eq!(server.get("/me", &cookie).await.status, 503);
    assert!(start.elapsed() < Duration::from_millis(240), "took {:?}", start.elapsed());
    redis.resume();
    until(&server, "/me", &cookie, 200).await;
}

#[tokio::test]
async fn a_connection_cut_in_the_middle_of_a_reply_is_replaced() {
    let redis = Redis::start(&[]);
    let proxy = Proxy::before(redis.port).await;
    let server = process(&proxy.url()).await;
    let cookie = server.log_in(1).await;
    proxy.cut_next_reply();
    assert_eq!(server.get("/me", &cookie).await.status, 503);
    until(&server, "/me", &cookie, 200).await;
    // A login whose answer was lost may have happened; the next one is a session of its own.
    proxy.cut_next_reply();
    assert_eq!(server.post("/login/2", "").await.status, 503);
    until(&server, "/me", &cookie, 200).await;
    let second = server.log_in(2).await;
    assert_eq!(server.get("/me", &second).await.body, "2");
}

/// The hand-shake and the look at a new connection are few round trips, each with its own limit.
#[tokio::test]
async fn a_redis_that_is_slow_but_in_time_is_reconnected_to() {
    let redis = Redis::start(&[]);
    let proxy = Proxy::before(redis.port).await;
    let server = process(&proxy.url()).await;
    let cookie = server.log_in(1).await;
    for delay in [120, 200] {
        proxy.delay(Duration::from_millis(delay));
        redis.tell("CLIENT KILL TYPE normal SKIPME yes");
        until(&server, "/me", &cookie, 503).await;
        until(&server, "/me", &cookie, 200).await;
        for _ in 0..5 {
            assert_eq!(server.get("/me", &cookie).await.status, 200, "at {delay} ms a reply");
        }
        proxy.delay(Duration::ZERO);
    }
}

#[tokio::test]
async fn packets_that_vanish_are_a_time_out_and_then_no_connection() {
    let redis = Redis::start(&[]);
    let proxy = Proxy::before(redis.port).await;
    let server = process(&proxy.url()).await;
    let cookie = server.log_in(1).await;
    proxy.swallow(true);
    assert_away(&server, &cookie).await;
    proxy.swallow(false);
    until(&server, "/me", &cookie, 200).await;
}

#[tokio::test]
async fn a_client_kill_costs_one_request_at_most() {
    let redis = Redis::start(&[]);
    let server = process(&redis.url()).await;
    let cookie = server.log_in(1).await;
    redis.tell("CLIENT KILL TYPE normal SKIPME yes");
    assert!(until(&server, "/me", &cookie, 200).await < Duration::from_secs(1));
}

#[tokio::test]
async fn a_master_that_becomes_a_replica_is_away_until_it_is_a_master_again() {
    let (master, redis) = (Redis::start(&[]), Redis::start(&[]));
    let server = process(&redis.url()).await;
    let cookie = server.log_in(1).await;
    redis.tell(&format!("REPLICAOF 127.0.0.1 {}", master.port));
    // The link finds it out within a second or two, though nobody writes; from then on nobody reads
    // from a replica.
    let found_out = until(&server, "/me", &cookie, 503).await;
    assert!(found_out < Duration::from_millis(2_500), "{found_out:?}");
    assert_away(&server, &cookie).await;
    redis.tell("REPLICAOF NO ONE");
    let recovered = async {
        loop {
            if server.send("POST /login/2").await.status == 200 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), recovered).await.expect("logins again");
}

/// Redis answers, and the answer is no answer: what cannot be known is never "nobody".
#[tokio::test]
async fn a_read_that_redis_refuses_is_503_and_never_anonymous() {
    let redis = Redis::start(&["--busy-reply-threshold", "50"]);
    let server = process(&redis.url()).await;
    let cookie = server.log_in(1).await;
    // A replica that lost its master and serves nothing stale.
    redis.tell("CONFIG SET replica-serve-stale-data no");
    redis.tell("REPLICAOF 127.0.0.1 1");
    assert_away(&server, &cookie).await;
    redis.tell("REPLICAOF NO ONE");
    until(&server, "/me", &cookie, 200).await;
    // A right that is taken away.
    redis.tell("ACL SETUSER default -hmget");
    for path in ["/me", "/maybe"] {
        assert_eq!(&*server.get(path, &cookie).await.code(), "store_unavailable", "{path}");
    }
    redis.tell("ACL SETUSER default +hmget");
    until(&server, "/me", &cookie, 200).await;
    // Somebody else's script that does not end.
    let port = redis.port;
    let endless = std::thread::spawn(move || {
        let client = deadpool_redis::redis::Client::open(format!("redis://127.0.0.1:{port}"));
        let mut connection = client.unwrap().get_connection().unwrap();
        let _: Result<(), _> = cmd("EVAL").arg("while true do end").arg(0).query(&mut connection);
    });
    until(&server, "/me", &cookie, 503).await;
    for path in ["/me", "/maybe"] {
        assert_eq!(&*server.get(path, &cookie).await.code(), "store_unavailable", "{path}");
    }
    redis.tell("SCRIPT KILL");
    endless.join().unwrap();
    until(&server, "/me", &cookie, 200).await;
}

#[tokio::test]
async fn a_wrong_password_stops_the_launch_and_is_not_printed() {
    let redis = Redis::start(&[]);
    redis.tell("ACL SETUSER app on >right ~ri:* +@all");
    let url = format!("redis://app:wrong-word@127.0.0.1:{}", redis.port);
    let figment = figment("release").merge(("databases.identity.url", url));
    let error = app(figment).ignite().await.expect_err("does not launch");
    let text = format!("{:?}", error.kind());
    assert!(text.contains("Identity") && !text.contains("wrong-word"), "{text}");
}

#[tokio::test]
async fn a_full_redis_refuses_logins_and_still_logs_out() {
    let redis = Redis::start(&["--maxmemory-policy", "noeviction"]);
    let server = process(&redis.url()).await;
    let cookie = server.log_in(1).await;
    redis.tell("CONFIG SET maxmemory 1");
    let refused = server.post("/login/2", "").await;
    assert_eq!((refused.status, &*refused.code()), (503, "store_unavailable"));
    // A touch that is refused does not cost the request.
    server.clock.advance(Duration::from_secs(200));
    assert_eq!(server.get("/me", &cookie).await.status, 200);
    assert_eq!(server.post("/logout", &cookie).await.status, 200);
    redis.tell("CONFIG SET maxmemory 0");
    assert_eq!(server.get("/me", &cookie).await.status, 401);
    server.log_in(2).await;
}

#[tokio::test]
async fn what_cannot_be_read_is_nobody_and_the_next_login_mends_it() {
    let redis = Redis::start(&[]);
    let server = process(&redis.url()).await;
    let cookie = server.log_in(1).await;
    let key = redis.keys().into_iter().find(|key| !key.contains("probe")).unwrap();
    let fields: Vec<Vec<u8>> = redis.ask(cmd("HKEYS").arg(&key));
    let record = fields.iter().find(|field| field.starts_with(b"s:")).unwrap();
    let _: i64 = redis.ask(cmd("HSET").arg(&key).arg(record).arg("{\"not\":\"a record\"}"));
    assert_eq!(server.get("/me", &cookie).await.status, 401);
    assert_eq!(server.get("/maybe", &cookie).await.body, "nobody");
    let cookie = server.log_in(1).await;
    assert_eq!(server.get("/me", &cookie).await.status, 200);
    // A key of another type at the user's name.
    redis.tell(&format!("DEL {key}"));
    redis.tell(&format!("SET {key} x"));
    assert_eq!(server.get("/me", &cookie).await.status, 401);
    assert_eq!(server.get("/maybe", &cookie).await.body, "nobody");
    let cookie = server.log_in(1).await;
    assert_eq!(server.get("/me", &cookie).await.status, 200);
}

#[tokio::test]
async fn a_server_that_shuts_down_leaves_no_connection_behind() {
    let redis = Redis::start(&[]);
    let server = process(&redis.url()).await;
    let connections = || {
        let list: String = redis.ask(cmd("CLIENT").arg("LIST"));
        list.lines().count()
    };
    // Ours, and that of the question itself.
    assert_eq!(connections(), 2);
    drop(server);
    let start = Instant::now();
    while connections() > 1 {
        assert!(start.elapsed() < Duration::from_secs(10), "{} connections", connections());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
