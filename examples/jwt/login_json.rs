//! examples/jwt/login_json.rs: the login's JSON, read so that no password reaches a log.
//!
//! Rocket's `Json<T>` takes any content type, and prints what it could not read. So this guard reads
//! the body by itself, and its error has no room for a text of the sender's.

use std::fmt;

use rocket::Request;
use rocket::data::{Data, FromData, Limits, Outcome};
use rocket::http::Status;
use rocket::serde::json::serde_json;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

/// What `POST /login` was sent. It has no `Debug`, which would print the password.
pub struct LoginJson {
    pub username: String,
    pub password: String,
}

/// Why it is not a login.
#[derive(Debug)]
pub enum BadJson {
    NotJson,
    TooLarge,
    Unreadable,
    /// An object with `username` and `password`, each once and a string, is what it must be.
    Shape,
}

#[rocket::async_trait]
impl<'r> FromData<'r> for LoginJson {
    type Error = BadJson;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        match read(request, data).await {
            Ok(login) => Outcome::Success(login),
            Err(bad) => Outcome::Error((bad.status(), bad)),
        }
    }
}

impl BadJson {
    fn status(&self) -> Status {
        match self {
            BadJson::NotJson => Status::UnsupportedMediaType,
            BadJson::TooLarge => Status::PayloadTooLarge,
            BadJson::Unreadable => Status::BadRequest,
            BadJson::Shape => Status::UnprocessableEntity,
        }
    }
}

async fn read(request: &Request<'_>, data: Data<'_>) -> Result<LoginJson, BadJson> {
    if !request.content_type().is_some_and(|kind| kind.is_json()) {
        return Err(BadJson::NotJson);
    }
    let limit = request.limits().get("form").unwrap_or(Limits::FORM);
    let body = data.open(limit).into_bytes().await.map_err(|_| BadJson::Unreadable)?;
    if !body.is_complete() {
        return Err(BadJson::TooLarge);
    }
    serde_json::from_slice(&body).map_err(|error| match error.is_data() {
        true => BadJson::Shape,
        false => BadJson::Unreadable,
    })
}

impl<'de> Deserialize<'de> for LoginJson {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = LoginJson;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `username` and `password`")
    }

    /// A second member of one name is refused: who reads the first and who reads the last would not
    /// see the same login.
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<LoginJson, A::Error> {
        let (mut username, mut password) = (None, None);
        while let Some(name) = members.next_key::<String>()? {
            let place = match &*name {
                "username" => &mut username,
                "password" => &mut password,
                _ => {
                    members.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if place.replace(members.next_value::<String>()?).is_some() {
                return Err(A::Error::custom("a member that comes twice"));
            }
        }
        let missing = || A::Error::custom("`username` or `password` is missing");
        Ok(LoginJson {
            username: username.ok_or_else(missing)?,
            password: password.ok_or_else(missing)?,
        })
    }
}
