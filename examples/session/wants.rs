//! examples/session/wants.rs: who asks, a person or a program, and how each hears of a refusal.

use std::convert::Infallible;

use rocket::Responder;
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome, Request};
use rocket_identity::Error;

use super::pages::{self, Notice, Page};

/// What the request would like to read best.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// By name: a browser does, a program that says nothing does not.
    Page,
    Json,
    Whatever,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Wants {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        Outcome::Success(match request.accept().map(|accept| accept.preferred()) {
            Some(kind) if kind.is_html() => Wants::Page,
            Some(kind) if kind.is_json() => Wants::Json,
            _ => Wants::Whatever,
        })
    }
}

/// Why something was not done.
#[derive(Responder)]
pub enum Refused {
    /// Boxed, as the way that is seldom taken.
    Page(Box<Page>),
    /// For the catchers.
    Identity(Error),
    Status(Status),
}

impl Refused {
    pub fn page(page: Page) -> Self {
        Refused::Page(Box::new(page))
    }

    /// What a form's page says where the same may be tried again.
    pub fn of(error: Error, wants: Wants, page: impl FnOnce(Notice) -> Page) -> Self {
        match error.denied().retry_after() {
            Some(wait) => Refused::page(page(Notice::Wait(wait))),
            None if error.is_busy() => Refused::page(page(Notice::Busy)),
            None => Refused::act(wants)(error),
        }
    }

    /// An act of somebody whose session has ended meanwhile. The catchers lead a browser to the login
    /// where it asked for a page; where it pressed a button, they would show it a document for
    /// programs.
    pub fn act(wants: Wants) -> impl FnOnce(Error) -> Self {
        move |error| match error.status() {
            Status::Unauthorized if wants == Wants::Page => Refused::page(pages::over()),
            _ => Refused::Identity(error),
        }
    }
}
