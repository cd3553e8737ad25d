//! src/jwt/header.rs: a token's header (RFC 7515 section 4), read once and strictly.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};

use super::codec::Flaw;
use super::json::{AnyScalar, Name, Names, Scalar, Skip};

/// What is left of a header once everything that could mislead is refused.
pub struct Header<'h> {
    pub algorithm: Cow<'h, str>,
    pub kid: Cow<'h, str>,
}

/// Members that name a key, a chain or another form of token. We take keys from the key set alone
/// (RFC 8725 section 3.10), read only the compact form (RFC 7797 would change what is signed) and
/// nothing that is encrypted, so a token that has one is not meant for us.
const FORBIDDEN: &[&str] =
    &["b64", "jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "enc", "zip", "cty"];

/// The type of an access token (RFC 9068 section 2.1).
const TYPE: &str = "at+jwt";

impl<'h> Header<'h> {
    pub fn read(json: &'h [u8]) -> Result<Self, Flaw> {
        let text = std::str::from_utf8(json).map_err(|_| Flaw::Header)?;
        let mut reader = serde_json::Deserializer::from_str(text);
        let members = Seen::default().deserialize(&mut reader).map_err(|_| Flaw::Header)?;
        reader.end().map_err(|_| Flaw::Header)?;
        if members.critical {
            return Err(Flaw::Critical);
        }
        if members.forbidden {
            return Err(Flaw::ForbiddenHeader);
        }
        let Some(Scalar::Text(algorithm)) = members.algorithm else { return Err(Flaw::Header) };
        match members.kind {
            Some(Scalar::Text(kind)) if is_access_token(&kind) => {}
            _ => return Err(Flaw::Type),
        }
        let Some(Scalar::Text(kid)) = members.kid else { return Err(Flaw::Header) };
        Ok(Header { algorithm, kid })
    }
}

/// Media types are compared without regard to case, `application/` may be left out (RFC 7515
/// section 4.1.9).
fn is_access_token(kind: &str) -> bool {
    const PREFIX: &str = "application/";
    let bare = match kind.get(..PREFIX.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => &kind[PREFIX.len()..],
        _ => kind,
    };
    bare.eq_ignore_ascii_case(TYPE)
}

#[derive(Default)]
struct Seen<'h> {
    algorithm: Option<Scalar<'h>>,
    kind: Option<Scalar<'h>>,
    kid: Option<Scalar<'h>>,
    critical: bool,
    forbidden: bool,
}

impl<'de> DeserializeSeed<'de> for Seen<'de> {
    type Value = Self;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Seen<'de> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Self, A::Error> {
        let mut names = Names::default();
        while let Some(name) = members.next_key_seed(Name)? {
            match &*name {
                "alg" => self.algorithm = Some(members.next_value_seed(AnyScalar)?),
                "typ" => self.kind = Some(members.next_value_seed(AnyScalar)?),
                "kid" => self.kid = Some(members.next_value_seed(AnyScalar)?),
                other => {
                    self.critical |= other == "crit";
                    self.forbidden |= FORBIDDEN.contains(&other);
                    members.next_value_seed(Skip)?;
                }
            }
            names.insert(name)?;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"alg":"ES256","typ":"at+jwt","kid":"k"}"#;

    fn flaw(json: &str) -> Option<Flaw> {
        assert!(Header::read(GOOD.as_bytes()).is_ok());
        Header::read(json.as_bytes()).err()
    }

    fn with(member: &str) -> String {
        GOOD.replace('}', &format!(",{member}}}"))
    }

    #[test]
    fn a_member_that_nobody_knows_is_passed_over() {
        assert_eq!(flaw(&with(r#""x":{"y":[1]}"#)), None);
        assert_eq!(flaw(&GOOD.replace("alg", "\\u0061lg")), None);
    }

    /// Checklist row 38: we implement no extension, so any `crit` is refused.
    #[test]
    fn crit_is_refused_in_any_form() {
        for crit in [r#"["x"]"#, "[]", r#"["b64"]"#, r#"["exp","exp"]"#, "null", r#""b64""#, "{}"] {
            assert_eq!(flaw(&with(&format!("\"crit\":{crit}"))), Some(Flaw::Critical), "{crit}");
        }
        assert_eq!(flaw(&with(r#""cri\u0074":["x"]"#)), Some(Flaw::Critical));
        assert_eq!(flaw(&with(r#""crit":["b64"],"b64":false"#)), Some(Flaw::Critical));
    }

    /// Checklist rows 36, 39 and 43.
    #[test]
    fn a_member_that_names_a_key_or_another_form_of_token_is_refused() {
        for name in FORBIDDEN {
            for value in ["null", "true", "false", "\"https://evil.test/\"", "{\"kty\":\"oct\"}"] {
                let json = with(&format!("\"{name}\":{value}"));
                assert_eq!(flaw(&json), Some(Flaw::ForbiddenHeader), "{json}");
            }
        }
    }

    /// Checklist row 42.
    #[test]
    fn a_header_that_is_no_object_of_distinct_members_is_refused() {
        for json in [
            "[]",
            r#"["ES256","at+jwt","k"]"#,
            "null",
            "\"alg\"",
            "",
            "{}",
            "{}{}",
            &format!("\u{feff}{GOOD}"),
            &format!("{GOOD}x"),
            &with(r#""alg":"ES256""#),
            &with(r#""\u0061lg":"none""#),
            &with(r#""x":{"y":1,"y":2}"#),
            &with(r#""x":1,"x":1"#),
            &GOOD.replace("\"ES256\"", "{\"ES256\":null}"),
            &GOOD.replace("\"ES256\"", "[\"ES256\"]"),
            &GOOD.replace("\"ES256\"", "null"),
            &GOOD.replace("\"alg\"", "\"ALG\""),
            &GOOD.replace("\"k\"", "7"),
            &GOOD.replace("\"kid\"", "\"Kid\""),
        ] {
            assert_eq!(flaw(json), Some(Flaw::Header), "{json}");
        }
        let utf16: Vec<u8> = GOOD.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(Header::read(&utf16).err(), Some(Flaw::Header));
        assert_eq!(Header::read(b"{\"alg\":\"\xff\"}").err(), Some(Flaw::Header));
    }

    /// Checklist row 49: a token of another kind is none of ours, whoever signed it.
    #[test]
    fn the_type_is_an_access_tokens_media_type_and_no_other() {
        for kind in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
            assert_eq!(flaw(&GOOD.replace("at+jwt", kind)), None, "{kind}");
        }
        for kind in
            ["JWT", "jwt", "", "at+jwt ", "application/", "text/at+jwt", "rt+jwt", "at+jwt;x", "é"]
        {
            assert_eq!(flaw(&GOOD.replace("at+jwt", kind)), Some(Flaw::Type), "{kind}");
        }
        assert_eq!(flaw(&GOOD.replace("\"typ\"", "\"type\"")), Some(Flaw::Type));
        assert_eq!(flaw(&GOOD.replace("\"at+jwt\"", "[\"at+jwt\"]")), Some(Flaw::Type));
    }
}
