//! tests/interop/server.rs: an application that hands out tokens and takes them, on a free loopback
//! port, and plain requests to it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Mutex, Once};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rocket::fairing::AdHoc;
use rocket::figment::Figment;
use rocket::serde::json::Json;
use rocket::tokio::runtime::{Builder, Runtime};
use rocket::{Shutdown, get, post, routes};
use rocket_identity::jwt::Tokens;
use rocket_identity::{Auth, Error, Identity, JwtUser, User, UserId, catchers};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::keys::{Key, Keys};

pub const ISSUER: &str = "https://issuer.test";

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Account {
    pub id: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub more: Value,
}

impl User for Account {
    fn id(&self) -> UserId {
        self.id.as_str().into()
    }
}

/// What the guard made of a token.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Me {
    pub user: Account,
    pub subject: String,
    pub audience: Vec<String>,
    pub scopes: Vec<String>,
}

#[get("/me")]
fn me(user: JwtUser<Account>) -> Json<Me> {
    let claims = user.claims();
    Json(Me {
        user: (*user).clone(),
        subject: claims.subject().to_owned(),
        audience: claims.audience(),
        scopes: claims.scopes().map(str::to_owned).collect(),
    })
}

#[post("/login/<id>")]
async fn login(auth: Auth<'_, Account>, id: String) -> Result<Json<Option<Tokens>>, Error> {
    let user = Account { id, name: "Ada".into(), more: Value::Null };
    Ok(Json(auth.login(user).await?.tokens().cloned()))
}

#[post("/login", data = "<user>")]
async fn login_as(
    auth: Auth<'_, Account>,
    user: Json<Account>,
) -> Result<Json<Option<Tokens>>, Error> {
    Ok(Json(auth.login(user.into_inner()).await?.tokens().cloned()))
}

/// A server that stops when the test drops it.
pub struct Server {
    port: u16,
    shutdown: Shutdown,
    _runtime: Runtime,
    /// Of the key that signs.
    pub kid: String,
    _directory: Option<tempfile::TempDir>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Server {
    /// Signs with `signer`, and has all the other keys too.
    pub fn signing_with(keys: &Keys, signer: &Key, audience: &[&str]) -> Self {
        let (directory, kid) = keys.directory(signer);
        let mut server = Server::start(directory.path(), audience);
        server.kid = kid;
        server._directory = Some(directory);
        server
    }

    /// With real time, as the other libraries have it.
    pub fn start(keys: &Path, audience: &[&str]) -> Self {
        Errors::install();
        let figment = Figment::from(rocket::Config::default())
            .merge(("address", "127.0.0.1"))
            .merge(("port", 0))
            .merge(("workers", 1))
            .merge(("shutdown.ctrlc", false))
            .merge(("limits.json", "64KiB"))
            .merge(("identity.jwt.keys", keys))
            .merge(("identity.jwt.issuer", ISSUER))
            .merge(("identity.jwt.audience", audience))
            .select("release");
        let (send, receive) = channel();
        let send = Mutex::new(send);
        let tell = AdHoc::on_liftoff("tell the test", move |rocket| {
            send.lock().unwrap().send((rocket.config().port, rocket.shutdown())).unwrap();
            Box::pin(async {})
        });
        let rocket = rocket::custom(figment)
            .attach(Identity::<Account>::jwt())
            .attach(tell)
            .register("/", catchers())
            .mount("/", routes![me, login, login_as])
            .mount("/", Identity::<Account>::jwt_routes());
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        // Should the launch fail, `send` is dropped and the error is the one to show.
        let launched = runtime.spawn(async move { rocket.launch().await.map(drop) });
        let Ok((port, shutdown)) = receive.recv() else {
            panic!("no launch: {:?}", runtime.block_on(launched));
        };
        Server { port, shutdown, _runtime: runtime, kid: String::new(), _directory: None }
    }

    pub fn jwks_url(&self) -> String {
        format!("http://127.0.0.1:{}/.well-known/jwks.json", self.port)
    }

    /// One exchange over HTTP/1.1; `head` is the request line and the fields.
    pub fn send(&self, head: &str, body: &str) -> Answer {
        let (line, fields) = head.split_once('\n').unwrap_or((head, ""));
        let mut raw = format!("{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n");
        for field in fields.lines() {
            raw += &format!("{field}\r\n");
        }
        raw += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(raw.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no HTTP answer: {text:?}"));
        let body = text.split_once("\r\n\r\n").unwrap_or_default().1.to_owned();
        Answer { status, body }
    }

    /// The token that `POST /login/7` hands out.
    pub fn token(&self) -> String {
        token(&self.send("POST /login/7", ""))
    }

    pub fn token_for(&self, user: &Account) -> String {
        let body = serde_json::to_string(user).unwrap();
        token(&self.send("POST /login\nContent-Type: application/json", &body))
    }

    /// What the guard makes of a token.
    pub fn me(&self, token: &str) -> Answer {
        self.send(&format!("GET /me\nAuthorization: Bearer {token}"), "")
    }
}

/// A log of errors alone, such as why a launch is refused. Rocket says everything until it has read
/// its settings.
struct Errors;

impl Errors {
    fn install() {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| {
            log::set_logger(&Errors).expect("no logger came first");
            log::set_max_level(log::LevelFilter::Error);
        });
    }
}

impl log::Log for Errors {
    fn enabled(&self, about: &log::Metadata<'_>) -> bool {
        about.level() == log::Level::Error
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            eprintln!("{}: {}", record.target(), record.args());
        }
    }

    fn flush(&self) {}
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.clone().notify();
    }
}

impl Answer {
    /// The user and claims of a token that must have been taken.
    pub fn me(&self) -> Me {
        assert_eq!(self.status, 200, "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }

    /// Whether it is the answer to a bad token.
    pub fn is_refusal(&self) -> bool {
        self.status == 401 && self.body.contains("\"code\":\"invalid_token\"")
    }
}

fn token(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    let tokens: Value = serde_json::from_str(&answer.body).unwrap();
    tokens["access_token"].as_str().unwrap().to_owned()
}

/// The header of a token, or with 1 its claims.
pub fn part(token: &str, place: usize) -> Value {
    let part = token.split('.').nth(place).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// The token with one bit of its signature turned.
pub fn flipped(token: &str, bit: usize) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let bit = bit % (signature.len() * 8);
    signature[bit / 8] ^= 1 << (bit % 8);
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}
