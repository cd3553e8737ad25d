//! src/web/fairing.rs: what an application attaches. It wires the floors below at ignition, refuses
//! an insecure launch, and completes each response; it authenticates nothing.

use std::any::type_name;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use rocket::config::LogLevel;
use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::{Build, Config, Data, Orbit, Request, Response, Rocket};

use super::backend::Backend;
use super::cookie::SessionCookie;
use super::core::{Core, report};
use super::headers;
use super::visit::Visit;
use crate::clock::Clock;
use crate::config::doctor::{self, Finding, Remote, Severity, Surroundings};
use crate::config::{Settings, keys};
use crate::event::{Event, Events, Listener};
use crate::secret;
use crate::session::Sessions;
#[cfg(test)]
use crate::session::Store;
use crate::user::User;

/// The fairing that installs a session store for users of type `U`.
///
/// Its settings are in `[default.identity]` of `Rocket.toml`; every key has a default that is
/// right in production. Attach it after fairings that set headers of their own: its `on_response`
/// keeps a page of a user out of caches, and a later fairing could undo that. At ignition it checks them, and what is insecure does not launch in
/// release: each refusal has a code and says the fix.
///
/// ```
/// # use rocket_identity::{Identity, User, UserId};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Clone, Serialize, Deserialize)]
/// # struct Account { id: u64 }
/// # impl User for Account { fn id(&self) -> UserId { self.id.into() } }
/// let rocket = rocket::build()
///     .attach(Identity::<Account>::sessions())
///     .register("/", rocket_identity::catchers());
/// ```
pub struct Identity<U> {
    name: Arc<str>,
    named: bool,
    listener: Option<Arc<Listener>>,
    #[cfg(test)]
    store: Option<Arc<dyn Store>>,
    user: PhantomData<fn() -> U>,
}

/// The names of all fairings, since two of one name would share a cookie.
#[derive(Default)]
struct Names(Mutex<BTreeSet<Arc<str>>>);

impl Names {
    /// The first fairing of all looks for named tables that none reads.
    fn unread(&self, own: &Arc<str>, rocket: &Rocket<Orbit>) -> Vec<Finding> {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match names.first() == Some(own) {
            true => keys::unread_names(
                rocket.figment(),
                &names.iter().map(|n| &**n).collect::<Vec<_>>(),
            ),
            false => Vec::new(),
        }
    }
}

impl<U: User> Identity<U> {
    /// Sessions: a cookie holds a random ticket, a store the rest.
    pub fn sessions() -> Self {
        Identity {
            name: Arc::from(""),
            named: false,
            listener: None,
            #[cfg(test)]
            store: None,
            user: PhantomData,
        }
    }

    /// Names the fairing, for a second type of user beside the first.
    ///
    /// Its settings are those of `[default.identity]` with `[default.identity.named.<name>]` laid
    /// over them, and its cookie is `__Host-<name>-session`. A name has from 1 to 32 lower-case
    /// letters, digits and `-`.
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = Arc::from(&*name.into());
        self.named = true;
        self
    }

    /// Calls `listener` with each event, on the thread of the request that it happened in: keep it
    /// short and do not block.
    pub fn on_event(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }

    /// Everything that this fairing works with, or why it does not launch.
    async fn prepare(&self, rocket: &Rocket<Build>) -> Result<Core, Vec<Finding>> {
        let one = |finding| vec![finding];
        let stop = |code, text: String| vec![Finding::refuse(code, text)];
        self.check_name().map_err(one)?;
        let settings = Settings::read(rocket.figment(), &self.name).map_err(one)?;
        let (backend, findings) =
            Backend::choose(&settings, rocket.figment(), &self.name).map_err(one)?;
        report(&findings);
        let around = surroundings(rocket, &settings, backend.remote());
        let around = around.map_err(|error| stop("RI009", error.to_string()))?;
        refuse_or_report(doctor::examine(&settings, &around))?;
        if !self.take_name(rocket) || Core::of::<U, _>(rocket).is_some() {
            let text = format!(
                "Identity::<{}> is attached twice, or another fairing has its name {:?}; attach \
                 one for each user type and give all but one a name: .named(\"admin\")",
                type_name::<U>(),
                &*self.name,
            );
            return Err(stop("RI011", text));
        }
        let salt = secret::random_bytes().map_err(|error| stop("RI009", error.to_string()))?;
        let clock = clock(rocket);
        let (store, findings) = backend.open(&settings, &clock).await.map_err(one)?;
        refuse_or_report(findings)?;
        #[cfg(test)]
        let store = self.store.clone().unwrap_or(store);
        Ok(Core {
            name: self.name.clone(),
            cookie: SessionCookie::new(&settings.cookie, &self.name, &around),
            sessions: Sessions::new(store, clock.clone(), settings.session.clone()),
            events: Events::new(self.name.clone(), salt, self.listener.clone()),
            store: around.remote.map_or("memory", |_| "Redis"),
            settings,
            clock,
        })
    }

    #[cfg(test)]
    pub(super) fn on_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    fn check_name(&self) -> Result<(), Finding> {
        let valid = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let length = usize::from(self.named)..=32;
        if length.contains(&self.name.len()) && self.name.bytes().all(valid) {
            return Ok(());
        }
        let text = format!(
            "Identity::named({:?}): a name has from 1 to 32 lower-case letters, digits and `-`",
            &*self.name
        );
        Err(Finding::refuse("RI009", text))
    }

    fn take_name(&self, rocket: &Rocket<Build>) -> bool {
        let Some(names) = rocket.state::<Names>() else {
            return false;
        };
        names.0.lock().unwrap_or_else(PoisonError::into_inner).insert(self.name.clone())
    }
}

#[rocket::async_trait]
impl<U: User> Fairing for Identity<U> {
    fn info(&self) -> Info {
        Info {
            name: "Identity",
            kind: Kind::Ignite | Kind::Liftoff | Kind::Request | Kind::Response,
        }
    }

    async fn on_ignite(&self, mut rocket: Rocket<Build>) -> fairing::Result {
        if rocket.state::<Names>().is_none() {
            rocket = rocket.manage(Names::default());
        }
        match self.prepare(&rocket).await {
            Ok(core) => Ok(core.install::<U>(rocket)),
            Err(findings) => {
                report(&findings);
                Err(rocket)
            }
        }
    }

    async fn on_liftoff(&self, rocket: &Rocket<Orbit>) {
        if let Some(names) = rocket.state::<Names>() {
            report(&names.unread(&self.name, rocket));
        }
        if let Some(core) = Core::of::<U, _>(rocket) {
            let session = &core.settings.session;
            tracing::info!(
                target: "rocket_identity",
                "identity: sessions of {} in {}, cookie `{}`, idle {}, absolute {}",
                type_name::<U>(),
                core.store,
                core.cookie.name(),
                humantime::format_duration(session.idle),
                humantime::format_duration(session.absolute),
            );
        }
    }

    async fn on_request(&self, request: &mut Request<'_>, _: &mut Data<'_>) {
        if let Some(core) = Core::of::<U, _>(request.rocket()) {
            Visit::<U>::begin(core, request);
        }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let Some(core) = Core::of::<U, _>(request.rocket()) else {
            return;
        };
        #[cfg(feature = "testing")]
        super::plan::Plan::<U>::carry_out(core, request).await;
        if let Some(visit) = Visit::<U>::seen(core, request) {
            headers::complete(visit, response);
        }
    }
}

/// Reports what was found, unless something in it stops the launch.
fn refuse_or_report(findings: Vec<Finding>) -> Result<(), Vec<Finding>> {
    if findings.iter().any(|finding| finding.severity == Severity::Refuse) {
        return Err(findings);
    }
    report(&findings);
    Ok(())
}

fn surroundings(
    rocket: &Rocket<Build>,
    settings: &Settings,
    remote: Option<Remote>,
) -> Result<Surroundings, Box<figment::Error>> {
    let config = Config::try_from(rocket.figment())?;
    Ok(Surroundings {
        // Only the profile named exactly `debug` is lax; figment's own comparison ignores case.
        release: rocket.figment().profile().as_str().as_str() != "debug",
        tls: config.tls_enabled() || settings.behind_tls_proxy,
        address: config.address,
        debug_log: config.log_level == LogLevel::Debug,
        stopped_clock: stopped_clock(rocket).is_some(),
        remote,
    })
}

fn clock(rocket: &Rocket<Build>) -> Clock {
    stopped_clock(rocket).unwrap_or_else(Clock::system)
}

#[cfg(feature = "testing")]
fn stopped_clock(rocket: &Rocket<Build>) -> Option<Clock> {
    rocket.state::<crate::clock::StoppedClock>().map(|clock| clock.inner())
}

#[cfg(not(feature = "testing"))]
fn stopped_clock(_: &Rocket<Build>) -> Option<Clock> {
    None
}
