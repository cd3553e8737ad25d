//! src/redis/tests.rs: the acceptance suite against a real server.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::{Client, cmd};

use super::*;
use crate::clock::Clock;
use crate::config::redis::{Database, Url};
use crate::session::acceptance::{self, Bench};
use crate::session::interleavings;

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

acceptance::run_all!(bench);

#[tokio::test]
async fn fifty_seeded_interleavings_of_two_processes_match_a_sequential_model() {
    let server = Server::start();
    let mut refused = 0;
    for seed in 1..=50 {
        let database = Database { prefix: format!("ri:{seed}:"), ..server.database() };
        let (one, _) = Link::open(database.clone()).await.unwrap();
        let (two, _) = Link::open(database).await.unwrap();
        let clock = Clock::stopped_at(Clock::system().now());
        let bench = Bench { store: Arc::new(one), clock, keep: Some(server.clone()) };
        refused += interleavings::play(bench, Arc::new(two), seed * 0x9E37_79B9).await;
    }
    assert!(refused > 50, "only {refused} logins met a revocation");
}
