//! src/jwt/codec/mint.rs: the tokens that we make, each with every claim of RFC 9068 that we know.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use super::MAX_BYTES;
use crate::clock::Time;
use crate::jwt::json;
use crate::jwt::key::{CannotSign, Key};
use crate::secret::{self, NoEntropy};

/// What a new token says.
#[derive(Clone, Copy)]
pub struct NewClaims<'c> {
    pub issuer: &'c str,
    /// One is written as a string, several as an array.
    pub audience: &'c [String],
    /// From 1 to 255 bytes.
    pub subject: &'c str,
    pub issued_at: Time,
    /// In whole seconds, at least one.
    pub ttl: Duration,
    /// Separated by spaces.
    pub scope: Option<&'c str>,
    /// JSON text.
    pub user: &'c str,
    /// Written unless it is 1.
    pub user_version: u32,
}

/// Why no token was made.
#[derive(Debug)]
pub enum MintError {
    /// The key verifies only, or could not sign.
    CannotSign,
    NoEntropy(NoEntropy),
    /// Empty, or longer than 255 bytes.
    Subject,
    /// No audience is configured.
    Audience,
    /// Not JSON, or JSON with two members of one name, which we would not read again.
    User,
    /// Over the size that we read; the user is too big.
    TooLong,
}

/// Signs a token: header `alg`, `typ` and `kid`, claims `iss`, `aud`, `sub`, `iat`, `exp`, `jti`,
/// `scope` where there is one, `user`, and `user_version` where it is not 1.
pub fn mint(signer: &Key, claims: &NewClaims<'_>) -> Result<Zeroizing<String>, MintError> {
    if !(1..=255).contains(&claims.subject.len()) {
        return Err(MintError::Subject);
    }
    if !json::is_strict(claims.user) {
        return Err(MintError::User);
    }
    let issued_at = claims.issued_at.millis() / 1000;
    let expires_at = issued_at.saturating_add(claims.ttl.as_secs().max(1));
    let id = secret::encode(&secret::random_bytes::<16>().map_err(MintError::NoEntropy)?);
    let payload = payload(claims, issued_at, expires_at, &id)?;

    let mut token = Zeroizing::new(String::with_capacity(1024 + payload.len() * 2));
    token.push_str(signer.header());
    token.push('.');
    token.push_str(&Zeroizing::new(secret::encode(payload.as_bytes())));
    let signature = signer.sign(token.as_bytes()).map_err(|CannotSign| MintError::CannotSign)?;
    token.push('.');
    token.push_str(&secret::encode(&signature));
    if token.len() > MAX_BYTES {
        return Err(MintError::TooLong);
    }
    Ok(token)
}

fn payload(
    claims: &NewClaims<'_>,
    issued_at: u64,
    expires_at: u64,
    id: &str,
) -> Result<Zeroizing<String>, MintError> {
    let audience = match claims.audience {
        [] => return Err(MintError::Audience),
        [one] => quoted(one),
        several => {
            let names: Vec<_> = several.iter().map(|name| quoted(name)).collect();
            format!("[{}]", names.join(","))
        }
    };
    let version = match claims.user_version {
        1 => String::new(),
        version => format!(r#","user_version":{version}"#),
    };
    let scope = claims.scope.map(|scope| format!(r#""scope":{},"#, quoted(scope)));
    Ok(Zeroizing::new(format!(
        r#"{{"iss":{},"aud":{audience},"sub":{},"iat":{issued_at},"exp":{expires_at},"jti":"{id}",{}"user":{}{version}}}"#,
        quoted(claims.issuer),
        quoted(claims.subject),
        scope.unwrap_or_default(),
        claims.user.trim(),
    )))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl fmt::Debug for NewClaims<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewClaims(..)")
    }
}

impl fmt::Display for MintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MintError::CannotSign => f.write_str("the key did not sign"),
            MintError::NoEntropy(error) => error.fmt(f),
            MintError::Subject => f.write_str("a user's id is from 1 to 255 bytes long"),
            MintError::Audience => f.write_str("a token without an audience is for nobody"),
            MintError::User => f.write_str("the user is no JSON with distinct member names"),
            MintError::TooLong => {
                write!(f, "the token is longer than {MAX_BYTES} bytes: keep the user small")
            }
        }
    }
}

impl std::error::Error for MintError {}
