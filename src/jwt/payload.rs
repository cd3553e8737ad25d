//! src/jwt/payload.rs: the claims of a token whose signature is good, against the policy
//! (RFC 7519 section 4.1, RFC 9068 section 2.2).

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::END_OF_TIME;
use super::codec::{Flaw, Policy};
use super::json::{AnyScalar, Name, Names, Scalar, Skip};
use crate::claims::Registered;
use crate::clock::Time;

/// The longest subject, as the longest user id.
const MAX_SUBJECT: usize = 255;
const MAX_ID: usize = 128;

/// Reads the claims and holds them against `policy`.
pub fn read<'t>(text: &'t str, policy: &Policy, now: Time) -> Result<Registered<'t>, Flaw> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let seen = Seen::of(policy).deserialize(&mut reader).map_err(|_| Flaw::Claims)?;
    reader.end().map_err(|_| Flaw::Claims)?;
    seen.checked(policy, now)
}

/// The registered claims as they were found, of whatever type.
struct Seen<'t, 'p> {
    policy: &'p Policy,
    issuer: Option<Scalar<'t>>,
    subject: Option<Scalar<'t>>,
    id: Option<Scalar<'t>>,
    scope: Option<Scalar<'t>>,
    expires: Option<Scalar<'t>>,
    issued: Option<Scalar<'t>>,
    not_before: Option<Scalar<'t>>,
    version: Option<Scalar<'t>>,
    user: Option<&'t str>,
    for_us: bool,
}

impl<'t, 'p> Seen<'t, 'p> {
    fn of(policy: &'p Policy) -> Self {
        Seen {
            policy,
            issuer: None,
            subject: None,
            id: None,
            scope: None,
            expires: None,
            issued: None,
            not_before: None,
            version: None,
            user: None,
            for_us: false,
        }
    }

    fn checked(self, policy: &Policy, now: Time) -> Result<Registered<'t>, Flaw> {
        let issuer = self.issuer.and_then(text).ok_or(Flaw::Issuer)?;
        if *issuer != *policy.issuer {
            return Err(Flaw::Issuer);
        }
        if !self.for_us {
            return Err(Flaw::Audience);
        }
        let subject = self.subject.and_then(text).ok_or(Flaw::Subject)?;
        if subject.is_empty() || subject.len() > MAX_SUBJECT {
            return Err(Flaw::Subject);
        }
        let id = self.id.and_then(text).ok_or(Flaw::TokenId)?;
        if id.is_empty() || id.len() > MAX_ID {
            return Err(Flaw::TokenId);
        }
        let scope = match self.scope {
            None => None,
            Some(scope) => Some(text(scope).ok_or(Flaw::Scope)?),
        };
        let expires_at = self.expires.and_then(seconds).ok_or(Flaw::Expiry)?;
        let issued_at = self.issued.and_then(seconds).ok_or(Flaw::IssuedAt)?;
        let not_before = match self.not_before {
            None => 0,
            Some(moment) => seconds(moment).ok_or(Flaw::NotBefore)?,
        };
        let lifetime = expires_at.checked_sub(issued_at).ok_or(Flaw::Lifetime)?;
        if lifetime == 0 || lifetime > policy.max_ttl.as_secs() {
            return Err(Flaw::Lifetime);
        }
        let leeway = policy.leeway();
        // RFC 7519 section 4.1.4: "on or after" is expired.
        if now >= moment(expires_at).after(leeway) {
            return Err(Flaw::Expired);
        }
        let soon = now.after(leeway);
        if moment(issued_at) > soon || moment(not_before) > soon {
            return Err(Flaw::NotYetValid);
        }
        let user_version = match self.version {
            None => 1,
            Some(Scalar::Integer(version)) => u32::try_from(version).map_err(|_| Flaw::Claims)?,
            Some(_) => return Err(Flaw::Claims),
        };
        let user = self.user;
        Ok(Registered { issuer, subject, id, scope, user, user_version, issued_at, expires_at })
    }
}

fn text(claim: Scalar<'_>) -> Option<Cow<'_, str>> {
    match claim {
        Scalar::Text(text) => Some(text),
        Scalar::Integer(_) | Scalar::Other => None,
    }
}

/// A NumericDate that a person could mean: RFC 7519 allows fractions, none of ours has one.
fn seconds(claim: Scalar<'_>) -> Option<u64> {
    match claim {
        Scalar::Integer(seconds) if (1..=END_OF_TIME).contains(&seconds) => Some(seconds),
        _ => None,
    }
}

fn moment(seconds: u64) -> Time {
    Time::from_millis(seconds.saturating_mul(1000))
}

impl<'de> DeserializeSeed<'de> for Seen<'de, '_> {
    type Value = Self;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Seen<'de, '_> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Self, A::Error> {
        let mut names = Names::default();
        let mut audience_seen = false;
        while let Some(name) = members.next_key_seed(Name)? {
            let place = match &*name {
                "iss" => &mut self.issuer,
                "sub" => &mut self.subject,
                "jti" => &mut self.id,
                "scope" => &mut self.scope,
                "exp" => &mut self.expires,
                "iat" => &mut self.issued,
                "nbf" => &mut self.not_before,
                "user_version" => &mut self.version,
                "aud" if !audience_seen => {
                    audience_seen = true;
                    self.for_us = members.next_value_seed(Audience(&self.policy.audience))?;
                    continue;
                }
                "aud" => return Err(A::Error::custom("a second audience")),
                other => {
                    if let (Cow::Borrowed(name), "user") = (&name, other) {
                        self.user = Some(name);
                    }
                    names.insert(name)?;
                    members.next_value_seed(Skip)?;
                    continue;
                }
            };
            if place.replace(members.next_value_seed(AnyScalar)?).is_some() {
                return Err(A::Error::custom("a second member of one name"));
            }
        }
        Ok(self)
    }
}

/// Whether `aud` is a string or an array of strings, and names one of these.
struct Audience<'p>(&'p [String]);

impl Audience<'_> {
    fn names(&self, audience: &str) -> bool {
        self.0.iter().any(|ours| ours == audience)
    }
}

impl<'de> DeserializeSeed<'de> for Audience<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<bool, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Audience<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an audience")
    }

    fn visit_str<E: Error>(self, audience: &str) -> Result<bool, E> {
        Ok(self.names(audience))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut audiences: A) -> Result<bool, A::Error> {
        let (mut ours, mut well_typed) = (false, true);
        while let Some(audience) = audiences.next_element_seed(AnyScalar)? {
            match audience {
                Scalar::Text(audience) => ours |= self.names(&audience),
                Scalar::Integer(_) | Scalar::Other => well_typed = false,
            }
        }
        Ok(ours && well_typed)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<bool, A::Error> {
        Skip.visit_map(members).map(|()| false)
    }
}
