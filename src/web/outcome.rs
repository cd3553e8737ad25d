//! src/web/outcome.rs: from a reason to what Rocket answers, and from a catcher back to the reason.

use std::sync::Arc;

use rocket::http::Status;
use rocket::request::{Outcome, Request};
use rocket::response::{self, Responder};

use super::core::Core;
use super::visit::{LastRefusal, Refusal};
use crate::error::{Denied, Error, Reason};

impl Denied {
    /// The reason why the request was refused, in a catcher or anywhere after the refusal; the
    /// last one where several guards refused. `None` where none of this crate's did for the route
    /// that answers.
    ///
    /// ```
    /// use rocket::{Request, catch};
    /// use rocket_identity::Denied;
    ///
    /// #[catch(401)]
    /// fn unauthorized(request: &Request<'_>) -> &'static str {
    ///     match Denied::of(request) {
    ///         Some(denied) if denied.code() == "session_invalid" => "Your session has ended.",
    ///         _ => "Please log in.",
    ///     }
    /// }
    /// ```
    pub fn of(request: &Request<'_>) -> Option<Self> {
        LastRefusal::of(request).map(|refusal| refusal.denied)
    }

    /// The status that this reason is answered with.
    pub fn status(&self) -> Status {
        Status::new(self.reason().status())
    }
}

impl Error {
    /// The status that this error is answered with.
    pub fn status(&self) -> Status {
        self.denied().status()
    }
}

/// Answers with the status, through the application's catchers.
impl<'r> Responder<'r, 'static> for Error {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let denied = self.denied().clone();
        let status = denied.status();
        LastRefusal::note(request, Refusal::new(request, denied, None));
        Err(status)
    }
}

/// A refusal that lets the next route try: there is no user, and nothing is wrong.
pub fn forward<T>(core: &Core, request: &Request<'_>, reason: Reason) -> Outcome<T, Denied> {
    Outcome::Forward(note(Some(core), request, reason).status())
}

/// A refusal that answers.
pub fn error<T>(core: &Core, request: &Request<'_>, reason: Reason) -> Outcome<T, Denied> {
    let denied = note(Some(core), request, reason);
    Outcome::Error((denied.status(), denied))
}

/// A guard ran inside another one, where no sentinel could see that its fairing is missing.
pub fn missing<T>(request: &Request<'_>) -> Outcome<T, Denied> {
    let denied = note(None, request, Reason::FairingMissing);
    Outcome::Error((denied.status(), denied))
}

/// The same for a ready route.
#[cfg(feature = "jwt")]
pub fn missing_route<'r>(request: &'r Request<'_>) -> rocket::route::Outcome<'r> {
    rocket::route::Outcome::Error(note(None, request, Reason::FairingMissing).status())
}

fn note(core: Option<&Core>, request: &Request<'_>, reason: Reason) -> Denied {
    let denied = Denied::new(reason, core.map(|core| core.name.clone()));
    let settings = core.map(|core| &core.settings);
    let login_path = settings.and_then(|settings| match reason {
        Reason::NotFresh => settings.confirm_path.as_deref(),
        _ => settings.login_path.as_deref(),
    });
    let login_path = login_path.map(Arc::from);
    LastRefusal::note(request, Refusal::new(request, denied.clone(), login_path));
    denied
}
