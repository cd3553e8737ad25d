//! src/web/attempt.rs: a login from the door on: asked of the throttle before anything is looked at, and
//! told to it when it succeeded.

use super::auth::Auth;
use super::client;
use super::device::Devices;
use super::login::{Begin, Login};
use crate::error::{Error, Failure, Reason};
use crate::event::Event;
use crate::secret::Digest;
use crate::throttle::{self, AccountKey, AddressKey, By};
use crate::user::User;

/// An attempt to log in that the throttle has let through, made by [`Auth::attempt`].
///
/// It was counted as a failure, and is one unless a login begins from it.
#[must_use = "an attempt without a login counts as a failure"]
pub struct Attempt<'a, 'r, U> {
    auth: &'a Auth<'r, U>,
    name: String,
    counted: Counted,
}

/// What was asked, and what was answered.
pub struct Counted {
    attempt: throttle::Attempt,
    by: By,
}

/// What the throttle is told of a login.
pub enum Door {
    /// Nothing.
    None,
    /// The attempt that it let through was right.
    Passed(Counted),
    /// The same, and a second factor came in another request.
    Waited(Counted),
    /// Another proof than a password brought the user in.
    Vouched(AccountKey),
}

/// What a login that waits for a second factor remembers of it; in the store no name is readable.
impl Door {
    pub fn note(&self) -> String {
        match self {
            Door::None => String::new(),
            Door::Passed(Counted { attempt, by }) | Door::Waited(Counted { attempt, by }) => {
                format!(
                    "{} {} {} {}",
                    attempt.account,
                    attempt.address,
                    u8::from(by.known_device),
                    u8::from(by.fallback),
                )
            }
            Door::Vouched(account) => account.to_string(),
        }
    }

    /// `device` is the one that the confirming request shows.
    pub fn read(note: &str, device: impl FnOnce(&AccountKey) -> Option<Digest>) -> Self {
        let words: Vec<_> = note.split(' ').collect();
        let account = words.first().and_then(|word| AccountKey::parse(word));
        match (account, &*words) {
            (Some(account), [_]) => Door::Vouched(account),
            (Some(account), [_, address, known, fallback]) => {
                let Some(address) = AddressKey::parse(address) else { return Door::None };
                let device = device(&account);
                // As it was when it was charged, whatever this request shows.
                let by = By { known_device: *known == "1", fallback: *fallback == "1" };
                Door::Waited(Counted {
                    attempt: throttle::Attempt { account, address, device },
                    by,
                })
            }
            _ => Door::None,
        }
    }
}

impl<'a, 'r, U: User> Attempt<'a, 'r, U> {
    /// The attempt was right: logs `user` in, as [`Auth::login`] does.
    ///
    /// # Errors
    ///
    /// Those of [`Auth::login`]; the attempt then stays a failure.
    pub async fn login(self, user: U) -> Result<Login, Error> {
        self.begin(user).await
    }

    /// The same with options: `attempt.begin(user).remember(true).await`.
    pub fn begin(self, user: U) -> Begin<'a, 'r, U> {
        Begin::new(self.auth, user, Door::Passed(self.counted))
    }

    /// The name as it was counted, without white space around it and in lower case. Look up this one:
    /// where `ADA` and `ada` were two accounts, the owner of one could guess at the other without end.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Nobody looked at the password: the table did not answer, or too many hashes were waiting. Takes
    /// back what the attempt cost, so that those who retry are not locked out.
    pub async fn undo(self) {
        let Counted { attempt, by } = &self.counted;
        if let Err(cause) = self.auth.core().throttle.undo(attempt, *by).await {
            self.auth.tell(Event::new(Event::THROTTLE_FAILED).cause(&cause));
        }
    }
}

impl<'r, U: User> Auth<'r, U> {
    /// The door of every login: asks whether an attempt at the account of this name may be made at
    /// all, and counts it, before any password is looked at. The name need not exist.
    ///
    /// White space around the name and its case do not count: look up [`Attempt::name`], and let names
    /// be unique in that form. Where you take more spellings for one account (without accents, without
    /// the dots of some mail addresses), hand in the one that you look up.
    ///
    /// ```
    /// # use rocket::{form::{self, Form}, http::Status, post, FromForm};
    /// # use rocket_identity::{Auth, Error, User, UserId};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Clone, Serialize, Deserialize)]
    /// # struct Account { id: u64 }
    /// # impl User for Account { fn id(&self) -> UserId { self.id.into() } }
    /// # #[derive(FromForm)]
    /// # struct Typed<'r> { username: &'r str, password: &'r str }
    /// # async fn check(_: &str, _: &str) -> Result<Option<Account>, Error> { Ok(None) }
    /// // As a `Result` the form cannot fail, so Rocket does not log what was typed into it.
    /// #[post("/login", data = "<form>")]
    /// async fn login(
    ///     auth: Auth<'_, Account>,
    ///     form: form::Result<'_, Form<Typed<'_>>>,
    /// ) -> Result<Status, Error> {
    ///     let Ok(form) = form else { return Ok(Status::UnprocessableEntity) };
    ///     let attempt = auth.attempt(form.username).await?;
    ///     // Find the account and check the password, at the same cost whether it exists or not.
    ///     let Some(account) = check(attempt.name(), form.password).await? else {
    ///         return Ok(Status::Unauthorized);
    ///     };
    ///     attempt.login(account).await?;
    ///     Ok(Status::NoContent)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// 503 (`store_unavailable`, `store_full`) where the login could not be kept anyway, before anything
    /// else;
    /// 429 (`too_many_attempts`) with `Retry-After`, for the right password too. Answer it with
    /// these statuses and the fields are on the response, whatever page you show.
    pub async fn attempt(&self, name: &str) -> Result<Attempt<'_, 'r, U>, Error> {
        let core = self.core();
        let sessions = core.mode.sessions().map(|mode| &mode.sessions);
        if let Some(sessions) = sessions {
            if sessions.is_away() {
                let failure = Failure::unavailable("the store of sessions is away");
                return Err(self.refused(self.failed(failure)));
            }
            // A login that ends a session takes its place.
            if sessions.is_full() && !self.presents_a_ticket() {
                return Err(self.refused(self.failed(Reason::StoreFull.into())));
            }
        }
        let name = throttle::normal(name);
        let attempt = self.throttle_attempt(core.throttle.account(&name));
        let decision = core.throttle.attempt(&attempt).await;
        if let Some(cause) = &decision.failure {
            self.tell_of_client(Event::new(Event::THROTTLE_FAILED).cause(cause));
            // The same server that did not count: does it answer at all?
            if let Some(sessions) = sessions
                && !sessions.answers().await
            {
                let failure = Failure::unavailable("the store of sessions does not answer");
                return Err(self.refused(self.failed(failure)));
            }
        }
        match decision.verdict.rate_limit("") {
            None => {
                Ok(Attempt { auth: self, name, counted: Counted { attempt, by: decision.by() } })
            }
            Some(limit) => {
                let code = Reason::TooManyAttempts.code();
                self.tell_of_client(Event::new(Event::THROTTLED).reason(code).cause(&limit.policy));
                Err(self.refused(Error::too_many(limit, core.name.clone())))
            }
        }
    }

    /// Knows no device of this account any longer, so that each is a stranger at its next login:
    /// after a password reset, or when a device was lost.
    ///
    /// # Errors
    ///
    /// 503 where the store does not answer: a stolen device may still have its own bucket.
    pub async fn forget_devices(&self, name: &str) -> Result<(), Error> {
        let core = self.core();
        let forgotten = core.throttle.forget_devices(&core.throttle.account(name)).await;
        forgotten.map_err(|cause| {
            self.failed(match cause {
                throttle::StoreError::NotReplicated => Reason::NotReplicated.into(),
                cause => Failure::unavailable(cause),
            })
        })
    }

    /// Tells the throttle of a login. A device that is not known becomes so, under a cookie of our
    /// making: one that a client chose might be known to others too.
    pub(super) async fn passed(&self, door: &Door) {
        let core = self.core();
        let read = |_| Devices::read(&core.device, self.request());
        let mut devices = core.mode.cookie().map(read);
        let told = match door {
            Door::None => return,
            Door::Passed(Counted { attempt, by }) | Door::Waited(Counted { attempt, by }) => {
                let device = match &mut devices {
                    // What this process alone knows must not take the place of what the store knows.
                    _ if by.fallback => None,
                    // What this request shows need not be what was known then.
                    Some(_) if by.known_device && matches!(door, Door::Waited(_)) => None,
                    Some(devices) if by.known_device => {
                        devices.used(&attempt.account);
                        attempt.device
                    }
                    Some(devices) => devices.renew(&attempt.account).ok(),
                    None => None,
                };
                let told = core.throttle.succeeded(attempt, *by, device).await;
                told.map(|()| device.is_some())
            }
            Door::Vouched(account) => {
                let attempt = self.throttle_attempt(*account);
                let device = devices.as_mut().and_then(|devices| devices.renew(account).ok());
                core.throttle.vouch(&attempt, device).await.map(|()| device.is_some())
            }
        };
        match (told, devices) {
            (Ok(true), Some(devices)) => self.put_cookie(&core.device, devices.set(&core.device)),
            (Ok(_), _) => {}
            (Err(cause), _) => {
                self.tell_of_client(Event::new(Event::THROTTLE_FAILED).cause(&cause));
            }
        }
    }

    /// The device by which this browser is known to the account.
    pub(super) fn device_of(&self, account: &AccountKey) -> Option<Digest> {
        let core = self.core();
        let devices = core.mode.cookie().map(|_| Devices::read(&core.device, self.request()));
        devices.and_then(|devices| devices.of(account))
    }

    fn throttle_attempt(&self, account: AccountKey) -> throttle::Attempt {
        let core = self.core();
        throttle::Attempt {
            account,
            address: AddressKey::of(client::address(core, self.request())),
            device: self.device_of(&account),
        }
    }

    pub(super) fn tell_of_client(&self, event: Event) {
        let client = client::known_address(self.core(), self.request());
        self.core().events.emit(event.address(client));
    }
}
