//! examples/session/pages.rs: the pages: plain HTML that works by keyboard and needs no script.

mod devices;
mod proofs;

use std::time::{Duration, SystemTime};

use maud::{DOCTYPE, Markup, html};
use rocket::http::{Header, Status};
use rocket::response::{self, Responder, Response};
use rocket::{Request, time::OffsetDateTime};
use rocket_identity::redirect::ReturnTo;
use rocket_identity::session::Session;

use super::accounts::{Account, DEMO};
use super::second_factor::{HEDY, SECRET};

pub use devices::devices;
pub use proofs::{confirm, second_factor, settings};

/// No script but our one file, no frame around us, forms go to us alone.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A ticket with its two notches.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E\
     %3Cpath fill='%23c8553d' d='M3 8h26v5a3 3 0 0 0 0 6v5H3v-5a3 3 0 0 0 0-6z'/%3E\
     %3Cpath stroke='%23fff' stroke-width='2' stroke-dasharray='2 2' d='M20 9v14'/%3E%3C/svg%3E";

/// A page with its status and the headers that all pages share.
pub struct Page {
    status: Status,
    html: Markup,
}

impl<'r> Responder<'r, 'static> for Page {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let mut response = Response::build_from(self.html.respond_to(request)?);
        response
            .status(self.status)
            .header(Header::new("Content-Security-Policy", POLICY))
            .header(Header::new("Referrer-Policy", "same-origin"));
        if self.status == Status::ServiceUnavailable {
            response.header(Header::new("Retry-After", "1"));
        }
        response.ok()
    }
}

/// What a page with a form has to say.
#[derive(Clone, Copy)]
pub enum Notice {
    /// The same for a wrong password and an unknown name.
    Wrong,
    WrongPassword,
    /// One that was used already, too.
    WrongCode,
    Busy,
    /// Too many attempts came before this one, which was not looked at.
    Wait(Duration),
}

impl Notice {
    fn status(self) -> Status {
        match self {
            Notice::Wrong | Notice::WrongPassword | Notice::WrongCode => Status::Unauthorized,
            Notice::Busy => Status::ServiceUnavailable,
            Notice::Wait(_) => Status::TooManyRequests,
        }
    }

    fn text(self) -> String {
        match self {
            Notice::Wrong => {
                "That name and password do not belong together. Please try again.".into()
            }
            Notice::WrongPassword => "That is not your password. Please try again.".into(),
            Notice::WrongCode => {
                "That is not the code, or it was used already. Please wait for the next one.".into()
            }
            Notice::Busy => {
                "Too many people are logging in just now. Please try again in a moment.".into()
            }
            Notice::Wait(wait) => {
                format!(
                    "Too many attempts. Nothing was checked; please try again in {}.",
                    span(wait)
                )
            }
        }
    }
}

pub fn home(user: Option<&Account>) -> Page {
    let content = html! {
        section.ticket {
            div.body {
                @match user {
                    Some(user) => {
                        p.kicker { "Admit one" }
                        h1 { "Hello, " (user.name) "." }
                        p { "You are logged in as " strong { (user.name) } "." }
                        p.actions {
                            a.button href="/account" { "Your session" }
                            a href="/sessions" { "Your devices" }
                            a href="/settings" { "Settings" }
                        }
                    }
                    None => {
                        p.kicker { "Admit nobody" }
                        h1 { "You are not logged in." }
                        p { "This page is for everybody. One page behind it is not." }
                        p.actions {
                            a.button href="/login" { "Log in" }
                            a href="/account" { "Try the guarded page" }
                        }
                    }
                }
            }
            aside.stub {
                h2 { "What this is" }
                p { "A server-rendered site with sessions by " code { "rocket_identity" } ". It needs no script." }
            }
        }
    };
    page(Status::Ok, "Home", Chrome::Visitor(user), content)
}

pub fn login(next: Option<&ReturnTo>, notice: Option<Notice>) -> Page {
    let content = html! {
        section.ticket {
            div.body {
                h1 { "Log in" }
                (alert(notice))
                form method="post" action="/login" {
                    (carry(next))
                    label for="username" { "Name" }
                    input #username name="username" type="text" autocomplete="username"
                        autocapitalize="none" spellcheck="false" required autofocus
                        aria-describedby=[notice.map(|_| "notice")];
                    label for="password" { "Password" }
                    input #password name="password" type="password"
                        autocomplete="current-password" required
                        aria-describedby=[notice.map(|_| "notice")];
                    label.check for="remember" {
                        input #remember name="remember" type="checkbox" value="on";
                        "Stay logged in on this device"
                    }
                    button { "Log in" }
                }
            }
            aside.stub {
                h2 { "Demo accounts" }
                dl {
                    @for (_, name, password) in DEMO {
                        dt { (name) }
                        dd { code { (password) } }
                    }
                    dt { (HEDY.1) }
                    dd {
                        code { (HEDY.2) }
                        p.small { "She is asked for a code as well. Give your authenticator this key:" }
                        code.key { (groups(SECRET)) }
                    }
                }
            }
        }
    };
    let status = notice.map_or(Status::Ok, Notice::status);
    page(status, "Log in", Chrome::Bare, content)
}

pub fn account(user: &Account, session: &Session) -> Page {
    let content = html! {
        section.ticket {
            div.body {
                p.kicker { "Only for " (user.name) }
                h1 { "Your session" }
                dl.facts {
                    dt { "Began" } dd { (moment(session.created())) }
                    dt { "Last seen" } dd { (moment(session.last_seen())) }
                    dt { "Expires" } dd { (moment(session.expires())) }
                    dt { "Remembered" } dd { @if session.remembered() { "yes" } @else { "no, it ends with the browser" } }
                    dt { "Browser" } dd.agent { (session.user_agent().unwrap_or("not told")) }
                }
                p.actions {
                    a.button href="/sessions" { "Your devices" }
                    a href="/settings" { "Settings" }
                }
            }
            aside.stub {
                h2 { "Handle" }
                p.handle { code { (session.handle()) } }
                p { "It names this session and opens nothing." }
            }
        }
    };
    page(Status::Ok, "Your session", Chrome::Visitor(Some(user)), content)
}

/// Who pressed a button is logged in no longer.
pub fn over() -> Page {
    let content = html! {
        section.ticket {
            div.body {
                p.kicker { "Nothing was done" }
                h1 { "You are not logged in any longer." }
                p { "Your session ended before this arrived. Log in again, and you can go on." }
                p.actions { a.button href="/login" { "Log in" } }
            }
        }
    };
    page(Status::Unauthorized, "Not logged in", Chrome::Bare, content)
}

/// A ticket whose stub is torn off.
pub fn refusal(status: Status) -> Page {
    let content = html! {
        section.ticket {
            div.body {
                p.kicker { "Status " (status.code) }
                h1 { (status.reason_lossy()) }
                p { "The request could not be answered as it was sent." }
                p.actions { a.button href="/" { "Home" } }
            }
        }
    };
    page(status, status.reason_lossy(), Chrome::Bare, content)
}

/// What stands around a page's content.
enum Chrome<'a> {
    /// The page knows who looks at it.
    Visitor(Option<&'a Account>),
    /// It does not, and is the same for everybody.
    Bare,
}

fn page(status: Status, title: &str, chrome: Chrome<'_>, content: Markup) -> Page {
    let html = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · rocket_identity" }
                link rel="stylesheet" href="/style.css";
                link rel="icon" href=(ICON);
                script src="/back.js" defer {}
            }
            body {
                header {
                    a.brand href="/" { "rocket_identity" }
                    @match chrome {
                        Chrome::Visitor(Some(user)) => {
                            nav aria-label="Account" {
                                a href="/account" { (user.name) }
                                form method="post" action="/logout" { button.quiet { "Log out" } }
                            }
                        }
                        Chrome::Visitor(None) => {
                            nav aria-label="Account" { a href="/login" { "Log in" } }
                        }
                        Chrome::Bare => {}
                    }
                }
                main { (content) }
            }
        }
    };
    Page { status, html }
}

/// What a form's page has to say, above its fields.
fn alert(notice: Option<Notice>) -> Markup {
    html! {
        @if let Some(notice) = notice {
            p.notice #notice role="alert" { (notice.text()) }
        }
    }
}

/// Where the form leads on to.
fn carry(next: Option<&ReturnTo>) -> Markup {
    html! {
        @if let Some(next) = next {
            input type="hidden" name="next" value=(next);
        }
    }
}

/// Four by four, as a person copies it.
fn groups(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(4).map(|four| four.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// In whole seconds or minutes, rounded up.
fn span(wait: Duration) -> String {
    let seconds = wait.as_millis().div_ceil(1_000);
    match seconds {
        1 => "a second".into(),
        2..=90 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    }
}

fn moment(time: SystemTime) -> Markup {
    let at = OffsetDateTime::from(time);
    let (hour, minute, _) = at.to_hms();
    html! {
        time datetime=(humantime::format_rfc3339_seconds(time)) {
            (at.day()) " " (at.month()) " " (at.year()) ", " (format!("{hour:02}:{minute:02}")) " UTC"
        }
    }
}
