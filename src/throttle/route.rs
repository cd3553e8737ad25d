//! src/throttle/route.rs: a quota of its own for any route.

use std::marker::PhantomData;
use std::net::IpAddr;

use super::{AccountKey, AddressKey, Quota, Service, TakeKey};
use crate::error::{Denied, Error, Reason};
use crate::event::{Event, Events};

/// Limits what a route may be asked for: reset mails, sign-ups, expensive searches. `U` only says
/// whose fairing counts. Quotas are constants: each one that differs has a bucket of its own.
///
/// # As a request guard
///
/// * **Succeeds** for every request that may act.
/// * **Forwards** never.
/// * **Fails** with 403 (`cross_origin`) where an unsafe request comes from another site, so that no
///   foreign page spends a visitor's quota, unless a valid bearer token authenticates it; with 500
///   (`fairing_missing`) where no fairing for `U` is attached.
///
/// ```
/// # use std::time::Duration;
/// # use rocket::{form::Form, post, FromForm};
/// # use rocket_identity::{Error, User, UserId};
/// # use rocket_identity::throttle::{Quota, Throttle};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Clone, Serialize, Deserialize)]
/// # struct Account { id: u64 }
/// # impl User for Account { fn id(&self) -> UserId { self.id.into() } }
/// # #[derive(FromForm)]
/// # struct Forgot<'r> { username: &'r str }
/// /// Three mails an hour for one account; for one address, thirty.
/// const MAILS: Quota = Quota::new(3, Duration::from_secs(20 * 60)).unwrap();
/// const SENDER: Quota = Quota::new(30, Duration::from_secs(2 * 60)).unwrap();
///
/// #[post("/forgot", data = "<form>")]
/// async fn forgot(throttle: Throttle<'_, Account>, form: Form<Forgot<'_>>) -> Result<(), Error> {
///     throttle.by_address("reset", SENDER).await?;
///     throttle.by_account("reset", form.username, MAILS).await?;
///     // ...
///     Ok(())
/// }
/// ```
pub struct Throttle<'r, U> {
    service: &'r Service,
    events: &'r Events,
    address: IpAddr,
    /// Notes a refusal for whoever completes the response.
    note: Box<dyn Fn(&Denied) + Send + Sync + 'r>,
    user: PhantomData<fn() -> U>,
}

impl<'r, U> Throttle<'r, U> {
    pub(crate) fn new(
        service: &'r Service,
        events: &'r Events,
        address: IpAddr,
        note: impl Fn(&Denied) + Send + Sync + 'r,
    ) -> Self {
        Throttle { service, events, address, note: Box::new(note), user: PhantomData }
    }

    /// Charges one to the account of this name, whoever asks; the name is normalised as for a login
    /// (white space around it and its case do not count) and need not exist. It is no bucket of the
    /// login's: nobody shuts that by asking here. Whoever asks in somebody's name does use up this quota
    /// of that name, so let the answer be the same whether it was refused or not.
    ///
    /// # Errors
    ///
    /// 429 (`too_many_attempts`) with `Retry-After`, where the quota is used up.
    pub async fn by_account(&self, route: &str, name: &str, quota: Quota) -> Result<(), Error> {
        let account: AccountKey = self.service.account(name);
        self.take(route, &TakeKey::of(route, &account), quota).await
    }

    /// Charges one to the client's address: an IPv4 address, or the /64 of an IPv6 one.
    ///
    /// # Errors
    ///
    /// 429 (`too_many_attempts`) with `Retry-After`, where the quota is used up.
    pub async fn by_address(&self, route: &str, quota: Quota) -> Result<(), Error> {
        self.take(route, &TakeKey::of(route, &AddressKey::of(self.address)), quota).await
    }

    async fn take(&self, route: &str, key: &TakeKey, quota: Quota) -> Result<(), Error> {
        let decision = self.service.take(key, quota).await;
        if let Some(cause) = &decision.failure {
            self.tell(Event::new(Event::THROTTLE_FAILED).cause(cause));
        }
        match decision.verdict.rate_limit(route) {
            None => Ok(()),
            Some(limit) => {
                let code = Reason::TooManyAttempts.code();
                self.tell(Event::new(Event::THROTTLED).reason(code).cause(&limit.policy));
                let error = Error::too_many(limit, self.service.fairing().clone());
                (self.note)(error.denied());
                Err(error)
            }
        }
    }

    fn tell(&self, event: Event) {
        self.events.emit(event.address(Some(self.address)));
    }
}
