//! src/web/attempt.rs: a login from the door on: asked of the throttle before anything is looked at, and
//! told to it when it succeeded.

use super::auth::Auth;
use super::client;
use super::core::Mode;
use super::login::{Begin, Login};
use crate::error::{Error, Failure, Reason};
use crate::event::Event;
use crate::secret::Secret;
use crate::throttle::{self, AddressKey, DEVICE_LIFE, Decision};
use crate::user::User;

/// An attempt to log in that the throttle has let through, made by [`Auth::attempt`].
///
/// It was counted as a failure, and is one unless a login begins from it.
#[must_use = "an attempt without a login counts as a failure"]
pub struct Attempt<'a, 'r, U> {
    auth: &'a Auth<'r, U>,
    counted: Counted,
}

/// What was asked, and what was answered.
pub struct Counted {
    attempt: throttle::Attempt,
    decision: Decision,
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
        Begin::new(self.auth, user, Some(self.counted))
    }
}

impl<'r, U: User> Auth<'r, U> {
    /// The door of every login: asks whether an attempt at the account of this name may be made at
    /// all, and counts it, before any password is looked at. The name need not exist.
    ///
    /// White space around the name and its case do not count. Where you take more spellings for one
    /// account, hand in the one that you look up.
    ///
    /// ```
    /// # use rocket::{form::Form, post, State, FromForm};
    /// # use rocket_identity::{Auth, Error, User, UserId};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Clone, Serialize, Deserialize)]
    /// # struct Account { id: u64 }
    /// # impl User for Account { fn id(&self) -> UserId { self.id.into() } }
    /// # #[derive(FromForm)]
    /// # struct Typed<'r> { username: &'r str, password: &'r str }
    /// # async fn check(_: &Typed<'_>) -> Result<Option<Account>, Error> { Ok(None) }
    /// #[post("/login", data = "<form>")]
    /// async fn login(auth: Auth<'_, Account>, form: Form<Typed<'_>>) -> Result<&'static str, Error> {
    ///     let attempt = auth.attempt(form.username).await?;
    ///     // Find the account and check the password here, at the same cost whether it exists or not.
    ///     let Some(account) = check(&form).await? else {
    ///         return Ok("That name and password do not belong together.");
    ///     };
    ///     attempt.login(account).await?;
    ///     Ok("Welcome.")
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// 503 (`store_unavailable`) where the login could not be kept anyway, before anything else;
    /// 429 (`too_many_attempts`) with `Retry-After`, for the right password too. Answer it with
    /// these statuses and the fields are on the response, whatever page you show.
    pub async fn attempt(&self, name: &str) -> Result<Attempt<'_, 'r, U>, Error> {
        let core = self.core();
        let sessions = match &core.mode {
            Mode::Sessions(mode) => Some(&mode.sessions),
            #[cfg(feature = "jwt")]
            Mode::Tokens(_) => None,
        };
        if sessions.is_some_and(|sessions| sessions.is_away()) {
            let failure = Failure::unavailable("the store of sessions is away");
            return Err(self.refused(self.failed(failure)));
        }
        let device = match core.mode.cookie() {
            Some(_) => core.device.read_secret(self.request()),
            None => None,
        };
        let attempt = throttle::Attempt {
            account: core.throttle.account(name),
            address: AddressKey::of(client::address(core, self.request())),
            device: device.map(|device| device.digest()),
        };
        let decision = core.throttle.attempt(&attempt).await;
        if let Some(cause) = &decision.failure {
            self.tell(Event::new(Event::THROTTLE_FAILED).cause(cause));
            // The same server that did not count: does it answer at all?
            if let Some(sessions) = sessions
                && !sessions.answers().await
            {
                let failure = Failure::unavailable("the store of sessions does not answer");
                return Err(self.refused(self.failed(failure)));
            }
        }
        match decision.verdict.rate_limit("") {
            None => Ok(Attempt { auth: self, counted: Counted { attempt, decision } }),
            Some(limit) => {
                let code = Reason::TooManyAttempts.code();
                self.tell(Event::new(Event::THROTTLED).reason(code).cause(&limit.policy));
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

    /// The attempt succeeded. A device that is not known becomes so, under a cookie of our making:
    /// one that a client chose might be known to others too.
    pub(super) async fn succeeded(&self, counted: &Counted) {
        let Counted { attempt, decision } = counted;
        let core = self.core();
        // What this process alone knows of a device would take the place of what the store knows.
        let may_meet = decision.failure.is_none() && !decision.known_device;
        let device = match core.mode.cookie() {
            Some(_) if may_meet => Secret::<32>::random().ok(),
            _ => None,
        };
        let digest = device.as_ref().map(Secret::digest);
        match core.throttle.succeeded(attempt, decision, digest.as_ref()).await {
            Ok(()) => {
                if let Some(device) = device {
                    let life = std::time::Duration::from_millis(DEVICE_LIFE);
                    self.put_cookie(&core.device, core.device.set(&device.reveal(), Some(life)));
                }
            }
            Err(cause) => self.tell(Event::new(Event::THROTTLE_FAILED).cause(&cause)),
        }
    }
}
