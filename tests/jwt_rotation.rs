//! tests/jwt_rotation.rs: keys that change under two processes that serve. Row 59 of the project's
//! security checklist.
#![cfg(all(feature = "testing", feature = "cli"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "key files are read again in real time")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rocket::{get, post, routes};
use rocket_identity::{Auth, Error, Identity, JwtUser, catchers};
use support::{Account, Server, figment};
use tokio::time::sleep;

#[get("/me")]
fn me(user: JwtUser<Account>) -> String {
    user.id.to_string()
}

#[post("/login")]
async fn login(auth: Auth<'_, Account>) -> Result<String, Error> {
    let login = auth.login(Account { id: 7 }).await?;
    Ok(login.tokens().expect("a token").access_token().to_owned())
}

/// A directory of keys, and the tool that works on it; it ends with the test.
struct Keys(PathBuf);

impl Keys {
    fn make(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("ri-keys-{name}-{}", std::process::id()));
        let keys = Keys(folder);
        keys.tool(&["generate", "--kid", "first"]);
        keys
    }

    fn tool(&self, arguments: &[&str]) {
        let mut tool = Command::new(env!("CARGO_BIN_EXE_identity-keys"));
        let output = tool.args(arguments).arg("--dir").arg(&self.0).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn process(keys: &Path, ttl: &str) -> Server {
    let figment = figment("release")
        .merge(("log_level", "critical"))
        .merge(("identity.jwt.keys", keys))
        .merge(("identity.jwt.issuer", "https://issuer.test"))
        .merge(("identity.jwt.audience", ["api"]))
        .merge(("identity.jwt.access_ttl", ttl))
        .merge(("identity.jwt.leeway", "1s"));
    let rocket = rocket::custom(figment)
        .attach(Identity::<Account>::jwt())
        .register("/", catchers())
        .mount("/", routes![me, login])
        .mount("/", Identity::<Account>::jwt_routes());
    Server::start(rocket).await
}

async fn read(server: &Server, token: &str) -> u16 {
    server.send(&format!("GET /me\nAuthorization: Bearer {token}")).await.status
}

fn kid(token: &str) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// Two processes, and clients that log in at one and read at the other without a pause.
struct Load {
    servers: [Server; 3],
    stop: AtomicBool,
    served: AtomicUsize,
    refused: AtomicUsize,
}

impl Load {
    /// The third process's tokens live for an hour.
    async fn start(keys: &Keys) -> Arc<Self> {
        let servers = [
            process(&keys.0, "3s").await,
            process(&keys.0, "3s").await,
            process(&keys.0, "1h").await,
        ];
        let load = Arc::new(Load {
            servers,
            stop: AtomicBool::new(false),
            served: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
        });
        for client in 0..4 {
            let load = load.clone();
            tokio::spawn(async move {
                while !load.stop.load(Ordering::SeqCst) {
                    let [one, other] = [client % 2, (client + 1) % 2];
                    let token = load.servers[one].send("POST /login").await.body;
                    for _ in 0..5 {
                        let count = match read(&load.servers[other], &token).await {
                            200 => &load.served,
                            _ => &load.refused,
                        };
                        count.fetch_add(1, Ordering::SeqCst);
                        sleep(Duration::from_millis(20)).await;
                    }
                }
            });
        }
        // The processes' clocks follow the real one, by which the tool writes times into keys.
        let ticking = load.clone();
        tokio::spawn(async move {
            let (start, mut told) = (Instant::now(), Duration::ZERO);
            while !ticking.stop.load(Ordering::SeqCst) {
                sleep(Duration::from_millis(20)).await;
                let step = Duration::from_millis((start.elapsed() - told).as_millis() as u64);
                told += step;
                ticking.servers.iter().for_each(|server| server.clock.advance(step));
            }
        });
        load
    }

    async fn token_of(&self, server: usize) -> String {
        self.servers[server].send("POST /login").await.body
    }

    /// Until `server` signs with another key than `kid`; the new one's name.
    async fn until_another_signs(&self, server: usize, kid_before: &str) -> String {
        let start = Instant::now();
        loop {
            let kid = kid(&self.token_of(server).await);
            if kid != kid_before {
                return kid;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "{kid_before} still signs");
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn until_refused(&self, server: usize, token: &str) -> Duration {
        let start = Instant::now();
        while read(&self.servers[server], token).await == 200 {
            assert!(start.elapsed() < Duration::from_secs(30), "still accepted");
            sleep(Duration::from_millis(50)).await;
        }
        start.elapsed()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_under_load_logs_nobody_out_and_ends_the_old_key_at_its_time() {
    let keys = Keys::make("rotate");
    let load = Load::start(&keys).await;
    let old = load.token_of(2).await;
    assert_eq!(kid(&old), "first");
    keys.tool(&["rotate", "--lead", "6s", "--overlap", "6s", "--force"]);
    let rotated = Instant::now();
    // Published before it signs.
    let start = Instant::now();
    loop {
        let set = load.servers[0].send("GET /.well-known/jwks.json").await.body;
        if set.matches("\"kid\"").count() == 2 {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "never published: {set}");
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(kid(&load.token_of(0).await), "first", "published before it signs");
    let new = load.until_another_signs(0, "first").await;
    assert!(rotated.elapsed() > Duration::from_secs(5), "it signs at its time, not before");
    assert_eq!(load.until_another_signs(1, "first").await, new);
    // The old key's tokens are good until its end, and then they are not, whatever they say.
    assert_eq!(read(&load.servers[1], &old).await, 200);
    load.until_refused(1, &old).await;
    assert!(rotated.elapsed() > Duration::from_secs(11), "it ends at its time, not before");
    // Each process by its own clock.
    load.until_refused(0, &old).await;
    let set = load.servers[0].send("GET /.well-known/jwks.json").await.body;
    assert!(!set.contains("first") && set.contains(&new), "{set}");
    load.stop.store(true, Ordering::SeqCst);
    let (served, refused) = (&load.served, &load.refused);
    assert_eq!(refused.load(Ordering::SeqCst), 0, "of {served:?} requests");
    assert!(served.load(Ordering::SeqCst) > 500, "only {served:?} requests");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retired_key_is_refused_by_every_process_within_thirty_seconds() {
    let keys = Keys::make("retire");
    let load = Load::start(&keys).await;
    let stolen = load.token_of(2).await;
    assert_eq!(read(&load.servers[0], &stolen).await, 200);
    keys.tool(&["retire", "first"]);
    for server in 0..3 {
        load.until_refused(server, &stolen).await;
        load.until_another_signs(server, "first").await;
    }
    // For ever: also where the process starts anew.
    let fresh = process(&keys.0, "3s").await;
    assert_eq!(read(&fresh, &stolen).await, 401);
    load.stop.store(true, Ordering::SeqCst);
}
