//! src/jwt/tokens.rs: what a login hands to a client that keeps its own tokens.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::ser::{Serialize, SerializeStruct, Serializer};
use zeroize::Zeroizing;

/// What a login hands to a client that keeps its own tokens (RFC 6749 section 5.1).
///
/// As JSON it is the answer of a token endpoint: `access_token`, `token_type` and `expires_in`.
/// `Debug` prints no token.
#[derive(Clone)]
pub struct Tokens {
    access: Arc<Zeroizing<String>>,
    expires_in: Duration,
}

impl Tokens {
    pub(crate) fn new(access: Zeroizing<String>, expires_in: Duration) -> Self {
        Tokens { access: Arc::new(access), expires_in }
    }

    /// The signed token, to be sent back as `Authorization: Bearer <token>`.
    pub fn access_token(&self) -> &str {
        &self.access
    }

    /// How long it is accepted from its making on, in whole seconds.
    pub fn expires_in(&self) -> Duration {
        self.expires_in
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

impl Serialize for Tokens {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut fields = to.serialize_struct("Tokens", 3)?;
        fields.serialize_field("access_token", self.access_token())?;
        fields.serialize_field("token_type", "Bearer")?;
        fields.serialize_field("expires_in", &self.expires_in.as_secs())?;
        fields.end()
    }
}
