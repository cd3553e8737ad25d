//! tests/bench/src/server/main.rs: the server that is measured, with one timed route at `/`, named on the
//! command line with the port.
//!
//! Whatever the line, there is one route for GET and the same few for POST, so that the router costs
//! the same; and the body is two letters long.

mod tokens;

use std::error::Error;

use rocket::config::{Config, Ident, LogLevel, Shutdown};
use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::{Header, Status};
use rocket::shield::{Frame, NoSniff, Permission, Shield};
use rocket::{Build, Ignite, Request, Response, Rocket, Route, get, post, routes};
use rocket_identity::{Auth, Identity, MaybeUser, SessionUser, User, UserId, catchers};
use serde::{Deserialize, Serialize};

type Failed = Box<dyn Error + Send + Sync>;

#[derive(Clone, Serialize, Deserialize)]
struct Account {
    id: u64,
    name: String,
}

impl User for Account {
    fn id(&self) -> UserId {
        self.id.into()
    }
}

#[get("/")]
fn bare() -> &'static str {
    "ok"
}

#[post("/")]
fn bare_post() -> &'static str {
    "ok"
}

#[get("/")]
fn session_user(user: SessionUser<Account>) -> &'static str {
    if user.name.is_empty() { "no" } else { "ok" }
}

#[get("/")]
fn maybe_user(user: MaybeUser<Account>) -> &'static str {
    if user.user().is_some() { "ok" } else { "no" }
}

#[post("/")]
fn auth(_auth: Auth<'_, Account>) -> &'static str {
    "ok"
}

#[post("/login")]
async fn login(auth: Auth<'_, Account>) -> Result<&'static str, rocket_identity::Error> {
    auth.login(ada()).await?;
    Ok("ok")
}

fn ada() -> Account {
    Account { id: 1, name: "Ada Lovelace".into() }
}

/// In the place of `login`, where there is nothing to log in to.
#[post("/login")]
fn no_login() -> Status {
    Status::NotFound
}

/// Callgrind writes its file only when the process ends by itself.
#[post("/stop")]
fn stop(shutdown: rocket::Shutdown) -> &'static str {
    shutdown.notify();
    "ok"
}

/// Rocket's default `Shield`, but in one order. Rocket's own comes out of a `HashMap`: the order differs
/// from process to process, and with it how many letters of header names are hashed, up to 0.8 % of a
/// request.
struct OrderedShield([Header<'static>; 3]);

#[rocket::async_trait]
impl Fairing for OrderedShield {
    fn info(&self) -> Info {
        Info { name: "Shield in one order", kind: Kind::Response }
    }

    async fn on_response<'r>(&self, _: &'r Request<'_>, response: &mut Response<'r>) {
        for header in &self.0 {
            if !response.headers().contains(header.name()) {
                response.set_header(header.clone());
            }
        }
    }
}

/// Neither `Rocket.toml` nor the environment has a say in what is measured.
fn rocket(port: u16) -> Rocket<Build> {
    let config = Config {
        port,
        workers: 1,
        ident: Ident::none(),
        log_level: LogLevel::Off,
        cli_colors: false,
        // The connection that asked for the end is the only one, and the driver closes it.
        shutdown: Shutdown { grace: 1, mercy: 1, ..Shutdown::default() },
        ..Config::release_default()
    };
    let shield = OrderedShield([
        (&NoSniff::default()).into(),
        (&Frame::default()).into(),
        (&Permission::default()).into(),
    ]);
    rocket::custom(config).attach(Shield::new()).attach(shield).mount("/", routes![stop])
}

fn without_fairing(port: u16, timed: Vec<Route>) -> Rocket<Build> {
    rocket(port).mount("/", timed).mount("/", routes![no_login])
}

fn with_fairing(port: u16, timed: Vec<Route>) -> Rocket<Build> {
    on_store(rocket(port), timed)
}

/// The driver started a Redis and says where.
fn on_redis(port: u16, timed: Vec<Route>) -> Result<Rocket<Build>, Failed> {
    let url = std::env::var("BENCH_REDIS")?;
    let rocket = rocket(port);
    let figment = rocket.figment().clone().merge(("databases.identity.url", url));
    Ok(on_store(rocket.configure(figment), timed))
}

fn on_store(rocket: Rocket<Build>, timed: Vec<Route>) -> Rocket<Build> {
    rocket
        .attach(Identity::<Account>::sessions())
        .register("/", catchers())
        .mount("/", timed)
        .mount("/", routes![login])
}

fn from_command_line(port: &str, route: &str) -> Result<Rocket<Build>, Failed> {
    let port = port.parse()?;
    Ok(match route.split('/').collect::<Vec<_>>()[..] {
        ["bare"] => without_fairing(port, routes![bare, bare_post]),
        ["attached"] => with_fairing(port, routes![bare, bare_post]),
        ["session_user"] => with_fairing(port, routes![session_user, bare_post]),
        ["session_user_redis"] => on_redis(port, routes![session_user, bare_post])?,
        ["maybe_user"] => with_fairing(port, routes![maybe_user, bare_post]),
        ["auth"] => with_fairing(port, routes![bare, auth]),
        ["jwt_user", transport, algorithm] => tokens::guarded(rocket(port), algorithm, transport)?,
        [way @ ("decode" | "raw"), algorithm] => {
            tokens::theirs(rocket(port).mount("/", routes![no_login]), way, algorithm)?
        }
        _ => return Err(format!("no route is named {route}").into()),
    })
}

#[rocket::main]
async fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["token", algorithm] => println!("{}", tokens::token(rocket(0), algorithm).await?),
        [port, route] => {
            let _ended: Rocket<Ignite> = from_command_line(port, route)?.launch().await?;
        }
        _ => return Err("usage: bench-server PORT ROUTE | bench-server token ALGORITHM".into()),
    }
    Ok(())
}
