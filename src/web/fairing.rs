//! src/web/fairing.rs: what an application attaches. It wires the floors below at ignition, refuses
//! an insecure launch, and completes each response; it authenticates nothing.

use std::any::type_name;
use std::borrow::Cow;
use std::fmt::Display;
use std::marker::PhantomData;
use std::sync::Arc;

#[cfg(feature = "jwt")]
use rocket::Route;
use rocket::config::LogLevel;
use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::{Build, Config, Data, Orbit, Request, Response, Rocket};

use super::backend::Backend;
use super::client::Told;
use super::cookie::CredentialCookie;
use super::core::{Core, Mode, SessionMode, report};
use super::headers;
use super::names::Names;
#[cfg(feature = "password")]
use super::password;
use super::reload::{self, Reload};
#[cfg(feature = "jwt")]
use super::tokens::TokenMode;
use super::visit::Visit;
use crate::clock::Clock;
use crate::config::Settings;
use crate::config::doctor::{self, Finding, Remote, Severity, Surroundings};
use crate::event::{Event, Events, Listener};
#[cfg(feature = "password")]
use crate::password::Hooks;
use crate::secret;
use crate::session;
#[cfg(test)]
use crate::session::Store;
use crate::throttle::{Rules, Service};
use crate::user::{User, UserId};

/// The fairing that installs a session store or a JWT key set for users of type `U`.
///
/// Its settings are in `[default.identity]` of `Rocket.toml`; every key has a default that is
/// right in production. Attach it after fairings that set headers of their own: its `on_response`
/// keeps a page of a user out of caches, and a later fairing could undo that. At ignition it checks
/// them, and what is insecure does not launch in release: each refusal has a code and says the fix.
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
    kind: Credentials,
    name: Arc<str>,
    named: bool,
    listener: Option<Arc<Listener>>,
    reload: Option<Arc<Reload>>,
    #[cfg(feature = "password")]
    hooks: Option<Hooks>,
    #[cfg(test)]
    store: Option<Arc<dyn Store>>,
    user: PhantomData<fn() -> U>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Credentials {
    Sessions,
    #[cfg(feature = "jwt")]
    Tokens,
}

impl<U: User> Identity<U> {
    /// Sessions: a cookie holds a random ticket, a store the rest.
    pub fn sessions() -> Self {
        Self::of(Credentials::Sessions)
    }

    /// Access tokens: each is signed, holds its user, and is checked without a store.
    ///
    /// Keys, issuer and audience are in `[default.identity.jwt]`. In profile `debug` it works without
    /// them, with a key that dies with the process; release does not launch so.
    #[cfg(feature = "jwt")]
    #[cfg_attr(docsrs, doc(cfg(feature = "jwt")))]
    pub fn jwt() -> Self {
        Self::of(Credentials::Tokens)
    }

    /// Ready routes for a fairing that goes by tokens; mount them at `/`.
    ///
    /// `GET /.well-known/jwks.json` publishes the public keys as a JSON Web Key Set (RFC 7517), for
    /// others who verify our tokens: upcoming keys too, symmetric and dead ones never. It may be
    /// cached for five minutes.
    ///
    /// ```
    /// # use rocket_identity::{Identity, User, UserId};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Clone, Serialize, Deserialize)]
    /// # struct Account { id: u64 }
    /// # impl User for Account { fn id(&self) -> UserId { self.id.into() } }
    /// let rocket = rocket::build()
    ///     .attach(Identity::<Account>::jwt())
    ///     .mount("/", Identity::<Account>::jwt_routes());
    /// ```
    #[cfg(feature = "jwt")]
    #[cfg_attr(docsrs, doc(cfg(feature = "jwt")))]
    pub fn jwt_routes() -> Vec<Route> {
        super::routes::routes::<U>()
    }

    fn of(kind: Credentials) -> Self {
        Identity {
            kind,
            name: Arc::from(""),
            named: false,
            listener: None,
            reload: None,
            #[cfg(feature = "password")]
            hooks: None,
            #[cfg(test)]
            store: None,
            user: PhantomData,
        }
    }

    /// Names the fairing, for a second type of user beside the first.
    ///
    /// Its settings are those of `[default.identity]` with `[default.identity.named.<name>]` laid
    /// over them, and its cookies are `__Host-<name>-session` and
    /// `__Host-<name>-access`. A name has from 1 to 32 lower-case
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

    /// Reads a user again from the application's own table: at each step-up, and, where
    /// `identity.session.reload` is set, with the first request after what is known is that old.
    /// `Ok(None)`, for a user that is gone or locked, ends all of that user's sessions. An `Err` is an
    /// event (`identity.reload_failed`), and the user that is known stays.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use rocket_identity::{Identity, User, UserId};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Clone, Serialize, Deserialize)]
    /// # struct Account { id: u64 }
    /// # impl User for Account { fn id(&self) -> UserId { self.id.into() } }
    /// # struct Table;
    /// # impl Table { async fn by_id(&self, _: &str) -> Result<Option<Account>, String> { Ok(None) } }
    /// # let table = Arc::new(Table);
    /// let identity = Identity::<Account>::sessions().reload(move |id: UserId| {
    ///     let table = table.clone();
    ///     async move { table.by_id(id.as_str()).await }
    /// });
    /// ```
    pub fn reload<Fut, E>(mut self, hook: impl Fn(UserId) -> Fut + Send + Sync + 'static) -> Self
    where
        Fut: Future<Output = Result<Option<U>, E>> + Send + 'static,
        E: Display,
    {
        self.reload = Some(reload::erased(hook));
        self
    }

    /// Adds the application's own part to [`Passwords`](crate::password::Passwords): hashes of
    /// another kind, and passwords that nobody may choose.
    ///
    /// One `Passwords` serves all fairings: call it on the one that is attached first.
    #[cfg(feature = "password")]
    #[cfg_attr(docsrs, doc(cfg(feature = "password")))]
    pub fn passwords(mut self, hooks: Hooks) -> Self {
        self.hooks = Some(hooks);
        self
    }

    /// Everything that this fairing works with, or why it does not launch.
    async fn prepare(&self, rocket: &Rocket<Build>) -> Result<Core, Vec<Finding>> {
        let one = |finding| vec![finding];
        let stop = |code, text: String| vec![Finding::refuse(code, text)];
        self.check_name().map_err(one)?;
        let settings = Settings::read(rocket.figment(), &self.name).map_err(one)?;
        let chosen = Backend::choose(&settings, rocket.figment(), &self.name);
        let (backend, findings) = chosen.map_err(one)?;
        report(&findings);
        let sessions = self.kind == Credentials::Sessions;
        let around = surroundings(rocket, &settings, sessions, backend.remote());
        let around = around.map_err(|error| stop("RI009", error.to_string()))?;
        if settings.session.reload.is_some() && self.reload.is_none() {
            let text = "identity.session.reload is set, but no hook reads the user again; call \
                        Identity::reload(..), or take the key away";
            return Err(stop("RI037", text.into()));
        }
        refuse_or_report(doctor::examine(&settings, &around))?;
        let names = rocket.state::<Names>().ok_or_else(|| stop("RI011", "no names".into()))?;
        if !names.take(&self.name) || Core::of::<U, _>(rocket).is_some() {
            let text = format!(
                "Identity::<{}> is attached twice, or another fairing has its name {:?}; attach \
                 one for each user type and give all but one a name: .named(\"admin\")",
                type_name::<U>(),
                &*self.name,
            );
            return Err(stop("RI011", text));
        }
        #[cfg(feature = "password")]
        password::check(rocket, self.hooks.as_ref()).map_err(one)?;
        let salt = secret::random_bytes().map_err(|error| stop("RI009", error.to_string()))?;
        let clock = clock(rocket);
        let cookie = |kind| CredentialCookie::new(&settings.cookie, &self.name, kind, &around);
        let opened = backend.open(&settings, &clock).await.map_err(one)?;
        refuse_or_report(opened.findings)?;
        let rules = Rules::of(&settings.throttle)
            .ok_or_else(|| stop("RI009", "identity.throttle has no valid quota".into()))?;
        let throttle = Service::new(
            self.name.clone(),
            opened.throttle,
            opened.in_process,
            clock.clone(),
            rules,
        );
        let mode = match self.kind {
            Credentials::Sessions => {
                let store = opened.sessions;
                #[cfg(test)]
                let store = self.store.clone().unwrap_or(store);
                Mode::Sessions(SessionMode {
                    cookie: cookie("session"),
                    sessions: session::Service::new(store, clock.clone(), settings.session.clone())
                        .named(self.name.clone()),
                    store: around.remote.map_or("memory", |_| "Redis"),
                })
            }
            #[cfg(feature = "jwt")]
            Credentials::Tokens => {
                let opened = TokenMode::open(&settings.jwt, cookie("access"), &around, &clock);
                let (mode, findings) = opened.await?;
                refuse_or_report(findings)?;
                names.claim(&self.name, &mode.policy).map_err(one)?;
                Mode::Tokens(mode)
            }
        };
        Ok(Core {
            name: self.name.clone(),
            mode,
            throttle,
            device: cookie("device"),
            pending: cookie("pending"),
            reload: self.reload.clone(),
            client_told: Told::default(),
            events: Events::new(self.name.clone(), salt, self.listener.clone()),
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
            Ok(core) => {
                #[cfg(feature = "password")]
                {
                    let settings = &core.settings.password;
                    rocket = password::install(rocket, settings, self.hooks.as_ref());
                }
                Ok(core.install::<U>(rocket))
            }
            Err(findings) => {
                report(&findings);
                Err(rocket)
            }
        }
    }

    async fn on_liftoff(&self, rocket: &Rocket<Orbit>) {
        if let Some(names) = rocket.state::<Names>() {
            report(&names.unread(&self.name, rocket.figment()));
        }
        if let Some(core) = Core::of::<U, _>(rocket) {
            tracing::info!(
                target: "rocket_identity",
                "identity: {} goes by {}",
                type_name::<U>(),
                core.describe(),
            );
        }
    }

    async fn on_request(&self, request: &mut Request<'_>, _: &mut Data<'_>) {
        // Only a session's user is as old as the request: a token is what it is.
        if let Some(core) = Core::with_sessions::<U, _>(request.rocket()) {
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
            headers::complete(core, visit, request, response);
        }
        headers::retry_later(request, response);
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
    sessions: bool,
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
        sessions,
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
