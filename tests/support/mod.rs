//! tests/support/mod.rs: a real server on a free loopback port, and clients that send what they are told.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test support")]

pub mod app;
#[cfg(feature = "redis")]
pub mod redis;

use std::net::SocketAddr;
use std::sync::{Mutex, OnceLock};

use rocket::figment::Figment;
use rocket::{Build, Rocket, Shutdown};
use rocket_identity::testing::Clock;
use rocket_identity::{User, UserId};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The user of tests to which its name is nothing.
#[derive(Clone, Serialize, Deserialize)]
pub struct Account {
    pub id: u64,
}

impl User for Account {
    fn id(&self) -> UserId {
        self.id.into()
    }
}

/// A server that stops when the test drops it.
pub struct Server {
    pub address: SocketAddr,
    pub clock: Clock,
    shutdown: Shutdown,
    #[cfg(feature = "redis")]
    redis: Option<redis::Redis>,
}

/// What came back: status line, fields in order, body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub body: String,
}

/// In tests/*_on_redis.rs every server has a Redis of its own, whatever else it is given.
#[cfg(feature = "redis")]
fn on_redis(rocket: Rocket<Build>) -> (Rocket<Build>, Option<redis::Redis>) {
    let program = std::env::current_exe().unwrap();
    if !program.file_stem().unwrap().to_string_lossy().contains("_on_redis") {
        return (rocket, None);
    }
    let redis = redis::Redis::start(&[]);
    // These tests are about no time-out, and the machine may be busy.
    let figment = rocket.figment().clone().merge(("databases.identity.url", redis.url()));
    let figment = figment.merge(("databases.identity.command_timeout", "5s"));
    (rocket.configure(figment), Some(redis))
}

/// Settings for tests: a free loopback port, one quiet log.
pub fn figment(profile: &str) -> Figment {
    Figment::from(rocket::Config::default())
        .merge(("address", "127.0.0.1"))
        .merge(("port", 0))
        .merge(("workers", 2))
        .merge(("shutdown.ctrlc", false))
        .merge(("log_level", "normal"))
        .select(profile)
}

impl Server {
    pub async fn start(rocket: Rocket<Build>) -> Self {
        #[cfg(feature = "redis")]
        let (rocket, redis) = on_redis(rocket);
        let clock = Clock::stopped();
        let (send, receive) = tokio::sync::oneshot::channel();
        let send = Mutex::new(Some(send));
        let tell = rocket::fairing::AdHoc::on_liftoff("tell the test", move |rocket| {
            let config = rocket.config();
            let address = SocketAddr::new(config.address, config.port);
            if let Some(send) = send.lock().unwrap().take() {
                send.send(address).unwrap();
            }
            Box::pin(async {})
        });
        let rocket = rocket.manage(clock.clone()).attach(tell).ignite().await.expect("ignites");
        let shutdown = rocket.shutdown();
        tokio::spawn(async move { rocket.launch().await.map(drop) });
        Server {
            address: receive.await.expect("lifts off"),
            clock,
            shutdown,
            #[cfg(feature = "redis")]
            redis,
        }
    }

    /// What is in the Redis of its own, where it has one.
    #[cfg(feature = "redis")]
    pub fn redis_keys(&self) -> Option<Vec<String>> {
        self.redis.as_ref().map(redis::Redis::keys)
    }

    /// One HTTP/1.1 exchange: `head` is the request line and the fields, without `Host`.
    pub async fn send(&self, head: &str) -> Answer {
        self.send_bytes(head, b"").await
    }

    pub async fn send_bytes(&self, head: &str, body: &[u8]) -> Answer {
        send_to(self.address, head, body).await
    }

    /// Sends these bytes and reads until the server closes.
    pub async fn exchange(&self, raw: &[u8]) -> Answer {
        exchange(self.address, raw).await
    }

    /// One HTTP/2 exchange over clear text, each field as given, `cookie` fields one by one.
    pub async fn send_h2(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
        let connection = tokio::spawn(connection);
        let uri = format!("http://{}{path}", self.address);
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (answer, _) = client.send_request(request.body(()).unwrap(), true).unwrap();
        let mut answer = answer.await.unwrap();
        let mut body = Vec::new();
        while let Some(part) = answer.body_mut().data().await {
            body.extend(part.unwrap());
        }
        connection.abort();
        let fields = answer.headers().iter();
        let fields =
            fields.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        Answer {
            status: answer.status().as_u16(),
            fields: fields.collect(),
            body: String::from_utf8(body).unwrap(),
        }
    }
}

/// The bytes of a request: `head` is the request line and the fields, without `Host`.
pub fn request_bytes(address: SocketAddr, head: &str) -> Vec<u8> {
    let mut lines = head.lines().map(str::trim_start).filter(|line| !line.is_empty());
    let mut raw = format!("{} HTTP/1.1\r\n", lines.next().expect("a request line"));
    let lines: Vec<_> = lines.collect();
    if !lines.iter().any(|line| line.to_ascii_lowercase().starts_with("host:")) {
        raw.push_str(&format!("Host: {address}\r\n"));
    }
    lines.iter().for_each(|line| raw.push_str(&format!("{line}\r\n")));
    raw.into_bytes()
}

/// The same as `Server::send_bytes`, wherever the server is.
pub async fn send_to(address: SocketAddr, head: &str, body: &[u8]) -> Answer {
    let mut raw = request_bytes(address, head);
    raw.extend(format!("Content-Length: {}\r\nConnection: close\r\n\r\n", body.len()).bytes());
    raw.extend(body);
    exchange(address, &raw).await
}

async fn exchange(address: SocketAddr, raw: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may answer and close before it has read all.
    let _ = stream.write_all(raw).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    Answer::parse(&answer)
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.clone().notify();
    }
}

impl Answer {
    pub fn parse(raw: &[u8]) -> Self {
        let text = String::from_utf8_lossy(raw);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let fields = lines.filter_map(|line| line.split_once(": "));
        Answer {
            status: status.unwrap_or_else(|| panic!("no HTTP answer: {text:?}")),
            fields: fields
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }

    /// All values of a field.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let fields = self.fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        fields.map(|(_, value)| &**value).collect()
    }

    /// The members of a list field, over all its lines.
    pub fn list(&self, name: &str) -> Vec<&str> {
        self.all(name).iter().flat_map(|value| value.split(',')).map(str::trim).collect()
    }

    /// `name=value` of the one cookie that was set.
    pub fn cookie(&self) -> &str {
        let set = self.cookies(false);
        assert_eq!(set.len(), 1, "one Set-Cookie: {self:?}");
        set[0]
    }

    /// The cookie by which this device will be known, where one was set.
    pub fn device(&self) -> Option<&str> {
        let set = self.cookies(true);
        assert!(set.len() < 2, "one device: {self:?}");
        set.first().copied()
    }

    /// `name=value` of those that name a device, or of all others.
    fn cookies(&self, devices: bool) -> Vec<&str> {
        let pairs = self.all("set-cookie").into_iter().map(|set| set.split(';').next().unwrap());
        pairs
            .filter(|pair| pair.split('=').next().unwrap().ends_with("device") == devices)
            .collect()
    }

    pub fn sets_no_cookie(&self) -> bool {
        self.all("set-cookie").is_empty()
    }

    /// The `code` of a problem document.
    pub fn code(&self) -> String {
        assert_eq!(self.all("content-type"), ["application/problem+json"], "{self:?}");
        let start = self.body.find("\"code\":\"").expect("a code") + 8;
        self.body[start..].split('"').next().unwrap().to_owned()
    }
}

/// Keeps every log record of this process, at every level.
pub struct Captured(Mutex<Vec<(String, String)>>);

static CAPTURED: OnceLock<Captured> = OnceLock::new();

impl Captured {
    /// Call it before the first `rocket::build()`: the logger that comes first stays.
    pub fn install() -> &'static Self {
        CAPTURED.get_or_init(|| {
            log::set_logger(&Forward).expect("no logger came first");
            log::set_max_level(log::LevelFilter::Trace);
            Captured(Mutex::default())
        })
    }

    /// The texts logged at targets that start with `target`.
    pub fn of(&self, target: &str) -> Vec<String> {
        let records = self.0.lock().unwrap();
        let ours = records.iter().filter(|(of, _)| of.starts_with(target));
        ours.map(|(_, text)| text.clone()).collect()
    }
}

struct Forward;

impl log::Log for Forward {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if let Some(captured) = CAPTURED.get() {
            let text = (record.target().to_owned(), record.args().to_string());
            captured.0.lock().unwrap().push(text);
        }
    }

    fn flush(&self) {}
}
