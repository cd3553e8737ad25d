//! examples/session/devices.rs: where a user is logged in, and how they log out there.

use std::net::IpAddr;

use rocket::http::{Header, Status};
use rocket::response::Redirect;
use rocket::response::stream::{Event, EventStream};
use rocket::serde::json::Json;
use rocket::tokio::select;
use rocket::{Either, Responder, Route, Shutdown, get, post, routes};
use rocket_identity::auth::Device;
use rocket_identity::session::{Handle, NotAHandle, Session};
use rocket_identity::{Auth, MaybeUser, SessionUser};
use serde::Serialize;

use super::accounts::Account;
use super::pages::{self, Page};
use super::wants::{Refused, Wants};

/// Where a session keeps what its next page is to say.
const NOTICE: &str = "notice";

pub fn routes() -> Vec<Route> {
    routes![sessions, revoke, revoke_others, logout_everywhere, events]
}

/// The list, for a person or for a program.
#[derive(Responder)]
struct List {
    answer: Either<Page, Json<Vec<Row>>>,
    vary: Header<'static>,
}

/// One session, as a program reads it.
#[derive(Serialize)]
struct Row {
    handle: String,
    created: String,
    last_seen: String,
    user_agent: Option<String>,
    ip: Option<IpAddr>,
    current: bool,
}

impl Row {
    fn of(device: &Device) -> Self {
        let moment = |time| humantime::format_rfc3339_seconds(time).to_string();
        Row {
            handle: device.handle().to_string(),
            created: moment(device.created()),
            last_seen: moment(device.last_seen()),
            user_agent: device.user_agent().map(str::to_owned),
            ip: device.address(),
            current: device.is_current(),
        }
    }
}

#[get("/sessions")]
async fn sessions(
    user: SessionUser<Account>,
    auth: Auth<'_, Account>,
    wants: Wants,
) -> Result<List, Refused> {
    let mut devices = auth.sessions().await.map_err(Refused::Identity)?;
    let answer = match wants {
        Wants::Json => Either::Right(Json(devices.iter().map(Row::of).collect())),
        Wants::Page | Wants::Whatever => {
            devices.reverse(); // The latest login first, and this one before all.
            devices.sort_by_key(|device| !device.is_current());
            let notice = user.session().data::<String>(NOTICE).take().await;
            let notice = notice.map_err(Refused::Identity)?;
            Either::Left(pages::devices(&user, &devices, notice.as_deref()))
        }
    };
    Ok(List { answer, vary: Header::new("Vary", "Accept") })
}

/// What is no handle is the handle of no session.
#[post("/sessions/<handle>/revoke")]
async fn revoke(
    auth: Auth<'_, Account>,
    user: MaybeUser<Account>,
    wants: Wants,
    handle: Result<Handle, NotAHandle>,
) -> Result<Redirect, Refused> {
    let handle = handle.map_err(|_| Refused::Status(Status::NotFound))?;
    if !auth.revoke(&handle).await.map_err(Refused::act(wants))? {
        return Err(Refused::Status(Status::NotFound));
    }
    match user.session() {
        Some(own) if own.handle() != handle => {
            say(own, "That device is logged out.").await;
            Ok(Redirect::to("/sessions"))
        }
        _ => Ok(Redirect::to("/")),
    }
}

#[post("/sessions/revoke-others")]
async fn revoke_others(
    auth: Auth<'_, Account>,
    user: MaybeUser<Account>,
    wants: Wants,
) -> Result<Redirect, Refused> {
    let text = match auth.revoke_others().await.map_err(Refused::act(wants))? {
        0 => "There was no other device to log out.".into(),
        1 => "The other device is logged out.".into(),
        n => format!("The other {n} devices are logged out."),
    };
    if let Some(own) = user.session() {
        say(own, &text).await;
    }
    Ok(Redirect::to("/sessions"))
}

#[post("/logout-everywhere")]
async fn logout_everywhere(auth: Auth<'_, Account>, wants: Wants) -> Result<Redirect, Refused> {
    auth.logout_everywhere().await.map_err(Refused::act(wants))?;
    Ok(Redirect::to("/"))
}

/// Leaves a text for the next page. What was done is done, whether or not it is said.
async fn say(session: &Session, text: &str) {
    if let Err(error) = session.data::<String>(NOTICE).set(&text.to_owned()).await {
        tracing::warn!("a notice was not kept: {error}");
    }
}

/// A stream that ends with its session, whoever ends that and wherever.
#[get("/events")]
fn events(user: SessionUser<Account>, mut shutdown: Shutdown) -> EventStream![] {
    let ended = user.session().ended();
    EventStream! {
        yield Event::data("This stream closes when you are logged out.").event("ready");
        let over = select! {
            () = ended => true,
            () = &mut shutdown => false,
        };
        if over {
            yield Event::data("Your session has ended.").event("ended");
        }
    }
}
