//! tests/flood.rs: what a flood of logins does to everybody else. Row 81 of the project's security
//! checklist, OWASP ASVS 5.0 13.1.3. The server is examples/session in a process of its own, with the
//! hash of production; times are compared within one run only. The tables are those of
//! docs/passwords.md: `cargo test --all-features --test flood -- --nocapture`, also with `--release`.
#![cfg(all(target_os = "linux", feature = "password"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "they measure time")]
#![allow(clippy::print_stdout, reason = "the tables are what these tests are for")]

#[path = "../examples/session/main.rs"]
#[allow(dead_code, reason = "the example's `main` is not called here")]
mod app;
#[path = "flood/server.rs"]
mod server;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, available_parallelism, sleep, spawn};
use std::time::{Duration, Instant};

use rocket::futures::stream::{self, StreamExt};
use server::{Connection, Server};
use tokio::sync::Mutex;

/// Logins at the same time, each from an address of its own.
const LOGINS: usize = 1_000;

/// What a login that waits takes beside the memory of its hash: a socket, its buffers and the request.
const EACH_KIB: u64 = 48;

const MEMORY_KIB: u64 = 19_456;
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Fewer times have no 99th percentile.
const ENOUGH: usize = 200;

/// Held by each test: they fill the processor.
static PROCESSOR: Mutex<()> = Mutex::const_new(());

fn at_once() -> u64 {
    available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1)) as u64
}

/// What is measured of the other routes while something goes on.
#[derive(Clone, Copy, Debug)]
struct Latency {
    median: Duration,
    p99: Duration,
}

/// `GET /health` and `GET /me` in turns, each on a connection of its own, until it is told to stop
/// or has asked `most` times.
fn ask_others(server: &Server, cookie: &str, stop: &AtomicBool, most: usize) -> Latency {
    let mut health = server.connect();
    let mut me = server.connect();
    let get = |path, fields: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let asked = [get("/health", ""), get("/me", &format!("Cookie: {cookie}\r\n"))];
    let mut times = Vec::new();
    let start = Instant::now();
    let is_late = |asked| asked >= ENOUGH && start.elapsed() > Duration::from_secs(6);
    while !stop.load(Ordering::Relaxed) && times.len() < most && !is_late(times.len()) {
        for (connection, request) in [&mut health, &mut me].into_iter().zip(&asked) {
            let begun = Instant::now();
            connection.write(request.as_bytes());
            assert_eq!(connection.read_answer().status, 200, "{request}");
            times.push(begun.elapsed());
        }
        // A visitor every few milliseconds, so that this one is no flood of its own.
        sleep(Duration::from_millis(2));
    }
    times.sort();
    assert!(times.len() >= ENOUGH, "too few to speak of: {}", times.len());
    Latency { median: times[times.len() / 2], p99: times[times.len() * 99 / 100] }
}

fn login(n: usize, name: &str) -> Vec<u8> {
    post(n, &format!("username={name}&password=wrong"))
}

/// No login form: refused with 422 before anything is asked.
fn no_login(n: usize, name: &str) -> Vec<u8> {
    post(n, &format!("username={name}&passwort=wrong"))
}

/// From the `n`th client, through a proxy that the server trusts, so that each has its own quota.
fn post(n: usize, body: &str) -> Vec<u8> {
    let client = format!("10.{}.{}.{}", n >> 16 & 255, n >> 8 & 255, n & 255);
    format!(
        "POST /login HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {client}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Logs in as a visitor of the other routes.
fn visitor(server: &Server) -> String {
    let body = "username=ada&password=correct+horse+battery+staple";
    let mut connection = server.connect();
    connection.write(
        format!(
            "POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .as_bytes(),
    );
    let answer = connection.read_answer();
    assert_eq!(answer.status, 303);
    answer.session.expect("a session")
}

fn median<T: Copy + PartialOrd>(mut values: Vec<T>) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap());
    values[values.len() / 2]
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

/// Answers by status, and the longest time that one took.
type Answers = (BTreeMap<u16, usize>, Duration);

/// Sends a login on each connection at once and reads all answers, those that come first first read.
fn flood(
    connections: &mut [Connection],
    round: usize,
    form: fn(usize, &str) -> Vec<u8>,
) -> Answers {
    let begun = Instant::now();
    for (n, connection) in connections.iter_mut().enumerate() {
        connection.write(&form(n, &format!("nobody{round}x{n}")));
    }
    let mut statuses = BTreeMap::new();
    for connection in connections {
        *statuses.entry(connection.read_answer().status).or_default() += 1;
    }
    (statuses, begun.elapsed())
}

/// What of the server is resident, in KiB.
struct Memory {
    before: u64,
    most: u64,
}

impl Memory {
    fn assert_within_budget(&self) {
        // The example's accounts were hashed at launch, one after the other.
        let hashes = MEMORY_KIB * (at_once() - 1);
        let budget = self.before + hashes + EACH_KIB * LOGINS as u64;
        assert!(self.most <= budget, "{} KiB, and not {budget}", self.most);
    }
}

/// The other routes, idle and in the flood.
struct Run {
    idle: Latency,
    flooded: Latency,
    answers: BTreeMap<u16, usize>,
    memory: Memory,
}

fn print(title: &str, runs: &[Run]) {
    println!("The other routes, while {title}:");
    println!("     median              99 %           resident, MiB   answers");
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let mib = |kib: u64| kib as f64 / 1024.0;
    for Run { idle, flooded, answers, memory } in runs {
        println!(
            "  {:6.2} {:6.2} ms   {:6.2} {:6.2} ms   {:6.1} {:6.1}   {answers:?}",
            ms(idle.median),
            ms(flooded.median),
            ms(idle.p99),
            ms(flooded.p99),
            mib(memory.before),
            mib(memory.most),
        );
    }
}

fn assert_medians(runs: &[Run], most: f64) {
    let medians =
        median(runs.iter().map(|run| ratio(run.flooded.median, run.idle.median)).collect());
    assert!(medians <= most, "the median is {medians:.2} times its idle one");
}

fn assert_slowest(runs: &[Run]) {
    let beyond = |run: &Run| {
        let limit = (5 * run.idle.p99).max(Duration::from_millis(50));
        ratio(run.flooded.p99, limit)
    };
    let worst = median(runs.iter().map(beyond).collect());
    assert!(worst <= 1.0, "the 99th percentile is {worst:.2} times its limit");
}

/// With a queue that has a place for each: all of them wait, for as long as is measured.
#[tokio::test]
async fn while_a_thousand_logins_wait_other_routes_keep_their_pace_and_memory_its_budget() {
    let _alone = PROCESSOR.lock().await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        // Anew each time: what waits still when enough was measured ends with it.
        let server = Server::start(
            "{password={queue=1000,longest_wait=60},throttle={trusted_proxies=[\"127.0.0.0/8\"]}}",
        );
        let cookie = visitor(&server);
        let before = server.resident_kib();
        let mut connections: Vec<_> = (0..LOGINS).map(|_| server.connect()).collect();
        let idle = ask_others(&server, &cookie, &AtomicBool::new(false), 600);
        let stop = AtomicBool::new(false);
        let (flooded, answers) = thread::scope(|scope| {
            let flooding = scope.spawn(|| {
                for (n, connection) in connections.iter_mut().enumerate() {
                    connection.write(&login(n, &format!("nobody{n}")));
                }
                let mut answers = BTreeMap::new();
                // Most of them wait all the time.
                for connection in connections.iter_mut().take(LOGINS / 10) {
                    *answers.entry(connection.read_answer().status).or_default() += 1;
                }
                stop.store(true, Ordering::Relaxed);
                answers
            });
            let flooded = ask_others(&server, &cookie, &stop, usize::MAX);
            (flooded, flooding.join().unwrap())
        });
        assert_eq!(answers, BTreeMap::from([(401, LOGINS / 10)]));
        let memory = Memory { before, most: server.peak_kib() };
        memory.assert_within_budget();
        runs.push(Run { idle, flooded, answers, memory });
    }
    print("nobody logs in, and while 1,000 logins wait", &runs);
    assert_medians(&runs, 2.0);
    assert_slowest(&runs);
}

/// With the settings that everybody has: 64 wait, the others are told to come back in a second, and do.
/// So many requests take time by themselves, and so do their clients on the same machine; what is
/// compared is the same crowd with forms that ask for no hash.
#[tokio::test]
async fn while_a_thousand_clients_try_again_each_second_the_hashes_slow_nobody_down() {
    let _alone = PROCESSOR.lock().await;
    let server = Server::start("{throttle={trusted_proxies=[\"127.0.0.0/8\"]}}");
    let cookie = visitor(&server);
    let before = server.resident_kib();
    let quiet = ask_others(&server, &cookie, &AtomicBool::new(false), 600);
    let mut runs = Vec::new();
    for round in 0..3 {
        let (idle, answers) = ask_others_in_a_crowd(&server, &cookie, round, no_login);
        assert_eq!(answers.into_keys().collect::<Vec<_>>(), [422]);
        let (flooded, answers) = ask_others_in_a_crowd(&server, &cookie, round, login);
        assert!(answers.keys().all(|status| [401, 503, 429].contains(status)), "{answers:?}");
        assert!(answers[&401] > 0 && answers[&503] > LOGINS, "no flood: {answers:?}");
        let memory = Memory { before, most: server.peak_kib() };
        memory.assert_within_budget();
        runs.push(Run { idle, flooded, answers, memory });
    }
    print("1,000 clients try again each second, without hashes and with", &runs);
    println!("  without them: {quiet:?}");
    // A login that is refused is answered with a page and counted, a form that is none is not: three
    // times, and not two as above. The slowest ones are those of a crowd, with and without hashes.
    assert_medians(&runs, 3.0);
}

fn ask_others_in_a_crowd(
    server: &Server,
    cookie: &str,
    round: usize,
    form: fn(usize, &str) -> Vec<u8>,
) -> (Latency, BTreeMap<u16, usize>) {
    let stop = Arc::new(AtomicBool::new(false));
    let crowd = {
        let (stop, port) = (stop.clone(), server.port);
        spawn(move || crowd(port, round, form, &stop))
    };
    // Until all of them have come.
    sleep(Duration::from_millis(1_200));
    let latency = ask_others(server, cookie, &AtomicBool::new(false), 600);
    stop.store(true, Ordering::Relaxed);
    (latency, crowd.join().unwrap())
}

/// A thousand clients on one thread, each with one login at a time, a second apart.
#[tokio::main(flavor = "current_thread")]
async fn crowd(
    port: u16,
    round: usize,
    form: fn(usize, &str) -> Vec<u8>,
    stop: &AtomicBool,
) -> BTreeMap<u16, usize> {
    let clients = (0..LOGINS).map(|n| async move {
        // Not all in one instant.
        tokio::time::sleep(Duration::from_millis(n as u64)).await;
        let mut connection = server::Client::connect(port).await;
        let mut statuses = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let again = statuses.len();
            let status = connection.ask(&form(n, &format!("nobody{round}x{n}x{again}"))).await;
            statuses.push(status);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        statuses
    });
    let statuses = rocket::futures::future::join_all(clients).await.into_iter().flatten();
    statuses.fold(BTreeMap::new(), |mut all, status| {
        *all.entry(status).or_default() += 1;
        all
    })
}

/// Everybody gets an answer, and in time: the longest wait, the hash and the way there.
#[tokio::test]
async fn of_a_thousand_logins_at_once_each_is_answered_in_time_and_memory_keeps_its_budget() {
    let _alone = PROCESSOR.lock().await;
    let server = Server::start("{throttle={trusted_proxies=[\"127.0.0.0/8\"]}}");
    visitor(&server);
    let mut connections: Vec<_> = (0..LOGINS).map(|_| server.connect()).collect();
    let before = server.resident_kib();
    for round in 0..3 {
        let (_, way) = flood(&mut connections, round, no_login);
        let (answers, longest) = flood(&mut connections, round, login);
        println!(
            "1,000 logins at once: {answers:?}, the last after {longest:?} ({way:?} without hashes)"
        );
        assert_eq!(answers.keys().copied().collect::<Vec<_>>(), [401, 503]);
        assert!(answers[&401] > 0, "{answers:?}");
        assert!(longest < LONGEST_WAIT + Duration::from_secs(1) + 3 * way, "{longest:?}, {way:?}");
    }
    Memory { before, most: server.peak_kib() }.assert_within_budget();
}

/// Rocket does not cancel the handler of a client that hung up.
#[tokio::test]
async fn clients_that_hang_up_hold_their_places_for_the_longest_wait_and_no_longer() {
    let _alone = PROCESSOR.lock().await;
    // A slow hash: what waits behind it could not all be served in the longest wait.
    let server = Server::start(
        "{password={iterations=16,longest_wait=3},throttle={trusted_proxies=[\"127.0.0.0/8\"]}}",
    );
    let (port, wait) = (server.port, Duration::from_secs(3));
    let one = |n| {
        let begun = Instant::now();
        let mut connection = server.connect();
        connection.write(&login(n, &format!("nobody{n}")));
        (connection.read_answer().status, begun.elapsed())
    };
    let alone = median((0..5).map(|n| one(n).1).collect());
    // They hang up when one of them was refused: a place is then taken for as long as it can be.
    let clients = (0..200).map(|n| async move {
        let mut client = server::Client::connect(port).await;
        client.ask(&login(1_000 + n, &format!("gone{n}"))).await
    });
    let mut answers = stream::iter(clients).buffer_unordered(200);
    while answers.next().await.expect("more than can wait") != 503 {}
    drop(answers);
    let gone = Instant::now();
    // One of them may take a place that a hash has just left.
    let mut probes: Vec<_> = (0..10).map(|_| server.connect()).collect();
    let (answers, _) = flood(&mut probes, 0, login);
    assert!(answers.contains_key(&503), "nobody holds a place: {answers:?}");
    sleep((wait + 2 * alone).saturating_sub(gone.elapsed()));
    let (status, took) = one(5_000);
    println!("after those who hung up: served in {took:?}, alone in {alone:?}");
    assert_eq!(status, 401);
    assert!(took < 5 * alone, "{took:?}, and {alone:?} alone");
}

/// Not a test: the process that the tests above start, which is this program.
#[test]
fn serves_where_a_test_started_it() {
    server::serve(app::rocket);
}
