//! src/config/jwt.rs: `[default.identity.jwt]`: keys, who makes tokens for whom, how long they live.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use figment::value::magic::RelativePathBuf;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::span;

/// What access tokens are made of and how they travel.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(default)]
pub struct Jwt {
    /// A directory of `<kid>.jwk` and `<kid>.pem`, read again while running.
    #[serde(deserialize_with = "path")]
    pub keys: Option<PathBuf>,
    /// Or a JSON Web Key Set itself, for secrets that come by environment.
    pub jwks: Option<Inline>,
    /// `iss` of every token that is made, and of every one that is taken.
    pub issuer: Option<String>,
    /// `aud` of every token that is made; one of them must be in every one that is taken.
    pub audience: Vec<String>,
    #[serde(deserialize_with = "span::read")]
    pub access_ttl: Duration,
    /// How far the clocks of those who sign and verify may differ.
    #[serde(deserialize_with = "span::read")]
    pub leeway: Duration,
    pub transport: Transport,
}

/// How a client presents its token.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// In `Authorization: Bearer`, for programs.
    #[default]
    Bearer,
    /// In a cookie that no script can read, for browsers.
    Cookie,
    Both,
}

/// A key set with its secrets; never printed.
#[derive(Clone, PartialEq)]
pub struct Inline(pub Zeroizing<String>);

/// The longest life of an access token: what cannot be taken back must end soon.
pub const MAX_TTL: Duration = Duration::from_secs(24 * 60 * 60);
const MAX_LEEWAY: Duration = Duration::from_secs(60);

impl Transport {
    pub fn takes_bearer(self) -> bool {
        self != Transport::Cookie
    }

    pub fn takes_cookie(self) -> bool {
        self != Transport::Bearer
    }
}

impl Default for Jwt {
    fn default() -> Self {
        Jwt {
            keys: None,
            jwks: None,
            issuer: None,
            audience: Vec::new(),
            access_ttl: Duration::from_secs(10 * 60),
            leeway: Duration::from_secs(5),
            transport: Transport::Bearer,
        }
    }
}

impl Jwt {
    /// What the types cannot say of a value.
    pub fn check(&self) -> Result<(), String> {
        if self.keys.is_some() && self.jwks.is_some() {
            return Err("identity.jwt has both `keys` and `jwks`: keep one of them".into());
        }
        let directory = self.keys.as_ref().map(|path| path.to_string_lossy());
        if directory.is_some_and(|path| path.contains(['{', '\n']) || path.contains("-----BEGIN")) {
            // The value is a secret: it is not repeated.
            return Err(
                "identity.jwt.keys holds a key and not the path of a directory; write a key \
                        set as `jwks`"
                    .into(),
            );
        }
        if self.access_ttl < Duration::from_secs(1) || self.access_ttl > MAX_TTL {
            return Err(format!(
                "identity.jwt.access_ttl is {:?}: it must be from one second to 24 hours, such as \
                 \"10m\"",
                self.access_ttl
            ));
        }
        if self.leeway > MAX_LEEWAY {
            return Err(format!(
                "identity.jwt.leeway is {:?}: it must be at most 60 seconds, such as \"5s\"",
                self.leeway
            ));
        }
        let names = self.issuer.iter().map(|name| ("issuer", name));
        for (key, name) in names.chain(self.audience.iter().map(|name| ("audience", name))) {
            // It stands in quotes in a challenge (RFC 9110 section 5.6.4).
            let plain = |b: u8| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\';
            if name.is_empty() || name.len() > 255 || !name.bytes().all(plain) {
                return Err(format!(
                    "identity.jwt.{key} is {name:?}: it must have from 1 to 255 characters of \
                     ASCII without quotes, such as \"https://example.com\""
                ));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Inline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inline(..)")
    }
}

impl<'de> Deserialize<'de> for Inline {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Inline(Zeroizing::new(String::deserialize(from)?)))
    }
}

/// Relative to the file that names it, as Rocket reads its own paths.
fn path<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    let path = Option::<RelativePathBuf>::deserialize(from)?;
    Ok(path.map(|path| path.relative()))
}
