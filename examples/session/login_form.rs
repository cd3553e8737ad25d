//! examples/session/login_form.rs: the login form, read so that no password reaches a log.
//!
//! Rocket prints a data guard's error with `Debug`, which for `Form<T>` holds what was typed, and at
//! `debug` level it prints each field of every form that it parses. So this guard reads the body by
//! itself, and its error has no room for a text of the sender's.

use rocket::Request;
use rocket::data::{Data, FromData, Limits, Outcome};
use rocket::http::{RawStr, Status};
use rocket_identity::redirect::ReturnTo;

/// What `POST /login` was sent. It has no `Debug`, which would print the password.
pub struct LoginForm {
    pub username: String,
    pub password: String,
    /// Where to go, if that is on this site.
    pub next: Option<ReturnTo>,
    pub remember: bool,
}

/// Why it is not a login form.
#[derive(Debug)]
#[expect(dead_code, reason = "for `Debug`, which Rocket prints")]
pub enum BadForm {
    NotUrlEncoded,
    TooLarge,
    Unreadable,
    NotUtf8,
    Missing(&'static str),
    Twice(&'static str),
    /// A box is `on` or not there.
    Remember,
}

#[rocket::async_trait]
impl<'r> FromData<'r> for LoginForm {
    type Error = BadForm;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        match read(request, data).await {
            Ok(form) => Outcome::Success(form),
            Err(bad) => Outcome::Error((bad.status(), bad)),
        }
    }
}

impl BadForm {
    fn status(&self) -> Status {
        match self {
            BadForm::NotUrlEncoded => Status::UnsupportedMediaType,
            BadForm::TooLarge => Status::PayloadTooLarge,
            BadForm::Unreadable | BadForm::NotUtf8 => Status::BadRequest,
            BadForm::Missing(_) | BadForm::Twice(_) | BadForm::Remember => {
                Status::UnprocessableEntity
            }
        }
    }
}

async fn read(request: &Request<'_>, data: Data<'_>) -> Result<LoginForm, BadForm> {
    if !request.content_type().is_some_and(|kind| kind.is_form()) {
        return Err(BadForm::NotUrlEncoded);
    }
    let limit = request.limits().get("form").unwrap_or(Limits::FORM);
    let body = data.open(limit).into_bytes().await;
    let body = body.map_err(|_| BadForm::Unreadable)?;
    if !body.is_complete() {
        return Err(BadForm::TooLarge);
    }
    parse(std::str::from_utf8(&body).map_err(|_| BadForm::NotUtf8)?)
}

fn parse(body: &str) -> Result<LoginForm, BadForm> {
    let field = |name| one(body, name);
    let remember = match field("remember")?.as_deref() {
        None => false,
        Some("on") => true,
        Some(_) => return Err(BadForm::Remember),
    };
    Ok(LoginForm {
        username: field("username")?.ok_or(BadForm::Missing("username"))?,
        password: field("password")?.ok_or(BadForm::Missing("password"))?,
        next: field("next")?.as_deref().and_then(ReturnTo::parse),
        remember,
    })
}

/// The one field of this name. A second one is refused: who reads the first and who reads the last
/// would not see the same login.
fn one(body: &str, name: &'static str) -> Result<Option<String>, BadForm> {
    let mut found = None;
    for field in body.split('&') {
        let (key, value) = field.split_once('=').unwrap_or((field, ""));
        if decode(key)? == name && found.replace(decode(value)?).is_some() {
            return Err(BadForm::Twice(name));
        }
    }
    Ok(found)
}

fn decode(text: &str) -> Result<String, BadForm> {
    let decoded = RawStr::new(text).url_decode();
    decoded.map(|text| text.into_owned()).map_err(|_| BadForm::NotUtf8)
}
