//! src/web/plan.rs: a login that a test asks for, carried out while its request is answered.

use std::sync::{Arc, Mutex, PoisonError};

use rocket::Request;
use rocket::http::{Cookie, CookieJar};

use super::auth::Auth;
use super::core::Core;
use crate::error::{Error, Failure, Reason};
#[cfg(feature = "jwt")]
use crate::jwt::Tokens;
use crate::user::User;

/// Both ends of a planned login: the test's and the fairing's.
pub struct Plan<U>(Arc<Mutex<State<U>>>);

enum State<U> {
    Empty,
    Laid(U),
    Done(Result<Done, Error>),
}

/// What the login handed out.
pub struct Done {
    /// The name of the cookie that was set, where one was.
    cookie: Option<String>,
    #[cfg(feature = "jwt")]
    tokens: Option<Tokens>,
}

impl<U: User> Plan<U> {
    /// Plans a login of `user` for when `request` is answered.
    pub fn lay(request: &Request<'_>, user: U) -> Self {
        let plan = Self::of(request);
        plan.put(State::Laid(user));
        plan
    }

    /// Carries out what is planned for this request, if anything.
    pub async fn carry_out(core: &Core, request: &Request<'_>) {
        let plan = Self::of(request);
        if let State::Laid(user) = plan.put(State::Empty) {
            let done = Auth::new(core, request).login(user).await;
            plan.put(State::Done(done.map(|_login| Done {
                cookie: core.mode.cookie().map(|cookie| cookie.name().to_owned()),
                #[cfg(feature = "jwt")]
                tokens: _login.tokens().cloned(),
            })));
        }
    }

    /// The cookie that it set; `cookies` are the response's.
    pub fn cookie(self, cookies: &CookieJar<'_>) -> Result<Cookie<'static>, Error> {
        let name = self.done()?.cookie;
        name.and_then(|name| cookies.get(&name)).cloned().ok_or_else(missing)
    }

    /// The token that it made.
    #[cfg(feature = "jwt")]
    pub fn tokens(self) -> Result<Tokens, Error> {
        self.done()?.tokens.ok_or_else(missing)
    }

    fn done(self) -> Result<Done, Error> {
        match self.put(State::Empty) {
            State::Done(done) => done,
            _ => Err(missing()),
        }
    }

    fn of(request: &Request<'_>) -> Self {
        let shared = request.local_cache(|| Plan::<U>(Arc::new(Mutex::new(State::Empty))));
        Plan(shared.0.clone())
    }

    fn put(&self, state: State<U>) -> State<U> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), state)
    }
}

fn missing() -> Error {
    Error::new(Failure::from(Reason::FairingMissing), None)
}
