//! src/jwt.rs: JSON Web Tokens that are signed (RFC 7519, RFC 7515) and used as access tokens
//! (RFC 9068), and the keys that sign and verify them (RFC 7517, RFC 7518).
//!
//! What is ours: size, shape, header, the binding of a key to one algorithm, claims. What is the
//! token library's: the primitive, behind `jwt/key`.

pub(crate) mod algorithm;
pub(crate) mod codec;
mod header;
pub(crate) mod json;
pub(crate) mod jwks;
pub(crate) mod key;
pub(crate) mod keyset;
mod payload;
pub(crate) mod source;
mod tokens;

pub use self::tokens::Tokens;
pub use crate::claims::Claims;

/// The latest moment in seconds that a key or a token may name: the end of the year 9999.
pub(crate) const END_OF_TIME: u64 = 253_402_300_799;

#[cfg(test)]
mod tests;
