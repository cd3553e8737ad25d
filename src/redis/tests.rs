//! src/redis/tests.rs: the acceptance suite against a real server.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::{Client, cmd};

use super::*;
use crate::clock::Clock;
use crate::config::Lifetimes;
use crate::config::redis::{Database, Url};
use crate::session::acceptance::{self, Bench};
use crate::session::acceptance_data;
use crate::session::acceptance_notice;
use crate::session::interleavings::{self, Played};
use crate::session::{Login, Resumed, Service, StoredUser};
use crate::ticket::{Handle, Tag, Ticket};
use crate::user::UserId;

/// A server of this test's own, on a free loopback port; it ends when the test drops it.
pub struct Server {
    child: Child,
    pub port: u16,
}

impl Server {
    pub fn start() -> Arc<Self> {
        // The port may be taken between the look and the start: then the next one is tried.
        for _ in 0..20 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut child = Command::new("redis-server")
                .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
                .args(["--appendonly", "no", "--maxmemory-policy", "noeviction"])
                .stdout(Stdio::null())
                .spawn()
                .expect("redis-server is installed (./scripts/test does it)");
            for _ in 0..500 {
                let client = Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
                let connection = client.get_connection_with_timeout(Duration::from_millis(100));
                let info = connection.and_then(|mut c| cmd("INFO").query::<String>(&mut c));
                // Another's server may answer where ours could not start.
                if info.is_ok_and(|info| info.contains(&format!("process_id:{}\r", child.id()))) {
                    return Arc::new(Server { child, port });
                }
                if child.try_wait().unwrap().is_some() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        panic!("no redis-server would start");
    }

    pub fn database(&self) -> Database {
        Database {
            url: Url(format!("redis://127.0.0.1:{}", self.port)),
            connect_timeout: Duration::from_secs(1),
            command_timeout: Duration::from_secs(1),
            ca: None,
            durability: None,
            max_connections: 4,
            prefix: "ri:".into(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn bench() -> Bench {
    let server = Server::start();
    let (link, findings) = Link::open(server.database()).await.unwrap();
    assert!(findings.is_empty(), "{findings:?}");
    let clock = Clock::stopped_at(Clock::system().now());
    Bench { store: Arc::new(link), clock, keep: Some(server) }
}

#[test]
fn a_password_tls_and_the_host_are_read_from_the_url() {
    let of = |url: &str| {
        let url = Url(url.into());
        let timeout = Duration::from_secs(1);
        let prefix = "ri:".into();
        let (connect_timeout, command_timeout) = (timeout, timeout);
        let database = Database {
            url,
            connect_timeout,
            command_timeout,
            ca: None,
            durability: None,
            max_connections: 1,
            prefix,
        };
        let remote = remote(&database).unwrap();
        (remote.local, remote.encrypted, remote.password)
    };
    assert_eq!(of("redis://127.0.0.1:6379"), (true, false, false));
    assert_eq!(of("redis://localhost/2"), (true, false, false));
    assert_eq!(of("redis://[::1]:6379"), (true, false, false));
    assert_eq!(of("redis://:word@redis.internal"), (false, false, true));
    assert_eq!(of("redis://user:word@10.0.0.7:6379"), (false, false, true));
    #[cfg(feature = "redis-tls")]
    assert_eq!(of("rediss://h:6379"), (false, true, false));
    #[cfg(feature = "redis-tls")]
    assert_eq!(of("rediss://h:6379/#insecure"), (false, false, false));
    assert_eq!(of("redis+unix:///run/redis.sock"), (true, false, false));
}

mod notices;

acceptance::run_all!(bench);
acceptance_data::run_all!(bench);
acceptance_notice::run_all!(bench);

#[tokio::test]
async fn two_hundred_seeded_interleavings_of_two_processes_match_a_sequential_model() {
    let server = Server::start();
    let mut played = Played::default();
    for seed in 1..=200 {
        let prefix = format!("ri:{seed}:");
        // The machine may be busy, and it is no question of time here.
        let command_timeout = Duration::from_secs(10);
        let database = Database { prefix, command_timeout, ..server.database() };
        let (one, _) = Link::open(database.clone()).await.unwrap();
        let (two, _) = Link::open(database).await.unwrap();
        let clock = Clock::stopped_at(Clock::system().now());
        let bench = Bench { store: Arc::new(one), clock, keep: Some(server.clone()) };
        let one = interleavings::play(bench, Arc::new(two), seed).await;
        played += one.unwrap_or_else(|differs| panic!("seed {seed}: {differs}"));
    }
    played.must_have_seen(50);
}

/// A HASH of this user that somebody else wrote into, and a connection to look at it.
async fn spoilt(server: &Server, tag: &Tag) -> (String, deadpool_redis::redis::Connection) {
    let client = Client::open(format!("redis://127.0.0.1:{}", server.port)).unwrap();
    let mut connection = client.get_connection().unwrap();
    let key = format!("ri:{{{}}}", crate::secret::encode(tag.as_bytes()));
    for (field, value) in [
        ("s:no record", "{}"),
        ("s:no end", "1 5 99999999999999999999 5 0 AAAAAAAAAAAAAAAAAAAAAA - agent"),
        ("s:no time", "1 5 900000000000000 5 1 BBBBBBBBBBBBBBBBBBBBBB -"),
        ("t:no time", "soon"),
        ("t:nothing", "5"),
        ("p:no login", "x"),
        ("p:no end", "1 5 99999999999999999999 {}"),
        ("r", "tomorrow"),
        ("u", "nobody"),
        ("?", "?"),
    ] {
        cmd("HSET").arg(&key).arg(field).arg(value).exec(&mut connection).unwrap();
    }
    (key, connection)
}

/// What cannot be read locks nobody out, is nobody's session, and no key of ours lives for ever.
#[tokio::test]
async fn each_verb_gets_past_what_cannot_be_read_and_leaves_a_key_that_ends() {
    let bench = bench().await;
    let server = bench.keep.clone().unwrap().downcast::<Server>().unwrap();
    let service = Service::new(bench.store.clone(), bench.clock.clone(), Lifetimes::default());
    for verb in 0..7 {
        let tag = Tag::of("", &UserId::from(verb));
        let (key, mut redis) = spoilt(&server, &tag).await;
        let user = StoredUser { version: 1, json: "{}".into(), as_of: bench.clock.now() };
        let login = |user| Login {
            tag,
            user,
            remembered: false,
            user_agent: None,
            address: None,
            presented: &[],
            own_revocation: None,
        };
        match verb {
            0 => drop(service.begin(login(user.clone())).await.unwrap()),
            1 => {
                let (ticket, _) =
                    service.begin_pending(login(user.clone()), "totp", "").await.unwrap();
                service.confirm_pending(&ticket, &[], None).await.unwrap().unwrap();
            }
            2 => assert!(service.list(&tag).await.unwrap().is_empty()),
            3 => {
                let handle = Handle::random().unwrap();
                assert_eq!(service.end_others(&tag, &handle).await.unwrap().1, 0);
            }
            4 => drop(service.end_all(&tag).await.unwrap()),
            5 => {
                assert!(service.update_user(&tag, user.clone()).await.unwrap());
                assert!(!service.end_by_handle(&tag, &Handle::random().unwrap()).await.unwrap());
                assert!(service.list(&tag).await.unwrap().is_empty());
            }
            _ => {
                let ticket = Ticket::random(tag).unwrap();
                assert!(service.rotate(&ticket).await.unwrap().is_none());
                assert!(!service.end(&ticket).await.unwrap());
            }
        }
        let fields: Vec<String> = cmd("HKEYS").arg(&key).query(&mut redis).unwrap_or_default();
        if verb < 4 {
            assert!(!fields.iter().any(|field| field.contains("no ")), "{verb}: {fields:?}");
        }
        let left: i64 = cmd("PTTL").arg(&key).query(&mut redis).unwrap();
        // What only looks or ends nothing leaves the key as it was.
        let looks = [2, 5, 6].contains(&verb);
        assert!(looks || (0..=1_800_000).contains(&left), "{verb}: {left}");
        let later = StoredUser { as_of: bench.clock.now().after(2 * SECOND), ..user };
        let (ticket, _) = service.begin(login(later)).await.unwrap();
        assert!(matches!(service.resume(&ticket).await.unwrap(), Resumed::Live { .. }), "{verb}");
        let left: i64 = cmd("PTTL").arg(&key).query(&mut redis).unwrap();
        assert!((0..=1_810_000).contains(&left), "{verb}: {left}");
    }
}

/// A key of another type is nobody's sessions: nothing fails but by finding nothing.
#[tokio::test]
async fn a_key_of_another_type_holds_no_session_and_locks_nobody_out() {
    let bench = bench().await;
    let server = bench.keep.clone().unwrap().downcast::<Server>().unwrap();
    let service = Service::new(bench.store.clone(), bench.clock.clone(), Lifetimes::default());
    let tag = Tag::of("", &UserId::from(1));
    let (key, mut redis) = spoilt(&server, &tag).await;
    let mut spoil = || {
        cmd("UNLINK").arg(&key).exec(&mut redis).unwrap();
        cmd("SET").arg(&key).arg("x").exec(&mut redis).unwrap();
    };
    spoil();
    let (ticket, handle) = (Ticket::random(tag).unwrap(), Handle::random().unwrap());
    let user = StoredUser { version: 1, json: "{}".into(), as_of: bench.clock.now() };
    assert!(service.list(&tag).await.unwrap().is_empty());
    assert!(!service.end_by_handle(&tag, &handle).await.unwrap());
    assert!(service.rotate(&ticket).await.unwrap().is_none());
    assert!(!service.update_user(&tag, user).await.unwrap());
    assert!(service.find_pending(&ticket).await.unwrap().is_none());
    assert!(service.confirm_pending(&ticket, &[], None).await.unwrap().is_none());
    assert!(!service.end(&ticket).await.unwrap());
    service.end_others(&tag, &handle).await.unwrap();
    spoil();
    service.end_all(&tag).await.unwrap();
}

const SECOND: Duration = Duration::from_secs(1);
