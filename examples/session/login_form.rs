//! examples/session/login_form.rs: the forms of a login, read so that no password reaches a log.
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

/// What `POST /confirm` was sent.
pub struct PasswordForm {
    pub password: String,
    pub next: Option<ReturnTo>,
}

/// What `POST /second-factor` was sent.
pub struct CodeForm {
    pub code: String,
    pub next: Option<ReturnTo>,
}

/// Why it is not such a form.
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
        read(request, data, |fields| {
            let remember = match fields.one("remember")?.as_deref() {
                None => false,
                Some("on") => true,
                Some(_) => return Err(BadForm::Remember),
            };
            Ok(LoginForm {
                username: fields.needed("username")?,
                password: fields.needed("password")?,
                next: fields.next()?,
                remember,
            })
        })
        .await
    }
}

#[rocket::async_trait]
impl<'r> FromData<'r> for PasswordForm {
    type Error = BadForm;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        read(request, data, |fields| {
            Ok(PasswordForm { password: fields.needed("password")?, next: fields.next()? })
        })
        .await
    }
}

#[rocket::async_trait]
impl<'r> FromData<'r> for CodeForm {
    type Error = BadForm;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        read(request, data, |fields| {
            Ok(CodeForm { code: fields.needed("code")?, next: fields.next()? })
        })
        .await
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

async fn read<'r, F>(
    request: &Request<'_>,
    data: Data<'r>,
    form: impl FnOnce(Fields<'_>) -> Result<F, BadForm>,
) -> Outcome<'r, F, BadForm> {
    let read = match body(request, data).await {
        Ok(body) => std::str::from_utf8(&body)
            .map_err(|_| BadForm::NotUtf8)
            .and_then(|body| form(Fields(body))),
        Err(bad) => Err(bad),
    };
    match read {
        Ok(form) => Outcome::Success(form),
        Err(bad) => Outcome::Error((bad.status(), bad)),
    }
}

async fn body(request: &Request<'_>, data: Data<'_>) -> Result<Vec<u8>, BadForm> {
    if !request.content_type().is_some_and(|kind| kind.is_form()) {
        return Err(BadForm::NotUrlEncoded);
    }
    let limit = request.limits().get("form").unwrap_or(Limits::FORM);
    let body = data.open(limit).into_bytes().await;
    let body = body.map_err(|_| BadForm::Unreadable)?;
    match body.is_complete() {
        true => Ok(body.into_inner()),
        false => Err(BadForm::TooLarge),
    }
}

/// The fields of a form, as they were sent.
struct Fields<'a>(&'a str);

impl Fields<'_> {
    /// The one field of this name. A second one is refused: who reads the first and who reads the
    /// last would not see the same login.
    fn one(&self, name: &'static str) -> Result<Option<String>, BadForm> {
        let mut found = None;
        for field in self.0.split('&') {
            let (key, value) = field.split_once('=').unwrap_or((field, ""));
            if decode(key)? == name && found.replace(decode(value)?).is_some() {
                return Err(BadForm::Twice(name));
            }
        }
        Ok(found)
    }

    fn needed(&self, name: &'static str) -> Result<String, BadForm> {
        self.one(name)?.ok_or(BadForm::Missing(name))
    }

    /// Where to go, if that is on this site.
    fn next(&self) -> Result<Option<ReturnTo>, BadForm> {
        Ok(self.one("next")?.as_deref().and_then(ReturnTo::parse))
    }
}

fn decode(text: &str) -> Result<String, BadForm> {
    let decoded = RawStr::new(text).url_decode();
    decoded.map(|text| text.into_owned()).map_err(|_| BadForm::NotUtf8)
}
