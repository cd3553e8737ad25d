//! tests/streams/app.rs: an application with all that sessions do, and how a browser asks it, in
//! whichever process it is.
#![allow(dead_code, reason = "each test file uses its part")]

use std::net::SocketAddr;

use rocket::figment::Figment;
use rocket::futures::{SinkExt, StreamExt};
use rocket::response::stream::{Event, EventStream};
use rocket::tokio::select;
use rocket::{Build, Rocket, State, get, post, routes};
use rocket_identity::auth::{Pending, Sessions};
use rocket_identity::session::Handle;
use rocket_identity::{Auth, Error, Fresh, SessionUser};
use rocket_ws::{Channel, Message, WebSocket};

use super::support::{self, Account, Answer};

/// What a stream says first.
pub const OPEN: &str = "the stream is open";

#[get("/events")]
fn events(user: SessionUser<Account>) -> EventStream![] {
    let ended = user.session().ended();
    EventStream! {
        yield Event::data(OPEN);
        ended.await;
    }
}

/// Says back what it hears.
#[get("/socket")]
fn socket(user: SessionUser<Account>, socket: WebSocket) -> Channel<'static> {
    let ended = user.session().ended();
    socket.channel(move |mut stream| {
        Box::pin(async move {
            let mut ended = std::pin::pin!(ended);
            stream.send(Message::text(OPEN)).await?;
            loop {
                select! {
                    () = &mut ended => return stream.close(None).await,
                    heard = stream.next() => match heard {
                        Some(heard) => stream.send(heard?).await?,
                        None => return Ok(()),
                    },
                }
            }
        })
    })
}

#[get("/settings")]
fn settings(_user: Fresh<SessionUser<Account>, 300>) {}

/// A handle on each line, that of the session that asks first.
#[get("/devices")]
async fn devices(auth: Auth<'_, Account>) -> Result<String, Error> {
    let mut devices = auth.sessions().await?;
    devices.sort_by_key(|device| !device.is_current());
    let handles = devices.iter().map(|device| device.handle().to_string());
    Ok(handles.collect::<Vec<_>>().join("\n"))
}

#[post("/revoke/<handle>")]
async fn revoke(auth: Auth<'_, Account>, handle: Handle) -> Result<String, Error> {
    Ok(auth.revoke(&handle).await?.to_string())
}

#[post("/revoke-others")]
async fn revoke_others(auth: Auth<'_, Account>) -> Result<String, Error> {
    Ok(auth.revoke_others().await?.to_string())
}

/// What an admin does.
#[post("/lock/<id>")]
async fn lock(sessions: &State<Sessions<Account>>, id: u64) -> Result<(), Error> {
    sessions.revoke_all(&id.into()).await
}

#[post("/confirm")]
async fn confirm(auth: Auth<'_, Account>) -> Result<(), Error> {
    auth.confirm().await?.done().await.map(drop)
}

#[post("/pending/<id>")]
async fn begin_pending(auth: Auth<'_, Account>, id: u64) -> Result<(), Error> {
    auth.begin(Account { id }).pending("a code").await
}

#[get("/pending")]
fn pending(pending: Pending<Account>) -> String {
    pending.user().id.to_string()
}

#[get("/data/<key>")]
async fn get_data(user: SessionUser<Account>, key: &str) -> Result<String, Error> {
    let value = user.session().data::<u64>(key).get().await?;
    Ok(value.map_or("nothing".into(), |value| value.to_string()))
}

#[post("/data/<key>/<value>")]
async fn set_data(user: SessionUser<Account>, key: &str, value: u64) -> Result<(), Error> {
    user.session().data(key).set(&value).await
}

pub fn app(figment: Figment) -> Rocket<Build> {
    let routes = routes![
        events,
        socket,
        settings,
        devices,
        revoke,
        revoke_others,
        lock,
        confirm,
        begin_pending,
        pending,
        get_data,
        set_data
    ];
    support::app::app(figment).mount("/", routes)
}

pub async fn get(at: SocketAddr, path: &str, cookie: &str) -> Answer {
    support::send_to(at, &format!("GET {path}\nCookie: {cookie}"), b"").await
}

pub async fn post(at: SocketAddr, path: &str, cookie: &str) -> Answer {
    support::send_to(at, &format!("POST {path}\nCookie: {cookie}"), b"").await
}

/// The cookie of a new session.
pub async fn log_in(at: SocketAddr, id: u64) -> String {
    let answer = support::send_to(at, &format!("POST /login/{id}"), b"").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.cookie().to_owned()
}
