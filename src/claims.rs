//! src/claims.rs: the claims of a verified token, as text that is kept once and read on demand.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor,
};

/// What a verified token says (RFC 7519 section 4).
///
/// Signature, times, issuer and audience were checked before this value was made. `Debug` prints
/// nothing of it.
#[derive(Clone)]
pub struct Claims {
    text: String,
    issuer: Part,
    subject: Part,
    id: Part,
    scope: Part,
    /// Where the value of `user` begins: every request reads it.
    user: Option<usize>,
    user_version: u32,
    issued_at: u64,
    expires_at: u64,
}

/// What the codec has read out of the claims; borrowed from their text where nothing is escaped.
pub(crate) struct Registered<'t> {
    pub issuer: Cow<'t, str>,
    pub subject: Cow<'t, str>,
    pub id: Cow<'t, str>,
    pub scope: Option<Cow<'t, str>>,
    /// The very name of the member `user`, where it has no escapes.
    pub user: Option<&'t str>,
    /// `user_version`: 1 where it is absent.
    pub user_version: u32,
    pub issued_at: u64,
    pub expires_at: u64,
}

/// A stretch of the kept text, or a string of its own where the text has escapes.
#[derive(Clone)]
enum Part {
    Within { start: usize, end: usize },
    Own(Box<str>),
}

impl Claims {
    /// `read` takes out of the text what the codec checked, or says what is wrong with it.
    pub(crate) fn read<E>(
        text: String,
        read: impl FnOnce(&str) -> Result<Registered<'_>, E>,
    ) -> Result<Self, E> {
        let found = read(&text)?;
        let (issued_at, expires_at) = (found.issued_at, found.expires_at);
        let user_version = found.user_version;
        let issuer = Part::of(&text, found.issuer);
        let subject = Part::of(&text, found.subject);
        let id = Part::of(&text, found.id);
        let scope = Part::of(&text, found.scope.unwrap_or_default());
        let user = found.user.and_then(|name| value_of(&text, name));
        Ok(Claims { issuer, subject, id, scope, user, user_version, issued_at, expires_at, text })
    }

    /// `iss`: who made the token.
    pub fn issuer(&self) -> &str {
        self.issuer.text(&self.text)
    }

    /// `sub`: whom it names, at this issuer; never empty.
    pub fn subject(&self) -> &str {
        self.subject.text(&self.text)
    }

    /// `jti`: the token's own name.
    pub fn id(&self) -> Option<&str> {
        Some(self.id.text(&self.text)).filter(|id| !id.is_empty())
    }

    /// `aud`: for whom it was made.
    pub fn audience(&self) -> Vec<String> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Audience {
            One(String),
            Many(Vec<String>),
        }
        match self.get("aud") {
            Some(Audience::One(one)) => vec![one],
            Some(Audience::Many(many)) => many,
            None => Vec::new(),
        }
    }

    /// `iat`: when it was made.
    pub fn issued_at(&self) -> Option<SystemTime> {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(self.issued_at))
    }

    /// `exp`: from when on it is refused, with a leeway that the settings say.
    pub fn expires_at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.expires_at)
    }

    /// `scope`: what it allows, in the token's order (RFC 8693 section 4.2).
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scope.text(&self.text).split(' ').filter(|scope| !scope.is_empty())
    }

    /// Whether `scope` is one of [`Claims::scopes`], byte for byte.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes().any(|own| own == scope)
    }

    /// Any claim by its name; `None` where it is absent or is not a `T`.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let value = self.user.filter(|_| name == "user").and_then(|start| self.text.get(start..));
        if let Some(value) = value {
            // What stands behind the value was checked by the codec.
            return T::deserialize(&mut serde_json::Deserializer::from_str(value)).ok();
        }
        let mut reader = serde_json::Deserializer::from_str(&self.text);
        Member { name, of: PhantomData }.deserialize(&mut reader).ok().flatten()
    }

    /// The version of the claim `user`, as [`User::VERSION`](crate::User::VERSION).
    pub(crate) fn user_version(&self) -> u32 {
        self.user_version
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Claims(..)")
    }
}

impl Part {
    fn of(text: &str, part: Cow<'_, str>) -> Self {
        match part {
            Cow::Borrowed(part) => match place(text, part) {
                Some(start) => Part::Within { start, end: start + part.len() },
                None => Part::Own(part.into()),
            },
            Cow::Owned(part) => Part::Own(part.into()),
        }
    }

    fn text<'t>(&'t self, text: &'t str) -> &'t str {
        match self {
            Part::Within { start, end } => text.get(*start..*end).unwrap_or_default(),
            Part::Own(own) => own,
        }
    }
}

/// Where `part`, borrowed from `text`, begins in it.
fn place(text: &str, part: &str) -> Option<usize> {
    let start = (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
    let same = text.get(start..start.checked_add(part.len())?)?;
    (same.as_ptr() == part.as_ptr()).then_some(start)
}

/// Where the value of the member begins whose name, borrowed from `text`, this is.
fn value_of(text: &str, name: &str) -> Option<usize> {
    let end = place(text, name)?.checked_add(name.len())?;
    let behind = text.get(end..)?.strip_prefix('"')?;
    let value = behind.trim_start_matches([' ', '\t', '\n', '\r']).strip_prefix(':')?;
    Some(text.len() - value.len())
}

/// Reads the one member `name` as a `T` and passes over the others.
struct Member<'n, T> {
    name: &'n str,
    of: PhantomData<T>,
}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Member<'_, T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de, T: DeserializeOwned> Visitor<'de> for Member<'_, T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        // The codec has refused text with a second member of one name.
        let mut value = None;
        while let Some(matches) = members.next_key_seed(Matches(self.name))? {
            match matches {
                true => value = Some(members.next_value()?),
                false => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(value)
    }
}

/// Whether a member's name is this one.
struct Matches<'n>(&'n str);

impl<'de> DeserializeSeed<'de> for Matches<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<bool, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Matches<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(text: &str) -> Claims {
        fn read(text: &str) -> Result<Registered<'_>, ()> {
            Ok(Registered {
                issuer: Cow::Borrowed("i"),
                subject: Cow::Borrowed("s"),
                id: Cow::Borrowed("j"),
                scope: Some(Cow::Borrowed("read  write")),
                user: text.find("user").map(|start| &text[start..start + 4]),
                user_version: 1,
                issued_at: 1,
                expires_at: 2,
            })
        }
        Claims::read(text.to_owned(), read).unwrap()
    }

    #[test]
    fn any_claim_is_read_by_its_name_wherever_it_stands_and_however_it_is_spelled() {
        let claims = claims(r#"{"a":[{"b":1}],"b":2,"\u0063":"x","aud":["p","q"]}"#);
        assert_eq!(claims.get::<u64>("b"), Some(2));
        assert_eq!(claims.get::<String>("c").as_deref(), Some("x"));
        assert_eq!(claims.get::<String>("b"), None);
        assert_eq!(claims.get::<u64>("d"), None);
        assert_eq!(claims.audience(), ["p", "q"]);
        assert_eq!(claims.expires_at(), SystemTime::UNIX_EPOCH + Duration::from_secs(2));
    }

    #[test]
    fn the_user_is_read_from_its_place_and_from_nowhere_else() {
        for text in [
            r#"{"user":{"id":7},"x":1}"#,
            "{\"x\":{}, \"user\" \t\r\n: {\"id\":7} }",
            r#"{"x":1,"\u0075ser":{"id":7}}"#,
        ] {
            let user: Option<serde_json::Value> = claims(text).get("user");
            assert_eq!(user, Some(serde_json::json!({"id": 7})), "{text}");
        }
        assert_eq!(claims(r#"{"user":7}"#).get::<u64>("user"), Some(7));
        assert_eq!(claims(r#"{"user":7}"#).get::<String>("user"), None);
        assert_eq!(claims(r#"{"user":7,"x":8}"#).get::<u64>("x"), Some(8));
        assert_eq!(claims(r#"{"x":8}"#).get::<u64>("user"), None);
    }

    #[test]
    fn a_scope_is_compared_whole_and_byte_for_byte() {
        let claims = claims("{}");
        assert_eq!(claims.scopes().collect::<Vec<_>>(), ["read", "write"]);
        assert!(claims.has_scope("read"));
        for scope in ["rea", "Read", "read write", "", "writer"] {
            assert!(!claims.has_scope(scope), "{scope:?}");
        }
    }

    /// Checklist row 63.
    #[test]
    fn the_debug_of_claims_prints_none_of_them() {
        assert_eq!(format!("{:?}", claims(r#"{"user":"secret"}"#)), "Claims(..)");
    }

    #[test]
    fn a_part_is_borrowed_from_its_own_text_alone() {
        let text = "one two";
        let part = Part::of(text, Cow::Borrowed(&text[4..]));
        assert!(matches!(part, Part::Within { start: 4, end: 7 }));
        let foreign = String::from("two");
        assert_eq!(Part::of(text, Cow::Borrowed(&foreign)).text(text), "two");
        assert_eq!(Part::of(text, Cow::Borrowed("")).text(text), "");
    }
}
