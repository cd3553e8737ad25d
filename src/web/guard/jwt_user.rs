//! src/web/guard/jwt_user.rs: there is a user, and a signed token proves it.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use rocket::request::{FromRequest, Outcome, Request};
use rocket::{Ignite, Rocket, Sentinel};

use crate::error::{Denied, Error, Reason};
use crate::jwt::Claims;
use crate::user::User;
use crate::web::core::{Core, is_missing};
use crate::web::outcome;
use crate::web::resolve::resolve_token;
use crate::web::visit::{Current, Resolved, Visit};

/// The user of a valid access token; dereferences to the application's own type.
///
/// The token comes from `Authorization: Bearer` or from the cookie `__Host-access`, as
/// `identity.jwt.transport` says. A bearer decides where there is one; a cookie beside it is no
/// second credential.
///
/// * **Succeeds** where the token is signed by one of our keys, for us, by our issuer, and lives, and
///   [`User::from_claims`] finds a user in it.
/// * **Forwards** with 401 where there is no token (`unauthenticated`), or one in a cookie that is no
///   good or is there twice (`invalid_token`).
/// * **Fails** with 401 (`invalid_token`) for a bearer token that is no good; with 400
///   (`invalid_request`) for two `Authorization` fields, or one that does not hold one token; with
///   403 (`cross_origin`) where an unsafe request with the cookie comes from another site; with 500
///   (`fairing_missing`) where no token fairing for `U` is attached.
///
/// It asks no store and no network.
///
/// ```
/// # use rocket::get;
/// # use rocket_identity::{Error, JwtUser, User, UserId};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Clone, Serialize, Deserialize)]
/// # struct Account { id: u64, name: String }
/// # impl User for Account { fn id(&self) -> UserId { self.id.into() } }
/// #[get("/api/name")]
/// fn name(user: JwtUser<Account>) -> String {
///     user.name.clone()
/// }
/// ```
pub struct JwtUser<U> {
    current: Arc<Current<U>>,
    claims: Arc<Claims>,
    fairing: Arc<str>,
}

impl<U: User> JwtUser<U> {
    /// The user by value.
    pub fn into_inner(self) -> U {
        self.current.user.clone()
    }

    /// What the token says.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Goes on where the token has this scope, byte for byte.
    ///
    /// # Errors
    ///
    /// 403 (`insufficient_scope`) with the challenge of RFC 6750 section 3.1, where it has not.
    ///
    /// ```
    /// # use rocket::delete;
    /// # use rocket_identity::{Error, JwtUser, User, UserId};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Clone, Serialize, Deserialize)]
    /// # struct Account { id: u64 }
    /// # impl User for Account { fn id(&self) -> UserId { self.id.into() } }
    /// #[delete("/api/notes/<id>")]
    /// fn delete(user: JwtUser<Account>, id: u64) -> Result<(), Error> {
    ///     user.require_scope("notes:write")?;
    ///     // ...
    ///     Ok(())
    /// }
    /// ```
    pub fn require_scope(&self, scope: &str) -> Result<(), Error> {
        match self.claims.has_scope(scope) {
            true => Ok(()),
            false => Err(Error::insufficient_scope(scope, self.fairing.clone())),
        }
    }
}

impl<U> Deref for JwtUser<U> {
    type Target = U;

    fn deref(&self) -> &U {
        &self.current.user
    }
}

impl<U: fmt::Debug> fmt::Debug for JwtUser<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JwtUser").field(&self.current.user).finish()
    }
}

#[rocket::async_trait]
impl<'r, U: User> FromRequest<'r> for JwtUser<U> {
    type Error = Denied;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Denied> {
        let Some(core) = Core::with_tokens::<U, _>(request.rocket()) else {
            return outcome::missing(request);
        };
        match resolve_token(core, Visit::of(core, request)) {
            Some(Resolved::User(current)) => match current.proof.claims() {
                Some(claims) => Outcome::Success(JwtUser {
                    current: current.clone(),
                    claims: claims.clone(),
                    fairing: core.name.clone(),
                }),
                None => outcome::forward(core, request, Reason::Unauthenticated),
            },
            Some(Resolved::Anonymous(reason)) => outcome::forward(core, request, *reason),
            Some(Resolved::Refused(reason)) => outcome::error(core, request, *reason),
            None => outcome::missing(request),
        }
    }
}

impl<U: User> Sentinel for JwtUser<U> {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        is_missing::<U>("JwtUser", "jwt", Core::with_tokens::<U, _>(rocket), rocket)
    }
}
