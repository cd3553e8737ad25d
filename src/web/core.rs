//! src/web/core.rs: what one fairing works with, and how a guard finds it.

use std::any::type_name;
use std::marker::PhantomData;
use std::sync::Arc;

use rocket::{Build, Ignite, Phase, Rocket};

use super::client::Told;
use super::cookie::CredentialCookie;
use super::reload::Reload;
use super::sessions::Sessions;
#[cfg(feature = "jwt")]
use super::tokens::TokenMode;
use crate::clock::Clock;
use crate::config::Settings;
use crate::config::doctor::{Finding, Severity};
use crate::event::Events;
use crate::session;
use crate::throttle::Service;
use crate::user::User;

/// What one fairing works with; the same for every user type.
pub struct Core {
    pub name: Arc<str>,
    pub settings: Settings,
    pub mode: Mode,
    pub throttle: Service,
    /// Names a device that has logged in before.
    pub device: CredentialCookie,
    /// The ticket of a login that waits for a second factor.
    pub pending: CredentialCookie,
    /// Reads the application's user again.
    pub reload: Option<Arc<Reload>>,
    pub client_told: Told,
    pub events: Events,
    pub clock: Clock,
}

/// What credentials a fairing hands out and goes by.
pub enum Mode {
    Sessions(SessionMode),
    #[cfg(feature = "jwt")]
    Tokens(TokenMode),
}

/// A cookie holds a ticket, a store the rest.
pub struct SessionMode {
    pub cookie: CredentialCookie,
    pub sessions: session::Service,
    /// Where sessions are kept, for the line at liftoff.
    pub store: &'static str,
}

impl Mode {
    /// What it goes by where that is sessions.
    pub fn sessions(&self) -> Option<&SessionMode> {
        match self {
            Mode::Sessions(mode) => Some(mode),
            #[cfg(feature = "jwt")]
            Mode::Tokens(_) => None,
        }
    }

    /// The cookie that carries the credential, where a cookie does.
    pub fn cookie(&self) -> Option<&CredentialCookie> {
        match self {
            Mode::Sessions(mode) => Some(&mode.cookie),
            #[cfg(feature = "jwt")]
            Mode::Tokens(mode) => mode.transport.takes_cookie().then_some(&mode.cookie),
        }
    }

    /// Whether a bearer token would be taken, so that a 401 says so.
    pub fn takes_bearer(&self) -> bool {
        match self {
            Mode::Sessions(_) => false,
            #[cfg(feature = "jwt")]
            Mode::Tokens(mode) => mode.transport.takes_bearer(),
        }
    }
}

/// The managed state by which a guard finds the fairing of its user type.
struct Installed<U> {
    core: Arc<Core>,
    user: PhantomData<fn() -> U>,
}

impl Core {
    /// Makes it the managed state of its user type.
    pub fn install<U: User>(self, rocket: Rocket<Build>) -> Rocket<Build> {
        let core = Arc::new(self);
        let rocket = rocket.manage(Sessions::<U>::new(core.clone()));
        rocket.manage(Installed::<U> { core, user: PhantomData })
    }

    pub fn of<U: User, P: Phase>(rocket: &Rocket<P>) -> Option<&Core> {
        rocket.state::<Installed<U>>().map(|installed| &*installed.core)
    }

    /// What a challenge calls the place that a token opens (RFC 9110 section 11.5).
    pub fn realm(&self) -> &str {
        match &self.mode {
            Mode::Sessions(_) => &self.name,
            #[cfg(feature = "jwt")]
            Mode::Tokens(mode) => &mode.policy.issuer,
        }
    }

    /// One line for the log at liftoff.
    pub fn describe(&self) -> String {
        match &self.mode {
            Mode::Sessions(mode) => {
                let session = &self.settings.session;
                format!(
                    "sessions in {}, cookie `{}`, idle {}, absolute {}",
                    mode.store,
                    mode.cookie.name(),
                    humantime::format_duration(session.idle),
                    humantime::format_duration(session.absolute),
                )
            }
            #[cfg(feature = "jwt")]
            Mode::Tokens(mode) => mode.describe(self.clock.now()),
        }
    }

    /// The fairing of `U`, where it goes by sessions.
    pub fn with_sessions<U: User, P: Phase>(rocket: &Rocket<P>) -> Option<&Core> {
        Self::of::<U, P>(rocket).filter(|core| core.mode.sessions().is_some())
    }

    /// The fairing of `U`, where it goes by tokens.
    #[cfg(feature = "jwt")]
    pub fn with_tokens<U: User, P: Phase>(rocket: &Rocket<P>) -> Option<&Core> {
        Self::of::<U, P>(rocket).filter(|core| matches!(core.mode, Mode::Tokens(_)))
    }
}

/// For the sentinels of all guards: a launch without the fairing that a guard needs is stopped.
/// `found` is the fairing that would do; `constructor` is how it is made.
pub fn is_missing<U: User>(
    guard: &str,
    constructor: &str,
    found: Option<&Core>,
    rocket: &Rocket<Ignite>,
) -> bool {
    let full = type_name::<U>();
    let short = full.rsplit("::").next().unwrap_or(full);
    let line = format!("Identity::<{short}>::{constructor}()");
    let text = match (found, Core::of::<U, _>(rocket)) {
        (Some(_), _) => return false,
        (None, Some(_)) => format!(
            "a route uses {guard}<{short}>, but the identity fairing for {full} is of the other \
             kind; attach {line}, or use the guard of the kind that is attached"
        ),
        (None, None) => format!(
            "a route uses {guard}<{short}>, but no identity fairing for {full} is attached; add \
             .attach({line}) to the line of rocket::build()"
        ),
    };
    report(&[Finding::refuse("RI012", text)]);
    true
}

pub fn report(findings: &[Finding]) {
    for finding in findings {
        match finding.severity {
            Severity::Refuse => tracing::error!(target: "rocket_identity", "{finding}"),
            Severity::Warn => tracing::warn!(target: "rocket_identity", "{finding}"),
        }
    }
}
