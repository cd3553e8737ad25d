//! tests/streams.rs: event streams and WebSockets of sessions that end, in this process and in another one,
//! while Redis is there and while it is not. Rows are those of the project's security checklist.
#![cfg(all(feature = "testing", feature = "redis"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "how fast a stream closes is real time")]
#![allow(clippy::print_stdout, reason = "what a process tells, and the figures")]

#[path = "streams/app.rs"]
mod app;
#[path = "streams/process.rs"]
mod process;
#[path = "streams/stream.rs"]
mod stream;
mod support;

use std::time::Duration;

use app::{app, get, log_in, post};
use process::Process;
use stream::{BOTH, Kind, Stream};
use support::redis::Redis;
use support::{Server, figment};
use tokio::time::sleep;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// What is no second any longer: long enough to see that nothing closes.
const LONGER: Duration = Duration::from_millis(1_500);

/// A server whose clock the test moves, in this process.
async fn server(redis: &Redis) -> Server {
    let figment = figment("release").merge(("databases.identity.url", redis.url()));
    // These streams live on through an outage that a slow machine might have.
    Server::start(app(figment.merge(("databases.identity.command_timeout", "2s")))).await
}

async fn in_memory() -> Server {
    Server::start(app(figment("release"))).await
}

async fn all_close(streams: &mut [Stream], limit: Duration, why: &str) {
    for stream in streams {
        assert!(stream.closes_within(limit).await.is_some(), "open after {limit:?}: {why}");
    }
}

async fn all_stay(streams: &mut [Stream], why: &str) {
    for stream in streams {
        assert!(stream.closes_within(LONGER / 2).await.is_none(), "closed: {why}");
    }
}

/// Rows 13 and 14: however a session ends, and wherever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_closes_within_a_second_when_its_session_ends_here_or_in_another_process() {
    let redis = Redis::start(&[]);
    let (here, elsewhere) = (server(&redis).await, Process::start(&redis.url(), ""));
    let mut user = 0;
    for at in [here.address, elsewhere.address] {
        for act in ["logout", "logout-everywhere", "login", "revoke", "revoke-others", "lock"] {
            user += 1;
            // The other device of the same user, of which only a few acts are no end.
            let (cookie, other) =
                (log_in(here.address, user).await, log_in(here.address, user).await);
            let mut streams = Stream::open_both(here.address, &cookie).await;
            let mut others = Stream::open_both(here.address, &other).await;
            let (path, by) = match act {
                "login" => (format!("/login/{user}"), &cookie),
                "lock" => (format!("/lock/{user}"), &cookie),
                "revoke" => {
                    let devices = get(at, "/devices", &cookie).await.body;
                    (format!("/revoke/{}", devices.lines().next().unwrap()), &other)
                }
                "revoke-others" => ("/revoke-others".into(), &other),
                _ => (format!("/{act}"), &cookie),
            };
            let answer = post(at, &path, by).await;
            assert_eq!(answer.status, 200, "{act}: {answer:?}");
            all_close(&mut streams, SECOND, act).await;
            match act {
                "logout-everywhere" | "lock" => all_close(&mut others, SECOND, act).await,
                _ => all_stay(&mut others[..1], act).await,
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_a_stream_closes_as_fast() {
    let server = in_memory().await;
    let (cookie, other) = (log_in(server.address, 1).await, log_in(server.address, 1).await);
    let mut streams = Stream::open_both(server.address, &cookie).await;
    let mut others = Stream::open_both(server.address, &other).await;
    assert_eq!(post(server.address, "/revoke-others", &other).await.body, "1");
    all_close(&mut streams, SECOND, "revoked").await;
    all_stay(&mut others, "it is the one that asked").await;
    post(server.address, "/logout", &other).await;
    all_close(&mut others, SECOND, "logged out").await;
}

/// Row 9, for what stays open: waiting is no use of a session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_closes_when_its_sessions_time_is_over_and_is_no_activity_itself() {
    let redis = Redis::start(&[]);
    for server in [in_memory().await, server(&redis).await] {
        let cookie = log_in(server.address, 1).await;
        let mut streams = Stream::open_both(server.address, &cookie).await;
        server.clock.advance(20 * MINUTE);
        assert_eq!(get(server.address, "/me", &cookie).await.status, 200);
        server.clock.advance(20 * MINUTE);
        all_stay(&mut streams, "it was used twenty minutes ago").await;
        server.clock.advance(10 * MINUTE);
        all_close(&mut streams, SECOND, "half an hour of silence").await;
        assert_eq!(get(server.address, "/me", &cookie).await.status, 401);

        let cookie = log_in(server.address, 1).await;
        for _ in 0..71 {
            server.clock.advance(20 * MINUTE);
            assert_eq!(get(server.address, "/me", &cookie).await.status, 200);
        }
        let mut streams = Stream::open_both(server.address, &cookie).await;
        server.clock.advance(20 * MINUTE);
        all_close(&mut streams, SECOND, "a day of use").await;
    }
}

/// Row 16, and row 3 as it is for a step-up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_up_closes_no_stream_and_the_session_still_ends_it() {
    let redis = Redis::start(&[]);
    for server in [in_memory().await, server(&redis).await] {
        let old = log_in(server.address, 1).await;
        let mut streams = Stream::open_both(server.address, &old).await;
        server.clock.advance(6 * MINUTE);
        let stale = get(server.address, "/settings", &old).await;
        assert_eq!((stale.status, &*stale.code()), (401, "not_fresh"));
        let new = post(server.address, "/confirm", &old).await.cookie().to_owned();
        assert_eq!(get(server.address, "/settings", &new).await.status, 200);
        all_stay(&mut streams, "a step-up").await;
        // The old ticket is over; what it opened is not.
        server.clock.advance(Duration::from_secs(6));
        all_stay(&mut streams, "the old ticket's five seconds are over").await;
        assert_eq!(get(server.address, "/me", &old).await.status, 401);
        post(server.address, "/logout", &new).await;
        all_close(&mut streams, SECOND, "logged out by the new ticket").await;

        let old = log_in(server.address, 1).await;
        let mut streams = Stream::open_both(server.address, &old).await;
        let new = post(server.address, "/confirm", &old).await.cookie().to_owned();
        post(server.address, "/logout", &old).await;
        all_close(&mut streams, SECOND, "logged out by the old ticket").await;
        assert_eq!(get(server.address, "/me", &new).await.status, 401);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_closes_no_stream_and_a_logout_after_it_does() {
    let redis = Redis::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let (here, elsewhere) = (server(&redis).await, Process::start(&redis.url(), ""));
    let cookie = log_in(here.address, 1).await;
    let mut streams = Stream::open_both(here.address, &cookie).await;
    redis.kill();
    all_stay(&mut streams, "Redis is away").await;
    redis.start_again();
    all_stay(&mut streams, "it came back with its data").await;
    redis.pause();
    all_stay(&mut streams, "Redis is paused").await;
    redis.resume();
    all_stay(&mut streams, "it goes on").await;
    let logged_out = async {
        while post(elsewhere.address, "/logout", &cookie).await.status != 200 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(10 * SECOND, logged_out).await.expect("a logout after the outage");
    all_close(&mut streams, 2 * SECOND, "logged out").await;
}

/// What Redis forgot is no session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_restarts_empty_closes_every_stream() {
    let redis = Redis::start(&[]);
    let server = server(&redis).await;
    let cookie = log_in(server.address, 1).await;
    let mut streams = Stream::open_both(server.address, &cookie).await;
    redis.kill();
    all_stay(&mut streams, "Redis is away").await;
    redis.start_again();
    all_close(&mut streams, 3 * SECOND, "nobody has a session any longer").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_notices_are_away_a_stream_asks_once_a_second_and_closes_all_the_same() {
    let redis = Redis::start(&[]);
    let (here, elsewhere) = (server(&redis).await, Process::start(&redis.url(), ""));
    for (n, words) in
        ["CLIENT KILL TYPE normal SKIPME yes", "ACL SETUSER default -xread"].into_iter().enumerate()
    {
        let user = n as u64;
        let cookie = log_in(here.address, user).await;
        let mut streams = Stream::open_both(here.address, &cookie).await;
        redis.tell(words);
        // The reader's connection is cut, and with the right taken away no other one will do.
        redis.tell("CLIENT KILL TYPE normal SKIPME yes");
        all_stay(&mut streams, words).await;
        let logged_out = async {
            while post(elsewhere.address, "/logout", &cookie).await.status != 200 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(10 * SECOND, logged_out).await.expect("a logout");
        // A second between two looks, and the look.
        all_close(&mut streams, 2 * SECOND, words).await;
    }
    redis.tell("ACL SETUSER default +xread");
}

/// Rows 22 and 17: a WebSocket is opened by GET, and is no safe request for that.
#[tokio::test]
async fn an_upgrade_from_another_site_is_403_and_nobodys_stream_is_401() {
    let server = in_memory().await;
    let cookie = log_in(server.address, 1).await;
    for kind in BOTH {
        let anonymous = kind.ask(server.address, "").await;
        assert_eq!(anonymous.status, 401, "{kind:?}");
        let forged = format!("Cookie: __Host-session={}.{}", "A".repeat(43), "A".repeat(22));
        assert_eq!(kind.ask(server.address, &forged).await.status, 401, "{kind:?}");
    }
    let cookie = format!("Cookie: {cookie}");
    let own = format!("Origin: http://{}", server.address);
    for foreign in [
        "Origin: https://evil.test",
        "Origin: null",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Sec-Fetch-Site: cross-site\nOrigin: https://evil.test",
    ] {
        let refused = Kind::Socket.ask(server.address, &format!("{cookie}\n{foreign}")).await;
        assert_eq!(refused.status, 403, "{foreign}");
        assert!(refused.list("cache-control").contains(&"no-store"), "{refused:?}");
    }
    for ours in [&*own, "Sec-Fetch-Site: same-origin"] {
        let opened = Kind::Socket.ask(server.address, &format!("{cookie}\n{ours}")).await;
        assert_eq!(opened.status, 101, "{ours}");
    }
}

/// Rounds of the figure below; `scripts/streams` takes a thousand.
fn rounds() -> usize {
    std::env::var("STREAMS_ROUNDS").map_or(20, |rounds| rounds.parse().expect("a number"))
}

/// From the moment that a revocation is sent to another process until the stream's last byte is here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_a_revocation_in_another_process_to_a_closed_stream_is_far_below_a_second() {
    let redis = Redis::start(&[]);
    let (one, two) = (Process::start(&redis.url(), ""), Process::start(&redis.url(), ""));
    println!("{:16} {:>8} {:>8} {:>8} {:>8}", "ms", "rounds", "p50", "p99", "max");
    for (first, kind) in [(0, Kind::Events), (1_000_000, Kind::Socket)] {
        let mut spans = Vec::new();
        for round in 0..rounds() {
            // A user each: for a second after a revocation a login counts as under way.
            let cookie = log_in(one.address, first + round as u64).await;
            let mut stream = Stream::open(one.address, kind, &cookie).await;
            let (answer, closed) = tokio::join!(
                post(two.address, "/logout-everywhere", &cookie),
                stream.closes_within(5 * SECOND)
            );
            assert_eq!(answer.status, 200, "{answer:?}");
            spans.push(closed.expect("it closes"));
        }
        spans.sort();
        let ms = |span: Duration| format!("{:.1}", span.as_secs_f64() * 1_000.0);
        let [p50, p99] = [50, 99].map(|part| spans[(spans.len() * part).div_ceil(100) - 1]);
        let max = *spans.last().unwrap();
        let name = format!("{kind:?}");
        println!("{name:16} {:>8} {:>8} {:>8} {:>8}", spans.len(), ms(p50), ms(p99), ms(max));
        // Whoever asks once a second is told after half of one.
        assert!(p50 < SECOND / 4, "notices do not arrive: {p50:?}");
        assert!(max < SECOND, "{max:?}");
    }
}
