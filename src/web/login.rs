//! src/web/login.rs: a login about to begin, and one that has begun.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use super::attempt::Door;
use super::auth::Auth;
use crate::error::Error;
#[cfg(feature = "jwt")]
use crate::jwt::Tokens;
use crate::session::Session;
use crate::user::User;

/// A login about to begin, made by [`Auth::begin`] or
/// [`Attempt::begin`](super::Attempt::begin); `.await` it.
#[must_use = "nothing happens until it is awaited"]
pub struct Begin<'a, 'r, U> {
    auth: &'a Auth<'r, U>,
    user: U,
    remembered: bool,
    /// What the throttle is to hear of it.
    door: Door,
}

/// A login that has begun.
#[derive(Clone, Debug)]
pub struct Login {
    session: Option<Session>,
    #[cfg(feature = "jwt")]
    tokens: Option<Tokens>,
}

impl Login {
    pub(super) fn of_session(session: Session) -> Self {
        Login {
            session: Some(session),
            #[cfg(feature = "jwt")]
            tokens: None,
        }
    }

    #[cfg(feature = "jwt")]
    pub(super) fn of_tokens(tokens: Option<Tokens>) -> Self {
        Login { session: None, tokens }
    }

    /// The new session, where the fairing goes by sessions.
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// The new access token, for a client that keeps its own: where the fairing goes by tokens and
    /// takes them as a bearer. With `identity.jwt.transport = "cookie"` it is in the cookie alone, so
    /// that no answer shows it to a script.
    #[cfg(feature = "jwt")]
    #[cfg_attr(docsrs, doc(cfg(feature = "jwt")))]
    pub fn tokens(&self) -> Option<&Tokens> {
        self.tokens.as_ref()
    }
}

impl<'a, 'r, U: User> Begin<'a, 'r, U> {
    pub(super) fn new(auth: &'a Auth<'r, U>, user: U, door: Door) -> Self {
        Begin { auth, user, remembered: false, door }
    }

    /// Whose login it is: whether it must wait for a second factor is for their account to say.
    pub fn user(&self) -> &U {
        &self.user
    }

    /// Whether the user stays logged in when the browser closes: the cookie then lives for
    /// `identity.session.remember`, and the session has no idle limit (OWASP: opt-in only). The
    /// cookie of a token lives as long as the token.
    pub fn remember(mut self, remember: bool) -> Self {
        self.remembered = remember;
        self
    }

    /// The login waits for a second factor, `step`: nobody is logged in until
    /// [`Auth::confirm`](crate::Auth::confirm) is done, by the same browser within ten minutes. Until then
    /// no session begins or ends, no user is written, and the throttle hears of no success. At most
    /// five wait for one user.
    ///
    /// ```
    /// # use rocket::{post, response::Redirect};
    /// # use rocket_identity::{Auth, Error, User, UserId};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Clone, Serialize, Deserialize)]
    /// # struct Account { id: u64 }
    /// # impl User for Account { fn id(&self) -> UserId { self.id.into() } }
    /// # async fn check() -> Account { Account { id: 1 } }
    /// #[post("/login")]
    /// async fn login(auth: Auth<'_, Account>) -> Result<Redirect, Error> {
    ///     let attempt = auth.attempt("ada").await?;
    ///     let account = check().await; // the password was right
    ///     attempt.begin(account).pending("authenticator").await?;
    ///     Ok(Redirect::to("/second-factor"))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Auth::login`](crate::Auth::login); 501 (`cannot_confirm`) where the fairing goes by
    /// tokens.
    pub async fn pending(self, step: &str) -> Result<(), Error> {
        self.auth.wait(self.user, self.remembered, step, &self.door).await
    }

    /// The user proved by other means than a password that the account of this name is theirs: a
    /// reset, a sign-up, another provider. The throttle empties the account's bucket and knows this
    /// browser from now on, so that nobody who guesses at the account can lock the user out of it.
    ///
    /// ```
    /// # use rocket::post;
    /// # use rocket_identity::{Auth, Error, User, UserId};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Clone, Serialize, Deserialize)]
    /// # struct Account { id: u64, name: String }
    /// # impl User for Account { fn id(&self) -> UserId { self.id.into() } }
    /// # async fn by_link() -> Account { Account { id: 1, name: "ada".into() } }
    /// #[post("/reset")]
    /// async fn reset(auth: Auth<'_, Account>) -> Result<(), Error> {
    ///     let account = by_link().await; // the link of a mail was good, the new password is stored
    ///     let name = account.name.clone();
    ///     auth.forget_devices(&name).await?; // a stolen device is a stranger again
    ///     auth.begin(account).known_as(&name).await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn known_as(mut self, name: &str) -> Self {
        self.door = Door::Vouched(self.auth.core().throttle.account(name));
        self
    }
}

impl<'a, U: User> IntoFuture for Begin<'a, '_, U> {
    type Output = Result<Login, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let login = self.auth.carry_out(self.user, self.remembered).await?;
            self.auth.passed(&self.door).await;
            Ok(login)
        })
    }
}
