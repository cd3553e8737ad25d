//! examples/session/main.rs: a small site with a login: `cargo run --example session`.
//!
//! A user sees their devices and logs them out, one account asks for a code of an authenticator, and
//! the settings open after a fresh proof alone. The passwords are real argon2id hashes, the pages work
//! without a script, and every answer is what an application in production would give.

mod accounts;
mod common;
mod confirm;
mod devices;
mod login_form;
mod pages;
mod second_factor;
mod wants;

use std::process::ExitCode;

use rocket::figment::providers::Serialized;
use rocket::http::{ContentType, Header, Status};
use rocket::response::Redirect;
use rocket::serde::json::{Value, json};
use rocket::{Build, Config, Either, Request, Responder, Rocket, State};
use rocket::{catch, catchers, get, post, routes, uri};
use rocket_identity::password::{Hooks, Passwords};
use rocket_identity::redirect::ReturnTo;
use rocket_identity::{Auth, Error, Identity, MaybeUser, SessionUser};

use accounts::{Account, Accounts, DEMO};
use login_form::LoginForm;
use pages::{Notice, Page};
use second_factor::Factors;
use wants::{Refused, Wants};

#[rocket::main]
async fn main() -> ExitCode {
    match rocket().launch().await {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            // Dropped as it is, it would panic.
            error.pretty_print();
            ExitCode::FAILURE
        }
    }
}

/// The whole application; the tests start the same one.
pub fn rocket() -> Rocket<Build> {
    // Defaults of this application: `Rocket.toml` and `ROCKET_IDENTITY` have the last word.
    let paths = json!({ "login_path": "/login", "confirm_path": "/confirm" });
    let passwords = Hooks::new().blocklist(common::is_common);
    let [ada, grace] = DEMO;
    rocket::custom(Config::figment().join(Serialized::default("identity", paths)))
        .attach(Identity::<Account>::sessions().passwords(passwords))
        .attach(Accounts::fairing(vec![ada, grace, second_factor::HEDY]))
        .attach(Factors::fairing())
        .register("/", rocket_identity::catchers())
        .register("/", catchers![other])
        .mount("/", routes![home, login_page, login, logout, me, account, health, style, back])
        .mount("/", confirm::routes())
        .mount("/", devices::routes())
        .mount("/", second_factor::routes())
}

#[get("/")]
fn home(user: MaybeUser<Account>) -> Page {
    pages::home(user.user())
}

#[get("/login?<next>")]
fn login_page(next: Option<&str>) -> Page {
    pages::login(next.and_then(ReturnTo::parse).as_ref(), None)
}

#[post("/login", data = "<form>")]
async fn login(
    // Asked before the form is read, which refuses a foreign page's login unread.
    auth: Auth<'_, Account>,
    accounts: &State<Accounts>,
    passwords: &State<Passwords>,
    factors: &State<Factors>,
    wants: Wants,
    form: LoginForm,
) -> Result<Redirect, Refused> {
    let LoginForm { username, password, next, remember } = form;
    let page = |notice| pages::login(next.as_ref(), Some(notice));
    let known = auth.authenticate(&**accounts, passwords, &username, &password).await;
    let known = known.map_err(|error| Refused::of(error, wants, page))?;
    let login = known.ok_or_else(|| Refused::page(page(Notice::Wrong)))?.remember(remember);
    if factors.has(login.user()) {
        login.pending(second_factor::STEP).await.map_err(Refused::Identity)?;
        let next = next.as_ref().map(ReturnTo::as_str);
        return Ok(Redirect::to(uri!(second_factor::page(next))));
    }
    login.await.map_err(Refused::Identity)?;
    Ok(Redirect::to(next.map_or("/".to_owned(), ReturnTo::into_string)))
}

#[post("/logout")]
async fn logout(auth: Auth<'_, Account>) -> Result<Redirect, Error> {
    auth.logout().await?;
    Ok(Redirect::to("/"))
}

#[get("/me")]
fn me(user: SessionUser<Account>) -> Value {
    json!({ "id": user.id, "name": user.name })
}

#[get("/account")]
fn account(user: SessionUser<Account>) -> Page {
    pages::account(&user, user.session())
}

#[get("/health")]
fn health() -> &'static str {
    "ok\n"
}

#[derive(Responder)]
struct Asset {
    text: &'static str,
    kind: ContentType,
    cache: Header<'static>,
}

#[get("/style.css")]
fn style() -> Asset {
    Asset::of(include_str!("style.css"), ContentType::CSS)
}

/// The one script, which shows nobody's page after a logout.
#[get("/back.js")]
fn back() -> Asset {
    Asset::of(include_str!("back.js"), ContentType::JavaScript)
}

impl Asset {
    fn of(text: &'static str, kind: ContentType) -> Self {
        Asset { text, kind, cache: Header::new("Cache-Control", "public, max-age=3600") }
    }
}

/// A refusal that is not about the user.
#[derive(Responder)]
struct Other {
    answer: Either<Page, (ContentType, String)>,
    vary: Header<'static>,
}

/// A page for people, a problem document for programs.
#[catch(default)]
fn other(status: Status, request: &Request<'_>) -> Other {
    let accept = request.accept();
    let is_a_page = accept.is_some_and(|accept| accept.iter().any(|kind| kind.is_html()));
    let answer = if is_a_page {
        Either::Left(pages::refusal(status))
    } else {
        let title = status.reason_lossy();
        let problem = json!({
            "type": "about:blank",
            "title": title,
            "status": status.code,
            "code": title.to_lowercase().replace(' ', "_"),
        });
        let kind = ContentType::new("application", "problem+json");
        Either::Right((kind, problem.to_string()))
    };
    let vary = Header::new("Vary", "Accept");
    Other { answer, vary }
}
