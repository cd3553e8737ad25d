//! src/web/authenticate.rs: the login flow as a whole: throttle, find, verify, rehash.

use std::future::Future;

use super::auth::Auth;
use super::login::Begin;
use crate::error::Error;
use crate::password::Passwords;
use crate::user::User;

/// The application's table of accounts, as [`Auth::authenticate`] asks it.
pub trait Accounts<U>: Sync {
    /// What a question to the table can fail with. An `Error` of this crate becomes one, so that
    /// `?` works in the handler.
    type Error: From<Error> + Send;

    /// The account of this name, which comes without white space around it and in lower case (names
    /// must be unique in that form), with its stored hash, which [`Passwords::hash`] made or
    /// [`Hooks::foreign`](crate::password::Hooks::foreign) knows. It should take as long for a name
    /// that does not exist: an index does.
    fn find(
        &self,
        name: &str,
    ) -> impl Future<Output = Result<Option<(U, String)>, Self::Error>> + Send;

    /// Stores a new hash in the place of `old`, and only of that:
    /// `UPDATE .. SET hash = new WHERE id = .. AND hash = old`, so that a password that was changed
    /// meanwhile stays changed. Where it fails, tell your log: the password is right all the same.
    fn replace_hash(&self, user: &U, old: &str, new: &str) -> impl Future<Output = ()> + Send;
}

impl<'r, U: User> Auth<'r, U> {
    /// The whole way of a login with a password: whether it could be kept, the throttle, the
    /// account, its password, a new hash where one is due. A name that does not exist costs what a
    /// wrong password does.
    ///
    /// `None`: name and password do not belong together, and nobody is told which of them is wrong.
    /// Otherwise await what is returned, with or without options, and the user is logged in.
    ///
    /// ```
    /// # use rocket::{form::{self, Form}, http::Status, post, State, FromForm};
    /// # use rocket_identity::{auth::Accounts, password::Passwords, Auth, Error, User, UserId};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Clone, Serialize, Deserialize)]
    /// # struct Account { id: u64 }
    /// # impl User for Account { fn id(&self) -> UserId { self.id.into() } }
    /// # struct Table;
    /// # impl Accounts<Account> for Table {
    /// #     type Error = Error;
    /// #     async fn find(&self, _: &str) -> Result<Option<(Account, String)>, Error> { Ok(None) }
    /// #     async fn replace_hash(&self, _: &Account, _: &str, _: &str) {}
    /// # }
    /// # #[derive(FromForm)]
    /// # struct Typed<'r> { username: &'r str, password: &'r str }
    /// // As a `Result` the form cannot fail, so Rocket does not log what was typed into it.
    /// #[post("/login", data = "<form>")]
    /// async fn login(
    ///     auth: Auth<'_, Account>,
    ///     table: &State<Table>,
    ///     passwords: &State<Passwords>,
    ///     form: form::Result<'_, Form<Typed<'_>>>,
    /// ) -> Result<Status, Error> {
    ///     let Ok(typed) = form else { return Ok(Status::UnprocessableEntity) };
    ///     match auth.authenticate(&**table, passwords, typed.username, typed.password).await? {
    ///         Some(login) => login.remember(true).await.map(|_| Status::NoContent),
    ///         None => Ok(Status::Unauthorized),
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`attempt`](Auth::attempt), of [`Passwords::verify`] and of the table.
    pub async fn authenticate<A: Accounts<U>>(
        &self,
        accounts: &A,
        passwords: &Passwords,
        name: &str,
        password: &str,
    ) -> Result<Option<Begin<'_, 'r, U>>, A::Error> {
        let attempt = self.attempt(name).await?;
        let found = match accounts.find(attempt.name()).await {
            Ok(found) => found,
            Err(error) => {
                attempt.undo().await;
                return Err(error);
            }
        };
        let verdict = match &found {
            Some((_, stored)) => passwords.verify(password, stored).await.map(Some),
            None => passwords.verify_unknown(password).await.map(|()| None),
        };
        let verdict = match verdict {
            Ok(verdict) => verdict,
            Err(error) => {
                // Nothing was looked at: those who retry must not be locked out by a flood.
                if error.is_busy() {
                    attempt.undo().await;
                }
                return Err(Error::from(error).into());
            }
        };
        let (Some((user, stored)), Some(verdict)) = (found, verdict) else { return Ok(None) };
        if let Some(new) = verdict.new_hash() {
            accounts.replace_hash(&user, &stored, new).await;
        }
        Ok(verdict.is_right().then(|| attempt.begin(user)))
    }
}
