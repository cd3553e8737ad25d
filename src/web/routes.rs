//! src/web/routes.rs: ready routes.

use std::marker::PhantomData;

use rocket::http::{ContentType, Method};
use rocket::route::{Handler, Outcome};
use rocket::{Data, Request, Response, Route};

use super::core::{Core, Mode};
use super::outcome;
use crate::user::User;

/// For how long others may keep the key set: a new key must be published for longer before it signs.
const MAX_AGE: &str = "public, max-age=300";

/// The ready routes of the token fairing of `U`.
pub fn routes<U: User>() -> Vec<Route> {
    let mut jwks = Route::new(Method::Get, "/.well-known/jwks.json", Jwks::<U>(PhantomData));
    jwks.name = Some("jwks".into());
    vec![jwks]
}

struct Jwks<U>(PhantomData<fn() -> U>);

impl<U> Clone for Jwks<U> {
    fn clone(&self) -> Self {
        Jwks(PhantomData)
    }
}

#[rocket::async_trait]
impl<U: User> Handler for Jwks<U> {
    async fn handle<'r>(&self, request: &'r Request<'_>, _: Data<'r>) -> Outcome<'r> {
        let Some(core) = Core::with_tokens::<U, _>(request.rocket()) else {
            return outcome::missing_route(request);
        };
        let Mode::Tokens(mode) = &core.mode else { return outcome::missing_route(request) };
        let set = mode.keys.current().published(core.clock.now());
        Outcome::Success(
            Response::build()
                .header(ContentType::new("application", "jwk-set+json"))
                .raw_header("Cache-Control", MAX_AGE)
                .sized_body(set.len(), std::io::Cursor::new(set))
                .finalize(),
        )
    }
}
