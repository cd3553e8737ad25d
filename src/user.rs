//! src/user.rs: all that the crate asks of an application's user.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(feature = "jwt")]
use crate::claims::Claims;

/// An application's user, as a guard hands it to a handler.
///
/// What [`login`](crate::Auth::login) was given is kept by the crate as JSON, once per user, and
/// handed out again by each guard: no query of the application's tables per request. So keep it
/// small (an id, a name, a role), and put nothing in it that a store must not hold, such as a
/// password hash. It describes the user, not the login.
///
/// ```
/// use rocket_identity::{User, UserId};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct Account {
///     id: u64,
///     name: String,
/// }
///
/// impl User for Account {
///     fn id(&self) -> UserId {
///         self.id.into()
///     }
/// }
/// ```
pub trait User: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The version of this type's stored form.
    ///
    /// Raise it when a stored user of the last release can no longer be read, or would be read
    /// wrongly: sessions and tokens whose user has another version end as if they had expired.
    const VERSION: u32 = 1;

    /// What names this user for good: a primary key, not a name or an address that may change.
    fn id(&self) -> UserId;

    /// The user that a verified token speaks of; `None` where it speaks of none that can be read,
    /// and then the token is refused.
    ///
    /// Our own tokens carry the user in the claim `user`, which is what this reads as provided.
    /// Override it for tokens that another issuer makes:
    ///
    /// ```
    /// # use rocket_identity::jwt::Claims;
    /// # use rocket_identity::{User, UserId};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Clone, Serialize, Deserialize)]
    /// # struct Account { id: String, name: String }
    /// # impl User for Account {
    /// #     fn id(&self) -> UserId { self.id.as_str().into() }
    /// fn from_claims(claims: &Claims) -> Option<Self> {
    ///     Some(Account { id: claims.subject().to_owned(), name: claims.get("name")? })
    /// }
    /// # }
    /// ```
    #[cfg(feature = "jwt")]
    #[cfg_attr(docsrs, doc(cfg(feature = "jwt")))]
    fn from_claims(claims: &Claims) -> Option<Self> {
        // A token that another release of the application made may hold another user.
        if claims.user_version() != Self::VERSION {
            return None;
        }
        claims.get("user")
    }
}

/// Names a user of one application; made from an integer or a string by `into()`.
///
/// From 1 to 255 bytes long: a login with any other fails with the code `invalid_user_id`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UserId(Box<str>);

impl UserId {
    /// From whatever prints as the id, such as a UUID.
    pub fn new(id: impl ToString) -> Self {
        UserId(id.to_string().into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_valid(&self) -> bool {
        (1..=255).contains(&self.0.len())
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for UserId {
    fn from(id: &str) -> Self {
        UserId(id.into())
    }
}

impl From<String> for UserId {
    fn from(id: String) -> Self {
        UserId(id.into())
    }
}

macro_rules! from_integers {
    ($($integer:ty),*) => {$(
        impl From<$integer> for UserId {
            fn from(id: $integer) -> Self {
                UserId::new(id)
            }
        }
    )*};
}

from_integers!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);
