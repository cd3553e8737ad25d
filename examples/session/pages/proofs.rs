//! examples/session/pages/proofs.rs: the pages that ask who is there, and the one that needs to know.

use maud::html;
use rocket::http::Status;
use rocket_identity::redirect::ReturnTo;
use rocket_identity::session::Session;

use super::{Account, Chrome, Notice, Page, alert, carry, moment, page};

/// A password once more; `user` is whoever is logged in.
pub fn confirm(user: Option<&Account>, next: Option<&ReturnTo>, notice: Option<Notice>) -> Page {
    let described = notice.map(|_| "notice");
    let content = html! {
        section.ticket {
            div.body {
                p.kicker { "A closer look" }
                h1 { "Is it still you?" }
                (alert(notice))
                form method="post" action="/confirm" {
                    (carry(next))
                    @if let Some(user) = user {
                        // So that a password manager knows whose password it is.
                        input type="text" name="username" autocomplete="username"
                            value=(user.name) readonly hidden;
                    }
                    label for="password" {
                        "Password"
                        @if let Some(user) = user { " of " (user.name) }
                    }
                    input #password name="password" type="password" autofocus
                        autocomplete="current-password" required aria-describedby=[described];
                    button { "Go on" }
                }
            }
            aside.stub {
                h2 { "Why now" }
                p { "You logged in a while ago, and what comes next is for you alone." }
                p { "You stay logged in, here and in your other tabs, whatever you type." }
            }
        }
    };
    page(notice.map_or(Status::Ok, Notice::status), "Confirm", Chrome::Visitor(user), content)
}

/// `user` has given the right password and is not logged in yet.
pub fn second_factor(user: &Account, next: Option<&ReturnTo>, notice: Option<Notice>) -> Page {
    let described = notice.map_or("hint", |_| "notice hint");
    let content = html! {
        section.ticket {
            div.body {
                p.kicker { "One more step, " (user.name) }
                h1 { "What does your authenticator say?" }
                (alert(notice))
                form method="post" action="/second-factor" {
                    (carry(next))
                    label for="code" { "Code" }
                    input.code #code name="code" type="text" inputmode="numeric" maxlength="7"
                        autocomplete="one-time-code" required autofocus aria-describedby=(described);
                    p.small #hint { "Six digits, a new one every half minute. Each works once." }
                    button { "Log in" }
                }
            }
            aside.stub {
                h2 { "Nobody is in yet" }
                p { "Your password was right. This login waits for its code for ten minutes." }
                form method="post" action="/logout" { button.quiet { "Start over" } }
            }
        }
    };
    let status = notice.map_or(Status::Ok, Notice::status);
    page(status, "Second step", Chrome::Bare, content)
}

/// What only a fresh proof opens.
pub fn settings(user: &Account, session: &Session, second_factor: bool) -> Page {
    let content = html! {
        section.ticket {
            div.body {
                p.kicker { "Only for " (user.name) ", just confirmed" }
                h1 { "Settings" }
                p { "Here a password would be changed, or a second factor added: what must not happen in a session that was left open." }
                dl.facts {
                    dt { "Name" } dd { (user.name) }
                    dt { "Password" } dd { "set" }
                    dt { "Authenticator" } dd { @if second_factor { "asked for at each login" } @else { "none" } }
                }
                p.actions { a.button href="/sessions" { "Your devices" } }
            }
            aside.stub {
                h2 { "Open for five minutes" }
                p { "You proved that it is you:" }
                p { (moment(session.authenticated_at())) }
                p { "After that, this page asks for your password again." }
            }
        }
    };
    page(Status::Ok, "Settings", Chrome::Visitor(Some(user)), content)
}
