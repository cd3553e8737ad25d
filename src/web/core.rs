//! src/web/core.rs: what one fairing works with, and how a guard finds it.

use std::any::type_name;
use std::marker::PhantomData;
use std::sync::Arc;

use rocket::{Build, Ignite, Phase, Rocket};

use super::cookie::SessionCookie;
use crate::clock::Clock;
use crate::config::Settings;
use crate::config::doctor::{Finding, Severity};
use crate::event::Events;
use crate::session::Sessions;
use crate::user::User;

/// What one fairing works with; the same for every user type.
pub struct Core {
    pub name: Arc<str>,
    pub settings: Settings,
    pub cookie: SessionCookie,
    pub sessions: Sessions,
    pub events: Events,
    pub clock: Clock,
    /// Where sessions are kept, for the line at liftoff.
    pub store: &'static str,
}

/// The managed state by which a guard finds the fairing of its user type.
struct Installed<U> {
    core: Core,
    user: PhantomData<fn() -> U>,
}

impl Core {
    /// Makes it the managed state of its user type.
    pub fn install<U: User>(self, rocket: Rocket<Build>) -> Rocket<Build> {
        rocket.manage(Installed::<U> { core: self, user: PhantomData })
    }

    pub fn of<U: User, P: Phase>(rocket: &Rocket<P>) -> Option<&Core> {
        rocket.state::<Installed<U>>().map(|installed| &installed.core)
    }
}

/// For the sentinels of all guards: a launch without the fairing that a guard needs is stopped.
pub fn is_missing<U: User>(guard: &str, rocket: &Rocket<Ignite>) -> bool {
    let missing = Core::of::<U, _>(rocket).is_none();
    if missing {
        let full = type_name::<U>();
        let short = full.rsplit("::").next().unwrap_or(full);
        let text = format!(
            "a route uses {guard}<{short}>, but no identity fairing for {full} is attached; add \
             .attach(Identity::<{short}>::sessions()) to the line of rocket::build()"
        );
        report(&[Finding::refuse("RI012", text)]);
    }
    missing
}

pub fn report(findings: &[Finding]) {
    for finding in findings {
        match finding.severity {
            Severity::Refuse => tracing::error!(target: "rocket_identity", "{finding}"),
            Severity::Warn => tracing::warn!(target: "rocket_identity", "{finding}"),
        }
    }
}
