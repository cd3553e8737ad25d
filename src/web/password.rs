//! src/web/password.rs: passwords in Rocket: where `Passwords` is managed, and how its error answers.

use rocket::response::{self, Responder};
use rocket::{Build, Request, Rocket};

use crate::config::doctor::Finding;
use crate::config::password::Hashing;
use crate::error::Error;
use crate::password::{Hooks, PasswordError, Passwords};

impl From<PasswordError> for Error {
    fn from(error: PasswordError) -> Self {
        Error::new(error.into_failure(), None)
    }
}

/// Answers with the status, through the application's catchers.
impl<'r> Responder<'r, 'static> for PasswordError {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        Error::from(self).respond_to(request)
    }
}

/// One `Passwords` serves all fairings, with the hooks of the first: a second one with hooks would
/// think that its blocklist is asked.
pub fn check(rocket: &Rocket<Build>, hooks: Option<&Hooks>) -> Result<(), Finding> {
    if hooks.is_some() && rocket.state::<Passwords>().is_some() {
        let text = "Identity::passwords(..) is not called on the fairing that is attached first: one \
                    `Passwords` serves them all, so call it there";
        return Err(Finding::refuse("RI011", text.into()));
    }
    Ok(())
}

/// Manages it, where no fairing has yet.
pub fn install(rocket: Rocket<Build>, settings: &Hashing, hooks: Option<&Hooks>) -> Rocket<Build> {
    if rocket.state::<Passwords>().is_some() {
        return rocket;
    }
    rocket.manage(Passwords::new(settings, hooks.cloned().unwrap_or_default()))
}
