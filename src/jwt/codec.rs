//! src/jwt/codec.rs: a signed token in its compact form (RFC 7515 section 7.1): made, and refused for
//! whatever is wrong with it. A key decides the algorithm; the header only says which key.

use std::sync::Arc;
use std::time::Duration;

use super::algorithm::Algorithm;
use super::header::Header;
use super::keyset::KeySet;
use super::payload;
use crate::claims::Claims;
use crate::clock::Time;
use crate::secret;

mod mint;

pub use mint::{MintError, NewClaims, mint};

/// A longer token is refused before anything is done with it, whatever the policy says.
pub const MAX_BYTES: usize = 8192;
const MAX_LEEWAY: Duration = Duration::from_secs(60);
/// Of an RSA key of 8192 bits.
const MAX_SIGNATURE: usize = 1024;

/// What a token must say, besides being signed by one of our keys.
#[derive(Clone, Debug)]
pub struct Policy {
    /// `iss`, byte for byte.
    pub issuer: Arc<str>,
    /// One of them must be in the token's `aud`.
    pub audience: Vec<String>,
    /// How far clocks may differ; more than 60 s counts as 60 s.
    pub leeway: Duration,
    /// At most [`MAX_BYTES`].
    pub max_bytes: usize,
    /// The longest time between `iat` and `exp`.
    pub max_ttl: Duration,
}

/// Why a token is refused; for the event, never for the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flaw {
    /// Longer than the policy allows.
    TooLong,
    /// Not three parts of canonical base64url.
    Malformed,
    /// The header is no object of distinct members, or `alg` or `kid` is missing or no string.
    Header,
    /// `crit`: we implement no extension.
    Critical,
    /// The header names a key, a chain or an encryption.
    ForbiddenHeader,
    /// `typ` is not an access token's.
    Type,
    /// No live key has this `kid`.
    UnknownKey,
    /// `alg` is not the key's.
    Algorithm,
    Signature,
    /// The claims are no object of distinct members.
    Claims,
    Issuer,
    Audience,
    Subject,
    /// `jti` missing, empty, too long or no string.
    TokenId,
    /// `scope` is no string.
    Scope,
    /// `exp` missing or no sensible integer.
    Expiry,
    /// `iat` missing or no sensible integer.
    IssuedAt,
    /// `nbf` is no sensible integer.
    NotBefore,
    /// `exp` is too far from `iat`, or not after it.
    Lifetime,
    Expired,
    /// `iat` or `nbf` lies in the future.
    NotYetValid,
}

/// The claims of a token that one of `keys` signed and that `policy` lets pass.
///
/// Size comes before any work, shape before the header, the header before the signature, the
/// signature before the claims: nothing of a token is believed before it is signed.
pub fn verify(token: &str, keys: &KeySet, policy: &Policy, now: Time) -> Result<Claims, Flaw> {
    if token.len() > policy.max_bytes.min(MAX_BYTES) {
        return Err(Flaw::TooLong);
    }
    let parts = Parts::of(token).ok_or(Flaw::Malformed)?;
    let mut space = [0; MAX_SIGNATURE];
    let signature = parts.signature(&mut space).ok_or(Flaw::Malformed)?;
    let payload = secret::decode_all(parts.payload).ok_or(Flaw::Malformed)?;
    // The header that we write for a key stands for itself; any other is read.
    let key = match keys.find_by_header(parts.header, now) {
        Some(key) => key,
        None => {
            let json = secret::decode_all(parts.header).ok_or(Flaw::Malformed)?;
            let header = Header::read(&json)?;
            let key = keys.find(&header.kid, now).ok_or(Flaw::UnknownKey)?;
            if Algorithm::parse(&header.algorithm) != Some(key.algorithm()) {
                return Err(Flaw::Algorithm);
            }
            key
        }
    };
    if !key.verify(parts.signed, signature) {
        return Err(Flaw::Signature);
    }
    let text = String::from_utf8(payload).map_err(|_| Flaw::Claims)?;
    Claims::read(text, |text| payload::read(text, policy, now))
}

/// The three parts, not empty; their alphabet is for whoever decodes them.
struct Parts<'t> {
    header: &'t [u8],
    payload: &'t [u8],
    signature: &'t [u8],
    /// Header, dot and payload: what is signed.
    signed: &'t [u8],
}

impl<'t> Parts<'t> {
    fn of(token: &'t str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        // A dot in the payload would be no base64url.
        let (header, payload) = signed.split_once('.')?;
        let none_empty = !header.is_empty() && !payload.is_empty() && !signature.is_empty();
        none_empty.then_some(Parts {
            header: header.as_bytes(),
            payload: payload.as_bytes(),
            signature: signature.as_bytes(),
            signed: signed.as_bytes(),
        })
    }

    fn signature<'s>(&self, space: &'s mut [u8; MAX_SIGNATURE]) -> Option<&'s [u8]> {
        let length = self.signature.len() / 4 * 3 + (self.signature.len() % 4).saturating_sub(1);
        let bytes = space.get_mut(..length)?;
        secret::decode(self.signature, bytes).then_some(&*bytes)
    }
}

impl Policy {
    /// With a leeway of 5 s and a lifetime of at most a day.
    pub fn new(issuer: &str, audience: Vec<String>) -> Self {
        Policy {
            issuer: issuer.into(),
            audience,
            leeway: Duration::from_secs(5),
            max_bytes: MAX_BYTES,
            max_ttl: Duration::from_secs(24 * 60 * 60),
        }
    }

    pub(super) fn leeway(&self) -> Duration {
        self.leeway.min(MAX_LEEWAY)
    }
}

impl Flaw {
    /// A stable name, for the event.
    pub fn code(self) -> &'static str {
        match self {
            Flaw::TooLong => "too_long",
            Flaw::Malformed => "malformed",
            Flaw::Header => "header",
            Flaw::Critical => "crit",
            Flaw::ForbiddenHeader => "forbidden_header",
            Flaw::Type => "typ",
            Flaw::UnknownKey => "unknown_key",
            Flaw::Algorithm => "alg",
            Flaw::Signature => "signature",
            Flaw::Claims => "claims",
            Flaw::Issuer => "iss",
            Flaw::Audience => "aud",
            Flaw::Subject => "sub",
            Flaw::TokenId => "jti",
            Flaw::Scope => "scope",
            Flaw::Expiry => "exp",
            Flaw::IssuedAt => "iat",
            Flaw::NotBefore => "nbf",
            Flaw::Lifetime => "lifetime",
            Flaw::Expired => "expired",
            Flaw::NotYetValid => "not_yet_valid",
        }
    }

    /// The one reason that a client is told, for it can do something about it.
    pub fn is_expired(self) -> bool {
        self == Flaw::Expired
    }
}
